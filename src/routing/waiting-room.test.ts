import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WaitingRoom, type Waiter } from './waiting-room.ts'

const waiter = (rank: number, untilMs: number): Waiter => ({ rank, untilMs })

describe('the waiting room', () => {
  it('serves the most urgent class first, and in it the earliest deadline', () => {
    const room = new WaitingRoom<Waiter>(10)
    const [low, late, early, emergency] = [waiter(3, 10), waiter(0, 900), waiter(0, 100), waiter(-1, 5_000)]
    for (const each of [low, late, early, emergency]) expect(room.enter(each, 0)).toEqual({ kind: 'waiting' })
    expect(room.entries).toEqual([emergency, early, late, low])
  })

  it('lets the humblest give way when it is full, and refuses who is humbler still', () => {
    const room = new WaitingRoom<Waiter>(2)
    const [medium, low] = [waiter(2, 100), waiter(3, 100)]
    room.enter(low, 0)
    room.enter(medium, 0)
    expect(room.enter(waiter(0, 100), 0)).toMatchObject({ kind: 'displaced', other: low })
    expect(room.enter(waiter(3, 100), 0)).toMatchObject({ kind: 'refused', retryAfterMs: 1_000 })
    expect(room.displace(1)).toBe(medium)
    expect(room.displace(1)).toBeNull()
  })

  it('refuses at once what would surely not be served in time at the rate of the last departures, but no emergency', () => {
    const room = new WaitingRoom<Waiter>(1_000)
    for (let departure = 0; departure < 20; departure += 1) room.departed(departure * 100)
    for (let count = 0; count < 50; count += 1) room.enter(waiter(0, 100_000), 2_000)
    expect(room.enter(waiter(1, 3_600), 2_000)).toMatchObject({ kind: 'refused', retryAfterMs: 5_000 })
    expect(room.enter(waiter(1, 3_700), 2_000)).toEqual({ kind: 'waiting' })
    expect(room.enter(waiter(-1, 2_001), 2_000)).toEqual({ kind: 'waiting' })
  })

  it('lets go whoever is not interested any more, and nobody else, also among equals', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ rank: fc.integer({ min: -1, max: 3 }), untilMs: fc.nat(5) }), { minLength: 1, maxLength: 40 }), fc.nat(), (entries, seed) => {
        const room = new WaitingRoom<Waiter>(100)
        for (const entry of entries) room.enter(entry, 0)
        const leaving = entries[seed % entries.length]
        if (leaving === undefined) return
        const others = room.entries.filter((each) => each !== leaving)
        expect(room.remove({ ...leaving })).toBe(false)
        expect(room.remove(leaving)).toBe(true)
        expect(room.entries).toEqual(others)
        expect(room.remove(leaving)).toBe(false)
      }),
    )
  })

  it('never holds more than its places, never refuses an emergency, and stays in order', () => {
    const entering = fc.record({ rank: fc.integer({ min: -1, max: 3 }), untilMs: fc.nat(1_000) })
    fc.assert(
      fc.property(fc.array(entering, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), (entries, places) => {
        const room = new WaitingRoom<Waiter>(places)
        for (const entry of entries) {
          const before = [...room.entries]
          const admission = room.enter(entry, 0)
          if (entry.rank < 0) expect(admission.kind).not.toBe('refused')
          if (admission.kind === 'displaced') expect(admission.other).toBe(before.at(-1))
          expect(room.size).toBeLessThanOrEqual(places)
          const ranks = room.entries.map(({ rank }) => rank)
          expect(ranks).toEqual([...ranks].sort((a, b) => a - b))
        }
      }),
    )
  })
})
