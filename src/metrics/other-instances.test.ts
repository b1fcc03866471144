import { describe, expect, it } from 'vitest'
import { OtherInstances } from './other-instances.ts'
import { readRollup, rollupKey, rollupKeyFrom } from './rollup-record.ts'
import { Tally } from './tally.ts'
import { keptForMs } from './time-slots.ts'

const nowMs = Date.UTC(2026, 0, 1, 8)

function counted(operations: number): Tally {
  const tally = new Tally()
  tally.count('operations', {}, operations)
  return tally
}

function sum(others: OtherInstances, atMs = nowMs): number {
  const tally = new Tally()
  others.addWindow(tally, keptForMs, atMs)
  return tally.sum('operations')
}

describe('other instances', () => {
  it('that write a minute again replace what they wrote of it', () => {
    const others = new OtherInstances()
    others.take({ startMs: nowMs, instance: 'a', tally: counted(3) })
    others.take({ startMs: nowMs, instance: 'a', tally: counted(5) })
    others.take({ startMs: nowMs, instance: 'b', tally: counted(1) })
    expect(sum(others)).toBe(6)
    others.settle(nowMs + 60_000, nowMs + 60_000)
    expect(sum(others, nowMs + 60_000)).toBe(6)
  })

  it('beyond the bound are left out and counted', () => {
    const others = new OtherInstances()
    for (let index = 0; index < 5_010; index += 1) others.take({ startMs: nowMs, instance: String(index), tally: counted(1) })
    expect([sum(others), others.leftOut]).toEqual([5_000, 10])
  })
})

describe('a record of a minute', () => {
  const record = (key: string): Parameters<typeof readRollup>[0] => ({ key, value: counted(2).toRecord(), version: 1, expiresAtMs: null })

  it('is read back from its key and value, and sorts by time', () => {
    expect(readRollup(record(rollupKey(nowMs, 'a/b')))).toMatchObject({ startMs: nowMs, instance: 'a/b' })
    expect([rollupKey(nowMs, 'z'), rollupKey(9, 'a'), rollupKey(nowMs + 60_000, 'a')].sort()).toEqual([rollupKey(9, 'a'), rollupKey(nowMs, 'z'), rollupKey(nowMs + 60_000, 'a')])
    expect(rollupKeyFrom(nowMs) < rollupKey(nowMs, 'a')).toBe(true)
  })

  it.each(['', 'x', '12/a', '1767254400000', '1767254400000/', 'abcdefghijklm/a'])('under the key %j is none of ours', (key) => {
    expect(readRollup(record(key))).toBeNull()
  })
})
