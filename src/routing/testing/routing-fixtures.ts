/**
 * Operations, views and rules for the tests and measurements of routing: complete values with the contract's defaults, so
 * that a test states only what it is about.
 */
import { operationLimits, runbookMatrix, type OperationType } from '../../operation/matrix.ts'
import type { Operation } from '../../operation/operation.ts'
import { createShareRescue, defaultAttemptLimits, defaultRescueShare, type AttemptRules } from '../attempt-rules.ts'
import { noOverrides, type Candidate, type Conditions, type RouteConditions } from '../conditions.ts'

export function operationOf(type: OperationType, changes: Partial<Operation> = {}): Operation {
  const row = runbookMatrix[type]
  const limits = operationLimits(row)
  return {
    id: `op_${type}`,
    type,
    priority: row.priority,
    mode: 'sync',
    converse: { messages: [{ role: 'user', content: [{ text: 'What is wrong with the disk?' }] }] },
    repeatable: true,
    tenant: null,
    metadata: {},
    arrivedAtMs: 0,
    // 2026-01-01T08:00:00Z
    createdAtMs: 1_767_254_400_000,
    latencyRequirementMs: limits.latencyRequirementMs,
    hardTimeoutMs: limits.hardTimeoutMs,
    streamSilenceMs: 5_000,
    streamMaxMs: 600_000,
    correlationId: 'cor_1',
    ...changes,
  }
}

export function candidateOf(id: string, changes: Partial<Candidate> = {}): Candidate {
  return { id, usable: true, unusableReason: null, throttledUntilMs: 0, inFlight: 0, lastFailureMs: Number.NEGATIVE_INFINITY, slow: false, ...changes }
}

export function routeOf(candidates: readonly (Candidate | string)[], changes: Partial<RouteConditions> = {}): RouteConditions {
  const all = candidates.map((candidate) => (typeof candidate === 'string' ? candidateOf(candidate) : candidate))
  return { carriesMoreThanText: true, repeatable: true, candidates: all, ...changes }
}

/** Two targets and one server, all well. */
export function conditionsOf(changes: Partial<Conditions> = {}): Conditions {
  return { direct: routeOf(['frankfurt', 'ireland']), mcp: routeOf(['ops']), overrides: noOverrides, ...changes }
}

export function rulesOf(changes: Partial<AttemptRules> = {}): AttemptRules {
  return { policy: createShareRescue(defaultRescueShare), retryBudget: { spend: () => true }, limits: defaultAttemptLimits, ...changes }
}
