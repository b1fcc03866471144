/**
 * What an operation may claim of a target: how much of its concurrency limit, and whether it may be the probe that finds out
 * whether a target is well again. Computed once per operation, so that ordering candidates costs comparisons only.
 *
 * An emergency claims the whole of every limit and is no probe where anything else is there; that it is never refused for want
 * of room is the attempt machine's doing. What must not be repeated is no probe
 * either: it could not be helped. In emergency mode low and medium operations claim half, so that the rest is free for what
 * matters (public contract, part 7).
 */
import type { Priority } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { defaultConcurrencyLimitSettings } from './concurrency-limit.ts'
import type { Candidate, Overrides } from './conditions.ts'

export interface Claim {
  /** The share of a limit that may be filled for it. */
  readonly roomShare: number
  readonly mayProbe: boolean
}

/** The share of every limit that low and medium operations keep while an operator has declared an emergency. */
export const emergencyModeShare = 0.5

const emergency: Claim = Object.freeze({ roomShare: 1, mayProbe: false })
const { shareOf } = defaultConcurrencyLimitSettings
const claims = Object.freeze({ critical: both(shareOf.critical), high: both(shareOf.high), medium: both(shareOf.medium), low: both(shareOf.low) })
const reducedClaims = both(emergencyModeShare)

export function claimOf(operation: Operation, overrides: Overrides, nowMs: number): Claim {
  if (operation.type === 'emergency') return emergency
  const pair = isShedFirst(operation.priority) && inEmergencyMode(overrides, nowMs) ? reducedClaims : claims[operation.priority]
  return operation.repeatable ? pair.probing : pair.plain
}

export function inEmergencyMode(overrides: Overrides, nowMs: number): boolean {
  return overrides.emergencyMode !== null && nowMs < overrides.emergencyMode.untilMs
}

/** The classes that give way in emergency mode. */
export function isShedFirst(priority: Priority): boolean {
  return priority === 'low' || priority === 'medium'
}

export function hasRoomFor(candidate: Candidate, claim: Claim): boolean {
  // One place is always there: a limit of 1 must not starve the lowest class for good.
  return candidate.inFlight < Math.max(1, candidate.limit * claim.roomShare)
}

function both(roomShare: number): { readonly probing: Claim; readonly plain: Claim } {
  return Object.freeze({ probing: Object.freeze({ roomShare, mayProbe: true }), plain: Object.freeze({ roomShare, mayProbe: false }) })
}
