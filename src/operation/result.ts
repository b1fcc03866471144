/**
 * The result of an operation, in the public contract's spelling (part 3): what `POST /v1/operations` answers, what
 * `GET /v1/operations/{id}` reads back, and what the `result` event of a stream carries.
 */
import type { ConverseMessage, TokenUsage } from './converse.ts'
import type { RoutingDecision } from './decision.ts'
import type { Fault } from './fault.ts'
import type { OperationType, Priority, Route } from './matrix.ts'
import type { Problem } from './problem.ts'

export const operationStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired'] as const
export type OperationStatus = (typeof operationStatuses)[number]
export type FinalStatus = Exclude<OperationStatus, 'queued' | 'running'>

export function isFinal(status: OperationStatus): status is FinalStatus {
  return status !== 'queued' && status !== 'running'
}

export const attemptOutcomes = ['succeeded', 'failed', 'timed_out', 'throttled', 'cancelled', 'rejected'] as const
export type AttemptOutcome = (typeof attemptOutcomes)[number]

/** Why an attempt was started. */
export const attemptReasons = ['first', 'retry', 'fallback', 'hedge', 'restart'] as const
export type AttemptReason = (typeof attemptReasons)[number]

export interface AttemptRecord {
  /** From 1, in the order of starting. */
  readonly number: number
  readonly route: Route
  readonly target: string
  readonly reason: AttemptReason
  /** From the arrival of the operation. */
  readonly startMs: number
  readonly durationMs: number
  readonly outcome: AttemptOutcome
  readonly error?: Fault
}

export interface Cost {
  readonly currency: string
  readonly estimated: number
  /** True when part of it is estimated from text length, as for attempts that were cancelled before they said their usage. */
  readonly includesEstimates: boolean
}

/** `caller_gone`: nobody can be given the answer any more. `hard_timeout`: its time was over before it could be answered. */
export const expiryReasons = ['caller_gone', 'hard_timeout'] as const
export type ExpiryReason = (typeof expiryReasons)[number]

export interface OperationResult {
  readonly id: string
  readonly operation: OperationType
  readonly priority: Priority
  readonly status: OperationStatus
  /** The winner's; null while there is none. */
  readonly route: Route | null
  readonly target: string | null
  readonly fallbackUsed: boolean
  readonly hedged: boolean
  readonly output: { readonly text: string; readonly message: ConverseMessage; readonly stopReason: string } | null
  readonly usage: TokenUsage | null
  readonly cost: Cost
  readonly latency: {
    readonly totalMs: number
    readonly timeToFirstTokenMs: number | null
    readonly queuedMs: number
    /** The part of the total that no attempt, queue or backoff accounts for. */
    readonly overheadMs: number
    readonly basis: 'completion' | 'first_content'
  }
  readonly latencyRequirementMs: number
  readonly slaMet: boolean
  readonly attempts: readonly AttemptRecord[]
  readonly decision: RoutingDecision | null
  readonly correlationId: string
  readonly createdAt: string
  readonly completedAt: string | null
  /** Why it failed, was cancelled or expired. */
  readonly error?: Problem
  /** Why it expired, in a closed list. */
  readonly reason?: ExpiryReason
}
