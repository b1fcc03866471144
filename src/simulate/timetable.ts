/**
 * How many slots of a place are taken at which time, to the instant: an attempt may begin where another has just ended, and
 * never are more taken than there are. The oracle books its attempts here, in any order of their times.
 *
 * The beginnings and ends are kept in drawers of equal width, each sorted, with the number of slots that are taken when the
 * drawer opens: a look at one attempt's time opens a few drawers, however long the run is. Pure.
 */

interface Edge {
  readonly atMs: number
  /** +1 where an attempt begins, -1 where it ends. */
  readonly change: 1 | -1
}

export class Timetable {
  readonly #slots: number
  readonly #drawerMs: number
  readonly #drawers: Edge[][] = []
  /** Taken when the drawer opens. */
  readonly #opening: number[] = []

  /** @param drawerMs about as long as an attempt takes; any other width is as right, and slower */
  constructor(slots: number, drawerMs: number) {
    this.#slots = slots
    this.#drawerMs = drawerMs
  }

  /** The first instant from `fromMs` to `latestMs` at which a slot is free for so long; null for none. */
  firstFree(fromMs: number, latestMs: number, durationMs: number): number | null {
    let beginsAtMs = fromMs
    while (beginsAtMs <= latestMs) {
      const fullUntilMs = this.#lastFullBefore(beginsAtMs, beginsAtMs + durationMs)
      if (fullUntilMs === null) return beginsAtMs
      // Whatever begins before that instant meets the same full time.
      beginsAtMs = fullUntilMs
    }
    return null
  }

  take(fromMs: number, untilMs: number): void {
    const first = this.#drawerOf(fromMs)
    const last = this.#drawerOf(untilMs)
    for (let drawer = this.#drawers.length; drawer <= last; drawer += 1) {
      this.#drawers.push([])
      // What was booked before has ended before a drawer that nobody had opened.
      this.#opening.push(0)
    }
    this.#insert(first, { atMs: fromMs, change: 1 })
    this.#insert(last, { atMs: untilMs, change: -1 })
    for (let drawer = first + 1; drawer <= last; drawer += 1) this.#opening[drawer] = (this.#opening[drawer] ?? 0) + 1
  }

  /** The end of the last time within the span in which all slots are taken; null where one is free throughout. */
  #lastFullBefore(fromMs: number, untilMs: number): number | null {
    const last = Math.min(this.#drawerOf(untilMs), this.#drawers.length - 1)
    let fullUntilMs: number | null = null
    for (let drawer = this.#drawerOf(fromMs); drawer <= last; drawer += 1) {
      const edges = this.#drawers[drawer] ?? []
      let taken = this.#opening[drawer] ?? 0
      let sinceMs = drawer * this.#drawerMs
      for (let index = 0; index <= edges.length; index += 1) {
        const edge = edges[index]
        const atMs = edge?.atMs ?? (drawer + 1) * this.#drawerMs
        if (taken >= this.#slots && sinceMs < untilMs && atMs > fromMs && atMs > sinceMs) fullUntilMs = atMs
        if (edge === undefined) break
        taken += edge.change
        sinceMs = atMs
      }
    }
    return fullUntilMs
  }

  #insert(drawer: number, edge: Edge): void {
    const edges = this.#drawers[drawer] ?? []
    let index = edges.length
    while (index > 0 && goesAfter(edges[index - 1], edge)) index -= 1
    edges.splice(index, 0, edge)
  }

  #drawerOf(atMs: number): number {
    return Math.floor(atMs / this.#drawerMs)
  }
}

/** At one instant ends go before beginnings: a slot that is given back can be taken. */
function goesAfter(known: Edge | undefined, edge: Edge): boolean {
  if (known === undefined) return false
  return known.atMs > edge.atMs || (known.atMs === edge.atMs && known.change > edge.change)
}
