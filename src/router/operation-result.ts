/**
 * The result of an operation, in the contract's shape, from what its attempts left behind.
 *
 * Must not know: clocks and paths; the router hands in instants and spends. `overheadMs` is what remains of the total when
 * queue, attempts and the waits between them are taken away: what this program added.
 * Source: public contract, part 3.
 */
import type { Answer } from '../operation/converse.ts'
import { textOf } from '../operation/converse.ts'
import { costOf, type PriceTable } from '../operation/cost.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptSpend } from '../operation/path.ts'
import { toProblem, type Problem } from '../operation/problem.ts'
import type { AttemptRecord, OperationResult, OperationStatus } from '../operation/result.ts'
import type { Attempt, Run } from '../routing/attempt-run.ts'
import type { FinalProblem } from '../routing/final-problem.ts'

export interface ResultParts {
  readonly run: Run
  readonly status: OperationStatus
  readonly winner: Attempt | null
  readonly answer: Answer | null
  readonly problem: Problem | null
  /** One for every attempt that told. */
  readonly spends: readonly AttemptSpend[]
  /** How long the winner, or without one the longest-waiting attempt, stood in the message queue. */
  readonly attemptQueuedMs: number
  readonly prices: PriceTable
  /** Monotonic: when the router took it, and now. */
  readonly takenAtMs: number
  readonly nowMs: number
  readonly createdAt: string
  readonly completedAt: string | null
}

export function resultOf(parts: ResultParts): OperationResult {
  const { run, status, winner, answer } = parts
  const { operation, plan, attempts } = run
  const totalMs = parts.nowMs - operation.arrivedAtMs
  const judgedMs = run.streaming && run.firstContentAtMs !== null ? run.firstContentAtMs - operation.arrivedAtMs : totalMs
  const told = parts.spends.length < attempts.length ? [...parts.spends, unknownSpend] : parts.spends
  const result: OperationResult = {
    id: operation.id,
    operation: operation.type,
    priority: operation.priority,
    status,
    route: winner?.route ?? null,
    target: winner?.target ?? null,
    fallbackUsed: usedFallback(run, winner),
    hedged: attempts.some((attempt) => attempt.reason === 'hedge'),
    output: answer === null ? null : { text: textOf(answer.message), message: answer.message, stopReason: answer.stopReason },
    usage: answer?.usage ?? null,
    cost: costOf(parts.prices, told),
    latency: {
      totalMs,
      timeToFirstTokenMs: run.firstContentAtMs === null ? null : run.firstContentAtMs - operation.arrivedAtMs,
      queuedMs: queuedMs(operation, parts.takenAtMs) + parts.attemptQueuedMs,
      overheadMs: overheadMs(parts),
      basis: run.streaming ? 'first_content' : 'completion',
    },
    latencyRequirementMs: operation.latencyRequirementMs,
    slaMet: status === 'succeeded' && judgedMs <= operation.latencyRequirementMs,
    attempts: attempts.map((attempt) => recordOf(run, attempt, parts.nowMs)),
    decision: plan.decision,
    correlationId: operation.correlationId,
    createdAt: parts.createdAt,
    completedAt: parts.completedAt,
  }
  return parts.problem === null ? result : { ...result, error: parts.problem }
}

export function problemOf(operation: Operation, problem: FinalProblem): Problem {
  const { code, detail, retryable, retryAfterMs } = problem
  return toProblem({ code, detail, retryable, retryAfterMs, operationId: operation.id }, operation.correlationId)
}

export function recordOf(run: Run, attempt: Attempt, nowMs: number): AttemptRecord {
  const record: AttemptRecord = {
    number: attempt.number,
    route: attempt.route,
    target: attempt.target,
    reason: attempt.reason,
    startMs: tenths(attempt.startedAtMs - run.arrivedAtMs),
    durationMs: tenths((attempt.outcome === null ? nowMs : attempt.endedAtMs) - attempt.startedAtMs),
    // One that still runs can only be seen in a snapshot; what it would be if it ended now is the nearest of the six words.
    outcome: attempt.outcome ?? 'cancelled',
  }
  return attempt.fault === null ? record : { ...record, error: attempt.fault }
}

/** An attempt that ended without saying what it used makes the sum an estimate. */
const unknownSpend: AttemptSpend = Object.freeze({
  modelId: null,
  usage: Object.freeze({ inputTokens: 0, outputTokens: 0, totalTokens: 0 }),
  estimated: true,
})

function usedFallback(run: Run, winner: Attempt | null): boolean {
  if (winner !== null) return winner.route !== run.plan.preferred
  return run.attempts.some((attempt) => attempt.route !== run.plan.preferred)
}

/** An asynchronous operation waits in the queue until the router gets it. */
function queuedMs(operation: Operation, takenAtMs: number): number {
  return operation.mode === 'async' ? Math.max(0, takenAtMs - operation.arrivedAtMs) : 0
}

function overheadMs(parts: ResultParts): number {
  const { run, takenAtMs, nowMs } = parts
  let busyUntilMs = takenAtMs
  for (const attempt of run.attempts) busyUntilMs = Math.max(busyUntilMs, attempt.outcome === null ? nowMs : attempt.endedAtMs)
  // Without an attempt, what passed since the router took it was a wait for a target that had asked for one.
  const busyMs = run.attempts.length === 0 ? nowMs - takenAtMs : busyUntilMs - (run.waitedFirst ? takenAtMs : firstStartMs(run, takenAtMs))
  return Math.max(0, nowMs - run.arrivedAtMs - queuedMs(run.operation, takenAtMs) - busyMs)
}

function firstStartMs(run: Run, takenAtMs: number): number {
  return run.attempts[0]?.startedAtMs ?? takenAtMs
}

/** Clocks give more digits than they know, and sums of fractions are not what a person reads: tenths of a millisecond. */
function tenths(durationMs: number): number {
  return Math.round(durationMs * 10) / 10
}
