import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createIsoTime } from './iso-time.ts'

describe('wall time as text', () => {
  it('is that of the calendar, whatever was asked before', () => {
    const isoTime = createIsoTime()
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4_102_444_800_000 })), fc.double({ min: 0, max: 0.999, noNaN: true }), (instants, fraction) => {
        for (const instant of [...instants, ...instants]) expect(isoTime(instant + fraction)).toBe(new Date(instant).toISOString())
      }),
    )
  })
})
