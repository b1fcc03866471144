/**
 * Latency as operators know it: a median and a 99th percentile. Between them the time is log-normal, the usual shape of
 * service times: most answers near the median, a long tail above it.
 */
export interface LatencyQuantiles {
  readonly p50: number
  readonly p99: number
}

/** What an answer waits for, in milliseconds: once before the first token, then for every token. */
export interface Pace {
  readonly firstTokenMs: number
  readonly perTokenMs: number
}

export const noWait: Pace = { firstTokenMs: 0, perTokenMs: 0 }

/** What is slowed down where no latency is set: about a small model on a good day. */
export const nominalPace: Pace = { firstTokenMs: 100, perTokenMs: 5 }

/** The 99th percentile of the standard normal distribution. */
const z99 = 2.3263478740408408

/** @param chance uniform in [0, 1); two are drawn (Box and Muller, 1958). */
export function sampleLatency(quantiles: LatencyQuantiles, chance: () => number): number {
  const first = 1 - chance()
  const second = chance()
  if (quantiles.p50 <= 0 || quantiles.p99 <= quantiles.p50) return quantiles.p50
  const normal = Math.sqrt(-2 * Math.log(first)) * Math.cos(2 * Math.PI * second)
  const sigma = Math.log(quantiles.p99 / quantiles.p50) / z99
  return quantiles.p50 * Math.exp(sigma * normal)
}
