/**
 * How fast a queue drains, as far as this process sees, and from that the `Retry-After` of a refusal: the time in which a
 * tenth of what waits will have left, so that those who come back find room. A moving average over the last claims or so.
 */
import { storeLimits } from './limits.ts'

export interface DrainRate {
  readonly lastClaimMs: number | undefined
  /** Mean time between two claims; undefined before the second. */
  readonly intervalMs: number | undefined
}

export const unknownDrainRate: DrainRate = { lastClaimMs: undefined, intervalMs: undefined }

/** The weight of the newest interval: the average forgets in about a hundred claims. */
const newestWeight = 0.02

export function afterClaim(rate: DrainRate, monotonicMs: number): DrainRate {
  if (rate.lastClaimMs === undefined) return { lastClaimMs: monotonicMs, intervalMs: undefined }
  const newestMs = monotonicMs - rate.lastClaimMs
  const intervalMs = rate.intervalMs === undefined ? newestMs : rate.intervalMs + (newestMs - rate.intervalMs) * newestWeight
  return { lastClaimMs: monotonicMs, intervalMs }
}

export function retryAfterMs(rate: DrainRate, depth: number): number {
  const { least, most } = storeLimits.retryAfterMs
  // Nothing was ever claimed: nobody can say, and soon is as good a guess as late.
  if (rate.intervalMs === undefined) return 5 * least
  return Math.min(most, Math.max(least, Math.ceil(rate.intervalMs * depth * 0.1)))
}
