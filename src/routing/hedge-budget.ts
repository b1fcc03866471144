/**
 * What hedges may cost. Two limits, both kept:
 *
 *   load   a hard share of the operations, with a small store for bursts. Rescues are taken off it, though they never wait
 *          for it: together they are the extra load, and hedges are what can be done without.
 *   trust  a small share, of which a hedge that wins gives back what it cost and a little more. Where one answer in twenty is
 *          slow nearly all hedges win, and load is the limit; in a calm system they lose, because everybody waited in the same
 *          queue, and they stop long before they are a load.
 *
 * Told what happened; no clock. Source: house design, "Hedging with a budget. A calm system hedges under 1 %".
 */
import { AttemptBudget } from './attempt-budget.ts'

/** Hedges that are saved up: the attempts that are under way on a target which begins to hang. */
const loadBurst = 12
/** Hedges per operation that may all lose, and how many may before anything is known: both well below 1 % of a thousand. */
const trustShare = 0.003
const trustBurst = 3
/** What a hedge that wins gives back: where two of three win, trust does not limit them. */
const refund = 1.5
/** With no trust left a hedge waits for half as long again. */
const leastTrusted = 0.5

export class HedgeBudget {
  readonly #load: AttemptBudget
  readonly #trust: AttemptBudget

  /** @param share hedges per operation at the most, 0 to 1; 0 forbids them */
  constructor(share: number) {
    this.#load = new AttemptBudget(share, loadBurst)
    this.#trust = new AttemptBudget(Math.min(share, trustShare), trustBurst)
  }

  /** An operation was admitted. */
  earn(): void {
    this.#load.earn()
    this.#trust.earn()
  }

  /** How many times as long as usual a hedge waits: the less is left, the surer it must be. */
  get patience(): number {
    return 1 + leastTrusted * (1 - this.#trust.left)
  }

  /** True when the hedge may be started; it is then paid for. */
  spend(): boolean {
    if (!this.#trust.covers() || !this.#load.spend()) return false
    return this.#trust.spend()
  }

  /** A rescue was started. */
  onRescue(): void {
    this.#load.charge()
  }

  /** @param won it answered first */
  onEnded(won: boolean): void {
    if (won) this.#trust.refund(refund)
  }
}
