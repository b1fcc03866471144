/**
 * In which order the candidates of one route are tried. Rest and throttling reorder, they never remove: when every candidate
 * rests, the one that failed least recently is tried, because it had the most time to recover (house design, "Breakers").
 *
 * It scans instead of sorting: a decision needs one candidate, and allocates nothing.
 */
import type { Candidate, RouteConditions } from './conditions.ts'

/** From the best to the worst state in which a candidate can be. */
export const tiers = { ready: 0, slow: 1, resting: 2, throttled: 3 } as const
export type Tier = (typeof tiers)[keyof typeof tiers]

export function tierOf(candidate: Candidate, nowMs: number): Tier {
  if (candidate.throttledUntilMs > nowMs) return tiers.throttled
  if (!candidate.usable) return tiers.resting
  return candidate.slow ? tiers.slow : tiers.ready
}

/** Whether `one` is tried before `other`, which the operators prefer. */
export function goesBefore(one: Candidate, other: Candidate, nowMs: number): boolean {
  const tier = tierOf(one, nowMs)
  const otherTier = tierOf(other, nowMs)
  if (tier !== otherTier) return tier < otherTier
  if (tier === tiers.throttled) return one.throttledUntilMs < other.throttledUntilMs
  if (tier === tiers.resting) return one.lastFailureMs < other.lastFailureMs
  return false
}

/** The first of a route; undefined when it has none. */
export function firstCandidate(route: RouteConditions, nowMs: number): Candidate | undefined {
  let best: Candidate | undefined
  for (const candidate of route.candidates) if (best === undefined || goesBefore(candidate, best, nowMs)) best = candidate
  return best
}
