/**
 * In which order the candidates of one route are tried by an operation with a given claim. Rest, throttling and want of room
 * reorder, they never remove: when every candidate rests, the one that failed least recently is tried, because it had the
 * most time to recover (house design, "Breakers"). A full target comes before a resting one: room comes back by itself.
 *
 * It scans instead of sorting: a decision needs one candidate, and allocates nothing.
 */
import { hasRoomFor, type Claim } from './claim.ts'
import type { Candidate, RouteConditions } from './conditions.ts'

/** From the best to the worst state in which a candidate can be. */
export const tiers = { ready: 0, slow: 1, full: 2, resting: 3, throttled: 4 } as const
export type Tier = (typeof tiers)[keyof typeof tiers]

export function tierOf(candidate: Candidate, nowMs: number, claim: Claim): Tier {
  if (candidate.throttledUntilMs > nowMs) return tiers.throttled
  if (!candidate.usable) return tiers.resting
  if (!hasRoomFor(candidate, claim)) return tiers.full
  return candidate.slow || (candidate.probing && !claim.mayProbe) ? tiers.slow : tiers.ready
}

/** It can be started now, with a good chance of an answer. */
export function isReady(candidate: Candidate, nowMs: number, claim: Claim): boolean {
  return tierOf(candidate, nowMs, claim) <= tiers.slow
}

/** Whether `one` is tried before `other`, which the operators prefer. */
export function goesBefore(one: Candidate, other: Candidate, nowMs: number, claim: Claim): boolean {
  const tier = tierOf(one, nowMs, claim)
  const otherTier = tierOf(other, nowMs, claim)
  if (tier !== otherTier) return tier < otherTier
  if (tier === tiers.throttled) return one.throttledUntilMs < other.throttledUntilMs
  if (tier === tiers.resting) return one.lastFailureMs < other.lastFailureMs
  return false
}

/** The first of a route; undefined when it has none. */
export function firstCandidate(route: RouteConditions, nowMs: number, claim: Claim): Candidate | undefined {
  let best: Candidate | undefined
  for (const candidate of route.candidates) if (best === undefined || goesBefore(candidate, best, nowMs, claim)) best = candidate
  return best
}

/** Undefined where the view does not have it (any more). */
export function candidateNamed(route: RouteConditions, id: string): Candidate | undefined {
  for (const candidate of route.candidates) if (candidate.id === id) return candidate
  return undefined
}
