/**
 * The last 24 hours of tallies, in slots: of ten seconds for the last hour, of one minute before. The morning check reads the
 * night, and an alert rule reads the last five minutes, from the same figures.
 *
 * Time is wall time, since slots outlive the process and are shared between instances. A clock that jumps back counts into
 * the slot it jumped to; one that jumps forward leaves a gap.
 */
import { Tally } from './tally.ts'

export const fineSlotMs = 10_000
export const coarseSlotMs = 60_000
const fineForMs = 3_600_000
export const keptForMs = 24 * 3_600_000

export class TimeSlots {
  /** By the start of the slot. */
  readonly #fine = new Map<number, Tally>()
  readonly #coarse = new Map<number, Tally>()

  /** The slot that `nowMs` falls into: what happens now is counted there. */
  at(nowMs: number): Tally {
    const startMs = Math.floor(nowMs / fineSlotMs) * fineSlotMs
    let tally = this.#fine.get(startMs)
    if (tally === undefined) {
      this.#age(nowMs)
      tally = new Tally()
      this.#fine.set(startMs, tally)
    }
    return tally
  }

  /** Everything that happened in the window that ends now, to the grain of the slots. */
  window(windowMs: number, nowMs: number): Tally {
    const sum = new Tally()
    const fromMs = nowMs - windowMs
    for (const [startMs, tally] of this.#fine) if (startMs + fineSlotMs > fromMs && startMs <= nowMs) sum.add(tally)
    for (const [startMs, tally] of this.#coarse) if (startMs + coarseSlotMs > fromMs && startMs <= nowMs) sum.add(tally)
    return sum
  }

  /** The fine slots that began at or after the instant, oldest first: what has to be written down since the last time. */
  since(fromMs: number): readonly { readonly startMs: number; readonly tally: Tally }[] {
    return [...this.#fine].filter(([startMs]) => startMs >= fromMs).map(([startMs, tally]) => ({ startMs, tally })).sort((a, b) => a.startMs - b.startMs)
  }

  /** Takes a slot back that was written down before a restart, or by another instance. */
  restore(startMs: number, tally: Tally, nowMs: number): void {
    if (startMs + keptForMs <= nowMs) return
    const [slots, slotMs] = startMs + fineForMs > nowMs ? [this.#fine, fineSlotMs] : [this.#coarse, coarseSlotMs]
    const start = Math.floor(startMs / slotMs) * slotMs
    const own = slots.get(start)
    if (own === undefined) slots.set(start, tally)
    else own.add(tally)
  }

  /** Slots held at the moment. */
  size(): number {
    return this.#fine.size + this.#coarse.size
  }

  #age(nowMs: number): void {
    for (const [startMs, tally] of this.#fine) {
      if (startMs + fineForMs > nowMs) continue
      this.#fine.delete(startMs)
      const coarseStart = Math.floor(startMs / coarseSlotMs) * coarseSlotMs
      const own = this.#coarse.get(coarseStart)
      if (own === undefined) this.#coarse.set(coarseStart, tally)
      else own.add(tally)
    }
    for (const startMs of this.#coarse.keys()) if (startMs + keptForMs <= nowMs) this.#coarse.delete(startMs)
  }
}
