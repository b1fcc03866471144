/**
 * A histogram of durations whose buckets grow by the eighth root of two, as those of Prometheus' native histograms of schema 3:
 * every quantile is right within 4.5 %, two histograms add up exactly, and only the buckets that were hit are kept, so that a day
 * of them fits in memory and in a record of the store.
 *
 * Counts are exact. What is judged against a threshold of the runbook (within the requirement or not) is counted as such by the
 * recorder and never read from a bucket.
 */
export interface HistogramRecord {
  readonly count: number
  readonly sum: number
  /** Pairs of bucket index and count. */
  readonly buckets: readonly (readonly [number, number])[]
}

const bucketsPerDoubling = 8
/** Zero and below, and what is smaller than a microsecond, share the lowest bucket. */
const lowestIndex = -80

export class ExponentialHistogram {
  #count = 0
  #sum = 0
  readonly #buckets = new Map<number, number>()

  static from(record: HistogramRecord): ExponentialHistogram {
    const histogram = new ExponentialHistogram()
    histogram.#count = record.count
    histogram.#sum = record.sum
    for (const [index, count] of record.buckets) histogram.#buckets.set(index, count)
    return histogram
  }

  get count(): number {
    return this.#count
  }

  get sum(): number {
    return this.#sum
  }

  record(value: number): void {
    const index = bucketOf(value)
    this.#count += 1
    this.#sum += value
    this.#buckets.set(index, (this.#buckets.get(index) ?? 0) + 1)
  }

  add(other: ExponentialHistogram): void {
    this.#count += other.#count
    this.#sum += other.#sum
    for (const [index, count] of other.#buckets) this.#buckets.set(index, (this.#buckets.get(index) ?? 0) + count)
  }

  /** The value below which `share` of the samples lie, as the geometric middle of its bucket; null without samples. */
  quantile(share: number): number | null {
    if (this.#count === 0) return null
    const wanted = Math.max(1, Math.ceil(share * this.#count))
    let sum = 0
    for (const index of this.#indexes()) {
      sum += this.#buckets.get(index) ?? 0
      if (sum >= wanted) return index === lowestIndex ? 0 : 2 ** ((index - 0.5) / bucketsPerDoubling)
    }
    return null
  }

  /** Samples in the buckets that lie wholly at or below the limit. */
  countUpTo(limit: number): number {
    let sum = 0
    for (const [index, count] of this.#buckets) if (2 ** (index / bucketsPerDoubling) <= limit * 1.000001) sum += count
    return sum
  }

  toRecord(): HistogramRecord {
    return { count: this.#count, sum: this.#sum, buckets: this.#indexes().map((index) => [index, this.#buckets.get(index) ?? 0] as const) }
  }

  #indexes(): number[] {
    return [...this.#buckets.keys()].sort((a, b) => a - b)
  }
}

/** The index whose bucket is (2 ^ ((index - 1) / 8), 2 ^ (index / 8)]. */
function bucketOf(value: number): number {
  if (!(value > 0)) return lowestIndex
  return Math.max(lowestIndex, Math.ceil(Math.log2(value) * bucketsPerDoubling))
}
