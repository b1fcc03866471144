/**
 * Operations as a test thinks of them, and the events that the router publishes for each.
 */
import fc from 'fast-check'
import type { FaultKind } from '../../operation/fault.ts'
import { operationTypes, runbookMatrix, type OperationType, type Route } from '../../operation/matrix.ts'
import { OperationError, toProblem, type ProblemCode } from '../../operation/problem.ts'
import type { AttemptRecord, FinalStatus, OperationResult } from '../../operation/result.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import { operationOf } from '../../operation/testing/operation.ts'

export interface Happening {
  readonly operation: OperationType
  readonly route: Route | null
  readonly target: string
  readonly status: FinalStatus
  readonly slaMet: boolean
  readonly fallbackUsed: boolean
  readonly hedged: boolean
  readonly totalMs: number
  /** Of an attempt that failed before the one that ended it. */
  readonly fault: FaultKind | null
  /** Of the operation that failed, where it matters: the caller's mistake or the upstream's. */
  readonly code?: ProblemCode
  /** Since the one before. */
  readonly gapMs: number
}

const anyHappening: fc.Arbitrary<Happening> = fc
  .record({
    operation: fc.constantFrom(...operationTypes),
    route: fc.constantFrom('direct' as const, 'mcp' as const),
    target: fc.constantFrom('frankfurt', 'ireland', 'ops'),
    status: fc.constantFrom('succeeded' as const, 'succeeded' as const, 'succeeded' as const, 'failed' as const, 'cancelled' as const, 'expired' as const),
    slaMet: fc.boolean(),
    fallbackUsed: fc.boolean(),
    hedged: fc.boolean(),
    totalMs: fc.double({ min: 0.1, max: 100_000, noNaN: true }),
    fault: fc.constantFrom(null, null, 'throttled' as const, 'timeout' as const, 'network' as const),
    gapMs: fc.integer({ min: 0, max: 600_000 }),
    code: fc.constantFrom('invalid_request' as const, 'upstream_error' as const, 'overloaded' as const),
  })
  .map((happening) => (happening.status === 'succeeded' ? withoutCode(happening) : { ...happening, route: null, slaMet: false }))

function withoutCode({ code: _code, ...happening }: Happening): Happening {
  return happening
}

export const happenings = fc.array(anyHappening, { maxLength: 80 })

const currency = 'USD'

export function eventsOf(happening: Happening, atMs: number): readonly SystemEvent[] {
  const operation = operationOf(happening.operation, { createdAtMs: atMs })
  const { route, target, status, totalMs } = happening
  const tried = route ?? runbookMatrix[happening.operation].route
  const common = { route: tried, target, startMs: 0, durationMs: totalMs }
  const attempts: AttemptRecord[] = []
  if (happening.fault !== null) {
    const outcome = happening.fault === 'throttled' ? 'throttled' : happening.fault === 'timeout' ? 'timed_out' : 'failed'
    attempts.push({ ...common, number: 1, reason: 'first', outcome, error: { kind: happening.fault, retryable: true, message: 'It did not work.' } })
  }
  attempts.push({ ...common, number: attempts.length + 1, reason: 'retry', outcome: status === 'succeeded' ? 'succeeded' : 'cancelled' })
  const result: OperationResult = {
    id: operation.id,
    operation: operation.type,
    priority: operation.priority,
    status,
    route,
    target: route === null ? null : target,
    fallbackUsed: happening.fallbackUsed,
    hedged: happening.hedged,
    output: null,
    usage: status === 'succeeded' ? { inputTokens: 12, outputTokens: 80, totalTokens: 92 } : null,
    cost: { currency, estimated: 0.001, includesEstimates: false },
    latency: { totalMs, timeToFirstTokenMs: null, queuedMs: 0, overheadMs: 0, basis: 'completion' },
    latencyRequirementMs: operation.latencyRequirementMs,
    slaMet: happening.slaMet,
    attempts,
    decision: { route: tried, target, reason: 'matrix', alternatives: [] },
    correlationId: operation.correlationId,
    createdAt: '2026-01-01T08:00:00.000Z',
    completedAt: '2026-01-01T08:00:01.000Z',
    ...(happening.code === undefined || status !== 'failed' ? {} : { error: toProblem(new OperationError(happening.code, 'It did not work.')) }),
  }
  return [
    { type: 'operation_admitted', atMs, operation },
    { type: 'routing_decision', atMs, operation, decision: { route: tried, target, reason: 'matrix', alternatives: [] } },
    { type: 'attempt_started', atMs, operation, number: 1, route: tried, target, reason: 'first' },
    ...attempts.map((record): SystemEvent => ({ type: 'attempt_ended', atMs, operation, record, outputTokens: 80, overtaken: false })),
    { type: 'operation_ended', atMs, operation, result },
  ]
}
