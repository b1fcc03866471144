/**
 * An operation as the state store keeps it, and what a listing of them selects. Keys are operation ids: they sort by
 * creation, so that a page is a range of keys. A record that cannot be read (written by another version, or damaged) is
 * treated as absent: a listing goes on without it.
 */
import type { JsonValue } from '../operation/converse.ts'
import type { RoutingDecision } from '../operation/decision.ts'
import type { OperationType, Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { isFinal, operationStatuses, type OperationResult, type OperationStatus } from '../operation/result.ts'
import type { AttemptNotice } from '../operation/runner.ts'
import { maySee, type Reader } from './operation-draft.ts'

export const operationsCollection = 'operations'

export interface OperationRecord {
  readonly tenant: string | null
  /** The number of the last event that followers saw; 0 while it runs. */
  readonly endId: number
  readonly result: OperationResult
  /** What followers were told before the answer, numbered from 1; kept for operations that any instance may be asked for. */
  readonly told?: readonly ToldEvent[]
  readonly callbackUrl?: string
}

export type ToldEvent = { readonly type: 'decision'; readonly decision: RoutingDecision } | { readonly type: 'attempt'; readonly notice: AttemptNotice }

export function toValue(record: OperationRecord): JsonValue {
  return record as unknown as JsonValue
}

/** The record as JSON, around a result that is JSON already: answers are long, and each is made into text once. */
export function recordText(record: OperationRecord, resultText: string): string {
  const { result: _, ...around } = record
  return `${JSON.stringify(around).slice(0, -1)},"result":${resultText}}`
}

export function readRecord(value: JsonValue): OperationRecord | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const record = value as Partial<OperationRecord>
  const status = record.result?.status
  return typeof record.endId === 'number' && typeof record.result?.id === 'string' && status !== undefined && operationStatuses.includes(status) ? (record as OperationRecord) : undefined
}

export interface OperationFilter {
  readonly status?: OperationStatus
  readonly operation?: OperationType
  readonly route?: Route
  /** Created at this wall-clock instant or later. */
  readonly sinceMs?: number
}

/** @param createdAtMs of the result; handed in because reading a date is not this file's business. */
export function selects(filter: OperationFilter, reader: Reader, record: OperationRecord, createdAtMs: number): boolean {
  const { result } = record
  return (
    maySee(reader, record.tenant) &&
    (filter.status === undefined || result.status === filter.status) &&
    (filter.operation === undefined || result.operation === filter.operation) &&
    (filter.route === undefined || result.route === filter.route) &&
    (filter.sinceMs === undefined || createdAtMs >= filter.sinceMs)
  )
}

/** The result of an operation that was admitted and not begun. */
export function queuedResult(operation: Operation, createdAt: string, currency: string): OperationResult {
  return {
    id: operation.id,
    operation: operation.type,
    priority: operation.priority,
    status: 'queued',
    route: null,
    target: null,
    fallbackUsed: false,
    hedged: false,
    output: null,
    usage: null,
    cost: { currency, estimated: 0, includesEstimates: false },
    latency: { totalMs: 0, timeToFirstTokenMs: null, queuedMs: 0, overheadMs: 0, basis: operation.mode === 'stream' ? 'first_content' : 'completion' },
    latencyRequirementMs: operation.latencyRequirementMs,
    slaMet: false,
    attempts: [],
    decision: null,
    correlationId: operation.correlationId,
    createdAt,
    completedAt: null,
  }
}

/** Whether the same key and body must be answered with this result again; a retryable failure releases the key. */
export function keepsItsKey(result: OperationResult): boolean {
  return isFinal(result.status) && !(result.status === 'failed' && result.error?.retryable === true)
}
