import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Tally } from './tally.ts'
import { keptForMs, TimeSlots } from './time-slots.ts'

const startMs = Date.UTC(2026, 0, 1)

describe('time slots', () => {
  it('hold exactly what a recount of the events holds, over any window that ends now', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 7_200_000 }), { maxLength: 150 }), fc.constantFrom(60_000, 300_000, 3_600_000, keptForMs), (offsets, windowMs) => {
        const sorted = [...offsets].sort((a, b) => a - b)
        const slots = new TimeSlots()
        for (const offset of sorted) slots.at(startMs + offset).count('events', {})
        const nowMs = startMs + (sorted.at(-1) ?? 0)
        const counted = slots.window(windowMs, nowMs).sum('events')
        // The window begins on a slot's border: it may hold up to one slot more, never less.
        const within = (grainMs: number): number => sorted.filter((offset) => startMs + offset > nowMs - windowMs - grainMs).length
        expect(counted).toBeGreaterThanOrEqual(within(0))
        expect(counted).toBeLessThanOrEqual(within(60_000))
      }),
    )
  })

  it('read the night: what happened 23 hours ago is there, what happened 25 hours ago is not', () => {
    const slots = new TimeSlots()
    const hour = 3_600_000
    slots.at(startMs).count('events', {})
    slots.at(startMs + 2 * hour).count('events', {})
    slots.at(startMs + 25 * hour).count('events', {})
    expect(slots.window(keptForMs, startMs + 25 * hour).sum('events')).toBe(2)
  })

  it('stay bounded over weeks of steady traffic', () => {
    const slots = new TimeSlots()
    for (let minute = 0; minute < 3 * 24 * 60; minute += 1) slots.at(startMs + minute * 60_000).count('events', {})
    expect(slots.size()).toBeLessThan(360 + 24 * 60 + 2)
  })

  it('take back the minutes that were written down before a restart', () => {
    const before = new TimeSlots()
    before.at(startMs).count('events', {}, 5)
    before.at(startMs + 10_000).count('events', {}, 2)
    before.at(startMs + 60_000).count('events', {}, 3)
    const after = new TimeSlots()
    for (const minuteMs of [startMs, startMs + 60_000]) after.addMinute(minuteMs, before.minute(minuteMs), startMs + 7_200_000)
    after.at(startMs + 7_200_000).count('events', {})
    expect(after.window(keptForMs, startMs + 7_200_000).sum('events')).toBe(11)
    expect(after.window(300_000, startMs + 7_200_000).sum('events')).toBe(1)
  })

  it('count a minute that comes late into an hour whose sum was already asked for', () => {
    const slots = new TimeSlots()
    const nowMs = startMs + 10 * 3_600_000
    slots.addMinute(startMs, oneEvent(), nowMs)
    expect(slots.window(keptForMs, nowMs).sum('events')).toBe(1)
    slots.addMinute(startMs + 60_000, oneEvent(), nowMs)
    expect(slots.window(keptForMs, nowMs).sum('events')).toBe(2)
  })

  it('drop what was written down more than a day ago', () => {
    const slots = new TimeSlots()
    slots.addMinute(startMs, oneEvent(), startMs + keptForMs)
    expect(slots.size()).toBe(0)
  })

  it('lose nothing when the wall clock jumps back', () => {
    const slots = new TimeSlots()
    slots.at(startMs + 60_000).count('events', {})
    slots.at(startMs).count('events', {})
    expect(slots.window(300_000, startMs + 60_000).sum('events')).toBe(2)
  })
})

function oneEvent(): Tally {
  const tally = new Tally()
  tally.count('events', {})
  return tally
}
