/**
 * How an operation ends that the router did not end: it expired in the queue, its caller's process is gone, its worker died
 * once too often, or it was cancelled where it did not run. What is known of it so far stays.
 *
 * It must not know the store. Source: public contract, part 3 ("Going away", "Repeats").
 */
import { OperationError, toProblem, type ProblemCode } from '../operation/problem.ts'
import type { ExpiryReason, FinalStatus, OperationResult } from '../operation/result.ts'

export interface EndFacts {
  readonly completedAt: string
  /** From the arrival of the request. */
  readonly totalMs: number
}

export function expiredResult(known: OperationResult, reason: ExpiryReason, facts: EndFacts): OperationResult {
  const detail = reason === 'caller_gone' ? 'The process that the caller waited at is gone, and nobody can be given the answer.' : 'Its hard timeout passed before it could be answered.'
  return { ...endedWith(known, 'expired', 'deadline_exceeded', detail, facts), reason }
}

export function outcomeUnknownResult(known: OperationResult, facts: EndFacts): OperationResult {
  return endedWith(known, 'failed', 'outcome_unknown', 'It must not be repeated and may have been sent before the process that carried it out was gone.', facts)
}

export function poisonedResult(known: OperationResult, deliveries: number, facts: EndFacts): OperationResult {
  return endedWith(known, 'failed', 'internal_error', `Given up after ${deliveries} tries whose processes did not survive it; an operator finds it among the dead letters.`, facts, false)
}

export function cancelledResult(known: OperationResult, facts: EndFacts): OperationResult {
  const { error: _error, ...rest } = known
  return ended(rest, 'cancelled', facts)
}

function endedWith(known: OperationResult, status: FinalStatus, code: ProblemCode, detail: string, facts: EndFacts, retryable?: boolean): OperationResult {
  const problem = toProblem(new OperationError(code, detail, { operationId: known.id, ...(retryable === undefined ? {} : { retryable }) }), known.correlationId)
  return { ...ended(known, status, facts), error: problem }
}

function ended(known: OperationResult, status: FinalStatus, { completedAt, totalMs }: EndFacts): OperationResult {
  return { ...known, status, output: null, slaMet: false, latency: { ...known.latency, totalMs }, completedAt }
}
