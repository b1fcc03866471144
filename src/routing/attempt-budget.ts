/**
 * A budget for extra attempts (rescues, hedges, retries), as a share of the operations: so many operations earn one extra
 * attempt, up to a store that covers a burst. In a calm system nothing is spent; when everything fails, the extra load stays
 * within the share however many callers there are, where retries per request would multiply an outage.
 *
 * Source: the design's "decisions that make it better than a retry loop"; the token bucket fed by requests is that of the
 * gRPC retry throttling proposal (A6) and of Finagle's retry budgets.
 */
/** Shares such as 0.1 do not add up to whole numbers in binary: a thousandth short of one attempt is not short. */
const enough = 0.999

export class AttemptBudget {
  readonly #share: number
  readonly #burst: number
  #tokens: number

  /**
   * @param share extra attempts per operation, 0 to 1; 0 forbids them
   * @param burst the most that is saved up, in attempts; also what a new process starts with
   */
  constructor(share: number, burst: number) {
    if (!(share >= 0 && share <= 1)) throw new RangeError(`share: ${share} is not in [0, 1]`)
    this.#share = share
    this.#burst = share === 0 ? 0 : burst
    this.#tokens = this.#burst
  }

  /** An operation was admitted. */
  earn(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + this.#share)
  }

  /** What is left of the most that is saved up, 0 to 1. */
  get left(): number {
    return this.#burst === 0 ? 0 : Math.max(0, this.#tokens / this.#burst)
  }

  /** Whether `spend` would succeed. @param kept how many must remain, for those who need them more */
  covers(kept: number = 0): boolean {
    return this.#tokens >= enough + Math.min(kept, this.#burst / 2)
  }

  /** True when the attempt may be made; it is then paid for. @param kept as for `covers` */
  spend(kept: number = 0): boolean {
    if (!this.covers(kept)) return false
    this.#tokens = Math.max(0, this.#tokens - 1)
    return true
  }

  /** An attempt that is made in any case is paid for, on credit if need be: of no more than is saved up at the most. */
  charge(): void {
    this.#tokens = Math.max(-this.#burst, this.#tokens - 1)
  }

  /** It was worth its price. */
  refund(tokens: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + tokens)
  }
}
