import { describe, expect, it } from 'vitest'
import { Tally } from './tally.ts'

describe('a tally', () => {
  it('sums the series whose labels include what is asked, and no other', () => {
    const tally = new Tally()
    tally.count('attempts', { route: 'direct', target: 'a', outcome: 'succeeded' }, 3)
    tally.count('attempts', { route: 'direct', target: 'ab', outcome: 'failed' })
    tally.count('attempts_other', { route: 'direct', target: 'a', outcome: 'succeeded' }, 100)
    expect(tally.sum('attempts')).toBe(4)
    expect(tally.sum('attempts', { target: 'a' })).toBe(3)
    expect(tally.sum('attempts', { outcome: 'failed', route: 'direct' })).toBe(1)
    expect(tally.sum('attempts', { route: 'mcp' })).toBe(0)
  })

  it('survives being written down and read back', () => {
    const tally = new Tally()
    tally.count('operations', { operation: 'emergency' }, 2)
    tally.observe('operation_latency', { route: 'direct' }, 120)
    const restored = Tally.from(JSON.parse(JSON.stringify(tally.toRecord())))
    restored.add(tally)
    expect(restored.sum('operations')).toBe(4)
    expect(restored.distribution('operation_latency').count).toBe(2)
  })

  it.each([[null], [[]], ['x'], [{ counters: 7 }], [{ histograms: { a: { count: 'x' } } }], [{ counters: { a: 'NaN' } }]])('reads nothing out of a record that is none of its own: %j', (record) => {
    expect([...Tally.from(record).counters()]).toEqual([])
  })

  it('counts beyond its bound of series in one overflow series instead of growing', () => {
    const tally = new Tally()
    for (let index = 0; index < 5_000; index += 1) tally.count('attempts', { target: String(index) })
    expect([...tally.counters()].length).toBe(2_001)
    expect(tally.sum('overflow')).toBe(3_000)
  })
})
