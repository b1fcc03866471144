/**
 * What the record of decisions keeps of an operation that has ended, and what hindsight may judge of it.
 *
 * Not judged is what says nothing about the decision: the caller cancelled, the request itself was wrong, or there was no
 * route to choose. The alternatives are the routes that the matrix and the operators allowed beside the decision's.
 * Source: public contract, part 3 ("Hindsight").
 */
import type { RoutingDecision } from '../operation/decision.ts'
import type { Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { OperationResult } from '../operation/result.ts'
import type { EndedDecision } from '../routing/decision-ledger.ts'
import type { JudgedOperation } from '../routing/hindsight.ts'

export function endedDecision(operation: Operation, result: OperationResult, decision: RoutingDecision): EndedDecision {
  return {
    operationId: operation.id,
    operation: operation.type,
    priority: operation.priority,
    tenant: operation.tenant,
    decidedAt: result.createdAt,
    decidedAtMs: operation.arrivedAtMs,
    decision,
    status: result.status,
    route: result.route,
    target: result.target,
    basis: result.latency.basis,
    latencyMs: judgedMs(result),
    latencyRequirementMs: operation.latencyRequirementMs,
    slaMet: result.slaMet,
    attempts: result.attempts,
  }
}

/** Null where hindsight has nothing to say. */
export function judgedOperation(operation: Operation, result: OperationResult, decidedAtMs: number): JudgedOperation | null {
  const { decision } = result
  if (whyNotJudged(result) !== '' || decision === null) return null
  const beforeMs = decidedAtMs - operation.arrivedAtMs
  const alternatives: Route[] = []
  for (const { route, reason } of decision.alternatives) if (reason === 'fallback' || reason === 'unavailable') alternatives.push(route)
  return {
    decidedAtMs,
    basis: result.latency.basis,
    requirementLeftMs: operation.latencyRequirementMs - beforeMs,
    met: result.slaMet,
    tookMs: judgedMs(result) - beforeMs,
    size: result.usage?.outputTokens ?? 0,
    alternatives,
    noRoom: result.error?.code === 'overloaded',
  }
}

/** Empty where it is judged. */
export function whyNotJudged(result: OperationResult): string {
  if (result.status === 'cancelled') return 'the operation was cancelled'
  if (result.error?.code === 'invalid_request') return 'the request itself was wrong'
  return result.decision === null || result.decision.route === null ? 'there was no route to choose' : ''
}

function judgedMs(result: OperationResult): number {
  const { latency } = result
  return latency.basis === 'first_content' ? (latency.timeToFirstTokenMs ?? latency.totalMs) : latency.totalMs
}
