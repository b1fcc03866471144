/**
 * Who waits until a target has room: a bounded queue in the order of priority class, then deadline. In overload it is what
 * decides who is answered: each place that becomes free goes to the most urgent, what comes too late is not even started, and
 * when it is full the humblest gives way.
 *
 * A newcomer who by the rate of the last departures would surely not be served in time is refused at once: an early no is worth more
 * to the caller than a late one. An emergency is never refused.
 *
 * Mutable, owned by one shell, told the time. Sources: house design ("Priority all the way"); earliest deadline first is
 * Liu and Layland (1973).
 */
export interface Waiter {
  /** 0 is the most urgent; an emergency is -1. */
  readonly rank: number
  /** The latest start that makes sense. Like the rank it stays the same while it waits. */
  readonly untilMs: number
}

export type RoomAdmission<Entry> =
  | { readonly kind: 'waiting' }
  /** It waits, and another one had to go. */
  | { readonly kind: 'displaced'; readonly other: Entry; readonly retryAfterMs: number }
  | { readonly kind: 'refused'; readonly retryAfterMs: number }

/** ms. What a refused caller is asked to wait at least and at most. */
const shortestRetryMs = 1_000
const longestRetryMs = 30_000
/** The weight of the newest interval between two departures. */
const smoothing = 0.03
/** Refused at once is who would have to wait this many times as long as it can: rates of departure are rough. */
const surelyLate = 3

const waiting = Object.freeze({ kind: 'waiting' as const })

export class WaitingRoom<Entry extends Waiter> {
  readonly #places: number
  readonly #entries: Entry[] = []
  #intervalMs = 0
  #departures = 0
  #lastDepartureAtMs = Number.NEGATIVE_INFINITY

  constructor(places: number) {
    this.#places = places
  }

  get size(): number {
    return this.#entries.length
  }

  /** In the order in which they are served. */
  get entries(): readonly Entry[] {
    return this.#entries
  }

  enter(entry: Entry, nowMs: number): RoomAdmission<Entry> {
    const position = this.#positionOf(entry)
    if (entry.rank >= 0 && this.#expectedWaitMs(position) > surelyLate * (entry.untilMs - nowMs)) return { kind: 'refused', retryAfterMs: this.retryAfterMs() }
    if (this.#entries.length < this.#places) {
      this.#entries.splice(position, 0, entry)
      return waiting
    }
    if (position >= this.#entries.length && entry.rank >= 0) return { kind: 'refused', retryAfterMs: this.retryAfterMs() }
    const other = this.#entries.pop()
    this.#entries.splice(position, 0, entry)
    return other === undefined ? waiting : { kind: 'displaced', other, retryAfterMs: this.retryAfterMs() }
  }

  /** One that waited was started. */
  departed(nowMs: number): void {
    const sinceMs = nowMs - this.#lastDepartureAtMs
    // A first departure after a quiet time says nothing about the rate.
    if (sinceMs <= longestRetryMs) {
      this.#departures += 1
      this.#intervalMs += Math.max(smoothing, 1 / this.#departures) * (sinceMs - this.#intervalMs)
    } else {
      this.#departures = 0
    }
    this.#lastDepartureAtMs = nowMs
  }

  /** It is not interested any more. */
  remove(entry: Entry): boolean {
    // Who came last among equals is found first: equals are few, and the line may be long.
    for (let index = this.#positionOf(entry) - 1; index >= 0; index -= 1) {
      const other = this.#entries[index]
      if (other === entry) {
        this.#entries.splice(index, 1)
        return true
      }
      if (other === undefined || other.rank !== entry.rank || other.untilMs !== entry.untilMs) return false
    }
    return false
  }

  /** The humblest, if it is humbler than `rank`; it is then no longer there. */
  displace(rank: number): Entry | null {
    const last = this.#entries.at(-1)
    if (last === undefined || last.rank <= rank) return null
    this.#entries.pop()
    return last
  }

  /** When whoever is refused now may come again: when those who wait are through. */
  retryAfterMs(): number {
    return Math.min(longestRetryMs, Math.max(shortestRetryMs, Math.round(this.#expectedWaitMs(this.#entries.length))))
  }

  #expectedWaitMs(ahead: number): number {
    // Some departures make a rate.
    return this.#departures < 8 ? 0 : ahead * this.#intervalMs
  }

  #positionOf(entry: Entry): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#entries[middle]
      if (other !== undefined && (other.rank < entry.rank || (other.rank === entry.rank && other.untilMs <= entry.untilMs))) low = middle + 1
      else high = middle
    }
    return low
  }
}
