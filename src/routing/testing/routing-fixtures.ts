/**
 * Views and rules for the tests and measurements of routing: complete values with the contract's defaults, so
 * that a test states only what it is about.
 */
import { AttemptBudget } from '../attempt-budget.ts'
import { defaultAttemptLimits, type AttemptRules, type RescuePolicy } from '../attempt-rules.ts'
import { noOverrides, type Candidate, type Conditions, type RouteConditions } from '../conditions.ts'

export function candidateOf(id: string, changes: Partial<Candidate> = {}): Candidate {
  const never = Number.NEGATIVE_INFINITY
  const well = { usable: true, unusableReason: null, throttledUntilMs: 0, inFlight: 0, limit: Number.POSITIVE_INFINITY, probing: false, lastThrottledMs: never, throttledShare: 0, lastFailureMs: never, slow: false }
  return { id, ...well, ...changes }
}

export function routeOf(candidates: readonly (Candidate | string)[], changes: Partial<RouteConditions> = {}): RouteConditions {
  const all = candidates.map((candidate) => (typeof candidate === 'string' ? candidateOf(candidate) : candidate))
  return { carriesMoreThanText: true, repeatable: true, candidates: all, ...changes }
}

/** Two targets and one server, all well. */
export function conditionsOf(changes: Partial<Conditions> = {}): Conditions {
  return { direct: routeOf(['frankfurt', 'ireland']), mcp: routeOf(['ops']), overrides: noOverrides, crowded: false, ...changes }
}

/** Everybody who has nothing to show after half of the requirement is helped, from the other route first. */
export const helpAtHalf: RescuePolicy = Object.freeze({
  checkAtMs(work, attempt) {
    const untilMs = attempt.startedAtMs < work.requiredByMs ? work.requiredByMs : work.deadlineMs
    return (attempt.startedAtMs + untilMs) / 2
  },
  onCheck(work, attempt, facts) {
    for (const route of [...work.plan.routes].sort((one) => (one === attempt.route ? 1 : -1))) {
      for (const { id, usable } of facts.conditions[route].candidates) {
        if (usable && !work.attempts.some((other) => other.target === id && other.route === route)) return { help: true, kind: 'rescue', route, target: id }
      }
    }
    return { help: false, checkAgainAtMs: Number.POSITIVE_INFINITY }
  },
  onHedgeEnded: () => undefined,
  isWorthStarting: () => true,
  latestStartMs: (work) => work.requiredByMs,
  latestStartThereMs: (work) => work.requiredByMs,
  latestRetryMs: (work) => work.requiredByMs,
} satisfies RescuePolicy)

/** A budget that is never short in a test of some operations. */
export function plentyOfRetries(): AttemptBudget {
  return new AttemptBudget(1, 1_000)
}

export function rulesOf(changes: Partial<AttemptRules> = {}): AttemptRules {
  return { policy: helpAtHalf, retryBudget: plentyOfRetries(), limits: defaultAttemptLimits, ...changes }
}
