import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rankOf, type HealthLevel, type KnownLevel } from './health-level.ts'
import { observe, runbookHysteresis, startingState, type LevelState } from './hysteresis.ts'

const short: Readonly<Record<string, KnownLevel>> = { h: 'healthy', d: 'degraded', u: 'unhealthy', c: 'critical' }

function after(observations: string, from: HealthLevel = 'healthy'): LevelState {
  const start: LevelState = { level: from, sinceMs: 0, row: [] }
  return Array.from(observations).reduce((state, letter, index) => observe(state, short[letter] ?? 'healthy', index + 1, runbookHysteresis), start)
}

describe('a level', () => {
  it.each([
    { from: 'healthy', seen: 'cc', ends: 'healthy', why: 'two bad observations are not three' },
    { from: 'healthy', seen: 'ccc', ends: 'critical', why: 'three in a row are' },
    { from: 'healthy', seen: 'cchcchcc', ends: 'healthy', why: 'a good one in between starts the row anew: a flapping target keeps its level' },
    { from: 'healthy', seen: 'cdc', ends: 'degraded', why: 'what all three agree on is the mildest' },
    { from: 'critical', seen: 'hhhh', ends: 'critical', why: 'four good observations are not five' },
    { from: 'critical', seen: 'hhhhh', ends: 'healthy', why: 'five in a row are' },
    { from: 'critical', seen: 'hhdhh', ends: 'degraded', why: 'it recovers as far as all five say' },
    { from: 'critical', seen: 'hhhhchhhh', ends: 'critical', why: 'a relapse starts the row anew' },
    { from: 'degraded', seen: 'ccc', ends: 'critical', why: 'bad is relative to the level' },
    { from: 'degraded', seen: 'hchchchchc', ends: 'degraded', why: 'good and bad by turns change nothing' },
    { from: 'unknown', seen: 'h', ends: 'healthy', why: 'the first good observation is all there is to know' },
    { from: 'unknown', seen: 'cc', ends: 'unknown', why: 'what starts a moment after us is not down' },
    { from: 'unknown', seen: 'ccc', ends: 'critical', why: 'but three bad ones are a state' },
    { from: 'unknown', seen: 'cch', ends: 'healthy', why: 'it came up while we looked' },
  ] as const)('from $from after $seen is $ends: $why', ({ from, seen, ends }) => {
    expect(after(seen, from).level).toBe(ends)
  })

  it('keeps the instant of its last change', () => {
    expect(after('hhcccc').sinceMs).toBe(5)
    expect(after('cchh').sinceMs).toBe(0)
  })

  it('never changes on fewer observations than the settings ask for, and always moves towards what was seen', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('h', 'd', 'u', 'c'), { maxLength: 60 }), (letters) => {
        let state = observe(startingState(0), 'healthy', 0, runbookHysteresis)
        let sinceChange: KnownLevel[] = []
        for (const [index, letter] of letters.entries()) {
          const seen = short[letter] ?? 'healthy'
          const before = state.level === 'unknown' ? 'healthy' : state.level
          state = observe(state, seen, index + 1, runbookHysteresis)
          sinceChange.push(seen)
          if (state.level === before || state.level === 'unknown') continue
          const worse = rankOf(state.level) > rankOf(before)
          const row = sinceChange.slice(worse ? -3 : -5)
          expect(row.length).toBe(worse ? 3 : 5)
          for (const one of row) expect(worse ? rankOf(one) > rankOf(before) : rankOf(one) < rankOf(before)).toBe(true)
          sinceChange = []
        }
      }),
    )
  })
})
