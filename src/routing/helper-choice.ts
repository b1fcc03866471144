/**
 * Who helps an attempt that is late: the candidate for a rescue, judged by its chance, and the one for a hedge, judged by its
 * rest. Both scan the view and allocate nothing but their answer.
 *
 * An emergency has no other route, so that its helpers are where everybody's attempts are: it also goes where there is no
 * room, since no limit holds it, and again where an earlier attempt of its own has ended. Where the target of the late attempt
 * rests as well, everything does: that the attempt still lives is then the first sign that an outage is over.
 *
 * Must not know: whether help is due, and who pays for it (`chance-policy.ts`). Source: house design, "Budget, not timeout".
 */
import type { Route } from '../operation/matrix.ts'
import type { PendingAttempt, PendingWork, StepFacts } from './attempt-rules.ts'
import { candidateNamed, isReady, tierOf, tiers, type Tier } from './candidate-order.ts'
import { otherRoute, type Candidate } from './conditions.ts'
import type { LatencyBasis } from './latency-estimates.ts'
import type { LatencyForecast } from './latency-forecast.ts'
import { estimateKey as keyOf } from './target-record.ts'

export interface Helper {
  readonly route: Route
  readonly target: string
}

/** A helper is clearly better when its chance to miss is below this share of the runner's. */
const clearlyBetter = 0.7
/** Among helpers this much alike, the one that shares less with the running attempt is taken. */
const alike = 0.8
/** ms after a throttle in which nothing is hedged on that route. */
const throttledLatelyMs = 10_000

/**
 * The best of those who are clearly better than what runs.
 * @param byMs when the answer must be there @param miss the chance that what runs misses that
 */
export function rescuerFor(work: PendingWork, attempt: PendingAttempt, forecast: LatencyForecast, basis: LatencyBasis, byMs: number, miss: number, facts: StepFacts): Helper | null {
  const { nowMs, conditions } = facts
  const isEmergency = work.operation.type === 'emergency'
  const worst = isEmergency ? worstForEmergency(work, attempt, facts) : tiers.slow
  let best: Helper | null = null
  let bestMiss = miss * clearlyBetter
  for (const route of helpOrder(work, attempt.route)) {
    for (const candidate of conditions[route].candidates) {
      if ((isEmergency ? runsOn(work, route, candidate.id) : wasTried(work, route, candidate.id)) || tierOf(candidate, nowMs, work.plan.claim) > worst) continue
      // That it may throttle does not count: this is found out at once, and costs no time.
      const its = forecast.missChance(keyOf(route, candidate.id), work.operation.type, basis, 0, byMs - nowMs, nowMs)
      if (its > bestMiss) continue
      best = { route, target: candidate.id }
      bestMiss = its * alike
    }
  }
  return best
}

/** The worst state in which a helper of an emergency may be. */
function worstForEmergency(work: PendingWork, attempt: PendingAttempt, facts: StepFacts): Tier {
  const its = candidateNamed(facts.conditions[attempt.route], attempt.target)
  if (its !== undefined && tierOf(its, facts.nowMs, work.plan.claim) === tiers.resting) return tiers.resting
  // Where work waits for room, what has none will refuse.
  return facts.conditions.crowded ? tiers.slow : tiers.full
}

/** The same route; another one that is allowed where this one has no other target at all. */
export function hedgerFor(work: PendingWork, attempt: PendingAttempt, facts: StepFacts): Helper | null {
  const { candidates } = facts.conditions[attempt.route]
  const isAlone = candidates.every(({ id }) => wasTried(work, attempt.route, id))
  const route = isAlone ? otherRoute(attempt.route) : attempt.route
  if (!work.plan.routes.includes(route)) return null
  const target = hedgeTarget(work, route, facts)
  return target === null ? null : { route, target }
}

function hedgeTarget(work: PendingWork, route: Route, facts: StepFacts): string | null {
  const { candidates } = facts.conditions[route]
  let found: Candidate | null = null
  for (const candidate of candidates) {
    if (facts.nowMs - candidate.lastThrottledMs < throttledLatelyMs) return null
    if (found !== null || candidate.slow || candidate.probing) continue
    if (!wasTried(work, route, candidate.id) && isReady(candidate, facts.nowMs, work.plan.claim)) found = candidate
  }
  return found?.id ?? null
}

/** Somebody could help at all. */
export function hasOthers(work: PendingWork, facts: StepFacts): boolean {
  let candidates = 0
  for (const route of work.plan.routes) candidates += facts.conditions[route].candidates.length
  return candidates > 1
}

const directOther: readonly Route[] = ['mcp', 'direct']
const mcpOther: readonly Route[] = ['direct', 'mcp']

/** What shares least with the running attempt comes first. */
function helpOrder(work: PendingWork, running: Route): readonly Route[] {
  if (work.plan.routes.length < 2) return work.plan.routes
  return otherRoute(running) === 'mcp' ? directOther : mcpOther
}

function wasTried(work: PendingWork, route: Route, target: string): boolean {
  for (const attempt of work.attempts) if (attempt.target === target && attempt.route === route) return true
  return false
}

function runsOn(work: PendingWork, route: Route, target: string): boolean {
  for (const attempt of work.attempts) if (attempt.outcome === null && attempt.target === target && attempt.route === route) return true
  return false
}
