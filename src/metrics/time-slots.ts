/**
 * The last 24 hours of tallies, in slots: of ten seconds for the last hour, of one minute before. The morning check reads the
 * night, and an alert rule reads the last five minutes, from the same figures.
 *
 * Time is wall time, since slots outlive the process and are shared between instances. A clock that jumps back counts into
 * the slot it jumped to; one that jumps forward leaves a gap. A window begins on a slot's border: it may hold up to one slot
 * more than asked for, never less.
 *
 * The sum of a whole hour of minutes is kept once it was asked for, so that a view of the day adds some hundred tallies and
 * not some thousand.
 */
import { Tally } from './tally.ts'

export const fineSlotMs = 10_000
export const coarseSlotMs = 60_000
const hourMs = 3_600_000
const fineForMs = hourMs
export const keptForMs = 24 * hourMs

export class TimeSlots {
  /** By the start of the slot. */
  readonly #fine = new Map<number, Tally>()
  readonly #coarse = new Map<number, Tally>()
  /** Sums of what `#coarse` holds of an hour; dropped when one of its minutes changes. */
  readonly #hours = new Map<number, Tally>()

  /** The slot that `nowMs` falls into: what happens now is counted there. */
  at(nowMs: number): Tally {
    const startMs = startOf(nowMs, fineSlotMs)
    let tally = this.#fine.get(startMs)
    if (tally === undefined) {
      this.forget(nowMs)
      tally = new Tally()
      this.#fine.set(startMs, tally)
    }
    return tally
  }

  /** Takes a minute that was written down before a restart, or by another instance. */
  addMinute(atMs: number, tally: Tally, nowMs: number): void {
    if (atMs + keptForMs <= nowMs) return
    this.#intoMinute(startOf(atMs, coarseSlotMs), tally)
  }

  /** Everything of the minute that begins then: what is written down of it. */
  minute(startMs: number): Tally {
    const sum = new Tally()
    const coarse = this.#coarse.get(startMs)
    if (coarse !== undefined) sum.add(coarse)
    for (let slotMs = startMs; slotMs < startMs + coarseSlotMs; slotMs += fineSlotMs) {
      const fine = this.#fine.get(slotMs)
      if (fine !== undefined) sum.add(fine)
    }
    return sum
  }

  /** Adds what happened in the window that ends now, to the grain of the slots. */
  addWindow(sum: Tally, windowMs: number, nowMs: number): void {
    const fromMs = nowMs - windowMs
    for (const [startMs, tally] of this.#fine) if (startMs + fineSlotMs > fromMs && startMs <= nowMs) sum.add(tally)
    const firstWholeHourMs = startOf(fromMs + hourMs - 1, hourMs)
    const endOfWholeHoursMs = startOf(nowMs, hourMs)
    for (const [startMs, tally] of this.#coarse) {
      if (startMs >= firstWholeHourMs && startMs < endOfWholeHoursMs) continue
      if (startMs + coarseSlotMs > fromMs && startMs <= nowMs) sum.add(tally)
    }
    for (let startMs = firstWholeHourMs; startMs < endOfWholeHoursMs; startMs += hourMs) sum.add(this.#hour(startMs))
  }

  window(windowMs: number, nowMs: number): Tally {
    const sum = new Tally()
    this.addWindow(sum, windowMs, nowMs)
    return sum
  }

  /** Slots held at the moment. */
  size(): number {
    return this.#fine.size + this.#coarse.size
  }

  /** Moves what is older than an hour into minutes, and drops what is older than a day. */
  forget(nowMs: number): void {
    for (const [startMs, tally] of this.#fine) {
      if (startMs + fineForMs > nowMs) continue
      this.#fine.delete(startMs)
      this.#intoMinute(startOf(startMs, coarseSlotMs), tally)
    }
    for (const startMs of this.#coarse.keys()) if (startMs + keptForMs <= nowMs) this.#coarse.delete(startMs)
    for (const startMs of this.#hours.keys()) if (startMs + keptForMs <= nowMs) this.#hours.delete(startMs)
  }

  #intoMinute(startMs: number, tally: Tally): void {
    const own = this.#coarse.get(startMs)
    if (own === undefined) this.#coarse.set(startMs, copyOf(tally))
    else own.add(tally)
    this.#hours.delete(startOf(startMs, hourMs))
  }

  #hour(startMs: number): Tally {
    const known = this.#hours.get(startMs)
    if (known !== undefined) return known
    const sum = new Tally()
    for (let minuteMs = startMs; minuteMs < startMs + hourMs; minuteMs += coarseSlotMs) {
      const minute = this.#coarse.get(minuteMs)
      if (minute !== undefined) sum.add(minute)
    }
    this.#hours.set(startMs, sum)
    return sum
  }
}

function startOf(atMs: number, slotMs: number): number {
  return Math.floor(atMs / slotMs) * slotMs
}

function copyOf(tally: Tally): Tally {
  const copy = new Tally()
  copy.add(tally)
  return copy
}
