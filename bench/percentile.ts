/**
 * Figures of a set of samples, computed exactly: a benchmark has room for all of its samples, and an estimate would be a
 * doubt more. Percentiles are nearest-rank, so a figure is always a value that was really measured.
 */

/** The smallest sample that at least `share` (0 to 1) of all samples do not exceed. `sorted` is ascending. */
export function percentile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN
  const rank = Math.ceil(share * sorted.length)
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1] ?? Number.NaN
}

/** The middle value; of an even number the mean of the two in the middle. Values that are not numbers are left out. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper
}

export interface Quantiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export function quantiles(samples: readonly number[]): Quantiles {
  const sorted = Float64Array.from(samples).sort()
  return { count: sorted.length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: percentile(sorted, 1) }
}
