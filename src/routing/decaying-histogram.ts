/**
 * A histogram of positive numbers (latencies, time per token, answer lengths) in which old samples fade: what a target did
 * a minute ago tells more than what it did yesterday.
 *
 * Buckets grow by a constant ratio, so that every quantile is right within 2.5 % whatever its size, in a fixed number of
 * buckets. Fading is by forward decay (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay: a practical time decay
 * model for streaming systems", 2009): a new sample weighs more instead of every old one weighing less, so that recording
 * touches one bucket; the weights are scaled back long before they overflow.
 *
 * It is a mutable structure owned by one estimate, told the time of every sample; it reads no clock.
 */
const ratio = 1.05
const smallest = 0.1
const largest = 3_600_000
const logRatio = Math.log(ratio)
const bucketCount = Math.ceil(Math.log(largest / smallest) / logRatio) + 1
/** Far from the largest double, and far above any real weight. */
const rescaleAbove = 2 ** 200

export class DecayingHistogram {
  readonly #weights = new Float64Array(bucketCount)
  readonly #halfLifeMs: number
  #total = 0
  #landmarkMs = 0
  #lowest = bucketCount
  #highest = -1

  /** @param halfLifeMs after this time a sample counts half */
  constructor(halfLifeMs: number) {
    if (!(halfLifeMs > 0)) throw new RangeError(`halfLifeMs: ${halfLifeMs} is not above 0`)
    this.#halfLifeMs = halfLifeMs
  }

  record(value: number, nowMs: number, weight: number = 1): void {
    let growth = 2 ** ((nowMs - this.#landmarkMs) / this.#halfLifeMs)
    if (growth > rescaleAbove) {
      this.#rescale(growth, nowMs)
      growth = 1
    }
    const index = bucketOf(value)
    const grown = weight * growth
    this.#weights[index] = (this.#weights[index] ?? 0) + grown
    this.#total += grown
    if (index < this.#lowest) this.#lowest = index
    if (index > this.#highest) this.#highest = index
  }

  /** How many samples it is worth now: 20 fresh ones are 20, one half-life later 10. */
  weight(nowMs: number): number {
    return this.#total / 2 ** ((nowMs - this.#landmarkMs) / this.#halfLifeMs)
  }

  /** The value below which `share` of the weight lies; undefined while there is none. */
  quantile(share: number): number | undefined {
    if (this.#total === 0) return undefined
    const wanted = Math.min(1, Math.max(0, share)) * this.#total
    let sum = 0
    for (let index = this.#lowest; index <= this.#highest; index += 1) {
      sum += this.#weights[index] ?? 0
      if (sum >= wanted && sum > 0) return middleOf(index)
    }
    return middleOf(this.#highest)
  }

  /** Share of the weight that lies above `value`: 1 below every sample, 0 above them all; undefined while there is none. */
  shareAbove(value: number): number | undefined {
    if (this.#total === 0) return undefined
    const above = this.#weightAbove(value)
    return above / this.#total
  }

  /**
   * The quantile of what is still to come for something that has already taken `waited`: of the samples above `waited`, the
   * value below which `share` of them lie. Undefined when nothing ever took so long.
   */
  quantileBeyond(waited: number, share: number): number | undefined {
    const beyond = this.#weightAbove(waited)
    if (beyond <= this.#total * 1e-9) return undefined
    const wanted = (1 - Math.min(1, Math.max(0, share))) * beyond
    let above = 0
    for (let index = this.#highest; index >= this.#lowest; index -= 1) {
      above += this.#weights[index] ?? 0
      if (above >= wanted && above > 0) return Math.max(waited, middleOf(index))
    }
    return Math.max(waited, middleOf(this.#lowest))
  }

  clear(): void {
    this.#weights.fill(0)
    this.#total = 0
    this.#lowest = bucketCount
    this.#highest = -1
  }

  #weightAbove(value: number): number {
    if (this.#total === 0) return 0
    const position = (Math.log(Math.max(value, smallest) / smallest)) / logRatio
    const index = Math.min(bucketCount - 1, Math.floor(position))
    if (index < this.#lowest) return this.#total
    if (index > this.#highest) return 0
    let above = 0
    for (let bucket = this.#highest; bucket > index; bucket -= 1) above += this.#weights[bucket] ?? 0
    // Inside the bucket itself the samples are taken to lie evenly.
    return above + (this.#weights[index] ?? 0) * Math.min(1, Math.max(0, 1 - (position - index)))
  }

  #rescale(growth: number, nowMs: number): void {
    let total = 0
    this.#lowest = bucketCount
    this.#highest = -1
    for (let index = 0; index < bucketCount; index += 1) {
      const scaled = (this.#weights[index] ?? 0) / growth
      this.#weights[index] = scaled
      if (scaled === 0) continue
      total += scaled
      if (index < this.#lowest) this.#lowest = index
      this.#highest = index
    }
    this.#total = total
    this.#landmarkMs = nowMs
  }
}

function bucketOf(value: number): number {
  if (!(value > smallest)) return 0
  return Math.min(bucketCount - 1, Math.floor(Math.log(value / smallest) / logRatio))
}

/** The geometric middle: the value that is off by the same factor from both ends of the bucket. */
function middleOf(index: number): number {
  return smallest * ratio ** (index + 0.5)
}
