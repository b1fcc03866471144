/**
 * What other instances, and earlier lives of this one, counted: read from their records, minute by minute.
 *
 * A minute may be read several times while its instance still counts into it; the last reading stands. Once it is old
 * enough to be read no more it is settled: added to the day's slots, where it costs no more than our own minutes. An
 * instance that could not write for longer than that and writes late is not seen by those that run already.
 */
import type { Rollup } from './rollup-record.ts'
import type { Tally } from './tally.ts'
import { coarseSlotMs, TimeSlots } from './time-slots.ts'

/** Minutes of other instances that are not settled: a fleet of a thousand instances for five minutes. */
const mostRecent = 5_000

export class OtherInstances {
  readonly #settled = new TimeSlots()
  /** By instance and minute. */
  readonly #recent = new Map<string, Rollup>()
  #leftOut = 0

  /** Rollups that there was no room for. */
  get leftOut(): number {
    return this.#leftOut
  }

  take(rollup: Rollup): void {
    const key = `${rollup.startMs}/${rollup.instance}`
    if (this.#recent.size >= mostRecent && !this.#recent.has(key)) this.#leftOut += 1
    else this.#recent.set(key, rollup)
  }

  /** Minutes that began before the instant are not read again. */
  settle(beforeMs: number, nowMs: number): void {
    for (const [key, rollup] of this.#recent) {
      if (rollup.startMs >= beforeMs) continue
      this.#recent.delete(key)
      this.#settled.addMinute(rollup.startMs, rollup.tally, nowMs)
    }
    this.#settled.forget(nowMs)
  }

  addWindow(sum: Tally, windowMs: number, nowMs: number): void {
    this.#settled.addWindow(sum, windowMs, nowMs)
    const fromMs = nowMs - windowMs
    for (const { startMs, tally } of this.#recent.values()) if (startMs + coarseSlotMs > fromMs && startMs <= nowMs) sum.add(tally)
  }

  /** Other instances that wrote something in the last minutes. */
  instances(): readonly string[] {
    return [...new Set([...this.#recent.values()].map((rollup) => rollup.instance))].sort()
  }
}
