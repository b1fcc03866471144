import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Timetable } from './timetable.ts'

interface Booking {
  readonly fromMs: number
  readonly untilMs: number
}

/** The most that are under way at once, counted at every beginning. */
function mostAtOnce(bookings: readonly Booking[]): number {
  return Math.max(0, ...bookings.map(({ fromMs }) => bookings.filter((other) => other.fromMs <= fromMs && fromMs < other.untilMs).length))
}

describe('a timetable of slots', () => {
  it.each([
    { booked: [], from: 5, free: 5, why: 'nothing is booked' },
    { booked: [[0, 10]], from: 5, free: 10, why: 'a slot is free at the instant at which it is given back' },
    { booked: [[7, 10]], from: 5, free: 10, why: 'what begins before would run into it' },
    { booked: [[8, 10]], from: 5, free: 5, why: 'it is over just when the other begins' },
    { booked: [[0, 4], [6, 9]], from: 3, free: 9, why: 'the gap of two is too short for three' },
    { booked: [[0, 4], [7, 9]], from: 3, free: 4, why: 'the gap of three is just long enough' },
    { booked: [[0, 95]], from: 30, free: null, why: 'it would begin after the latest instant' },
  ] as const)('finds $free from $from on, since $why', ({ booked, from, free }) => {
    for (const drawerMs of [1, 4, 1_000]) {
      const table = new Timetable(1, drawerMs)
      for (const [fromMs, untilMs] of booked) table.take(fromMs, untilMs)
      expect(table.firstFree(from, 60, 3), `drawers of ${drawerMs} ms`).toBe(free)
    }
  })

  it('never gives out more slots than there are, and none is left free for which somebody waits', () => {
    const wish = fc.record({ fromMs: fc.double({ min: 0, max: 100, noNaN: true }), tookMs: fc.double({ min: 0.1, max: 20, noNaN: true }), patienceMs: fc.double({ min: 0, max: 30, noNaN: true }) })
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), fc.constantFrom(3, 10, 1_000), (wishes, slots, drawerMs) => {
        const table = new Timetable(slots, drawerMs)
        const bookings: Booking[] = []
        for (const { fromMs, tookMs, patienceMs } of wishes) {
          const beginsAtMs = table.firstFree(fromMs, fromMs + patienceMs, tookMs)
          // A slot becomes free at an end and at no other instant.
          const instants = [fromMs, ...bookings.map(({ untilMs }) => untilMs)].filter((atMs) => atMs >= fromMs && atMs <= fromMs + patienceMs)
          const possible = instants.filter((atMs) => mostAtOnce([...bookings.filter((each) => each.fromMs < atMs + tookMs && each.untilMs > atMs), { fromMs: atMs, untilMs: atMs + tookMs }].map(within(atMs, atMs + tookMs))) <= slots)
          expect(beginsAtMs).toBe(possible.length === 0 ? null : Math.min(...possible))
          if (beginsAtMs === null) continue
          table.take(beginsAtMs, beginsAtMs + tookMs)
          bookings.push({ fromMs: beginsAtMs, untilMs: beginsAtMs + tookMs })
          expect(mostAtOnce(bookings)).toBeLessThanOrEqual(slots)
        }
      }),
    )
  })
})

/** What lies outside of the span does not matter for it. */
function within(fromMs: number, untilMs: number): (booking: Booking) => Booking {
  return (booking) => ({ fromMs: Math.max(fromMs, booking.fromMs), untilMs: Math.min(untilMs, booking.untilMs) })
}
