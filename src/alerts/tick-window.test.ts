import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { holds, isOver, isQuiet, isSilent, markOf, ticksOf, withMark, type TickWindow } from './tick-window.ts'

const window = (marks: string): TickWindow => ({ lastTick: marks.length, marks })

describe('a condition holds', () => {
  test.each([
    { marks: '11111', ticks: 4, is: true, why: 'there all the time' },
    { marks: '1111', ticks: 4, is: false, why: 'its time has not passed' },
    { marks: '01111', ticks: 4, is: false, why: 'it came a tick later: its time has not passed since' },
    { marks: '11011', ticks: 4, is: true, why: '4 of 5 are 80 %' },
    { marks: '10101', ticks: 4, is: false, why: '3 of 5 are 60 %' },
    { marks: '11110', ticks: 4, is: false, why: 'nobody is woken for what is not there now' },
    { marks: '1???1', ticks: 4, is: false, why: 'what is unknown is no evidence' },
    { marks: '11?11', ticks: 4, is: true, why: 'one unknown tick of five leaves 80 % of evidence' },
    { marks: '1', ticks: 0, is: true, why: 'a rule without a time fires at the first tick' },
    { marks: '0', ticks: 0, is: false, why: 'and only when it is there' },
    { marks: '0000011111', ticks: 4, is: true, why: 'what was before its time does not count' },
  ])('$marks over $ticks ticks: $is, because $why', ({ marks, ticks, is }) => {
    expect(holds(window(marks), ticks)).toBe(is)
  })
})

describe('a condition is over', () => {
  test.each([
    { marks: '100000', ticks: 4, is: true, why: 'away for the clearing time' },
    { marks: '10000', ticks: 4, is: false, why: 'it was there at the first of these ticks' },
    { marks: '00100', ticks: 4, is: false, why: 'it came back once: that is what hysteresis is for' },
    { marks: '00?00', ticks: 4, is: true, why: 'one unknown tick of five' },
    { marks: '0???0', ticks: 4, is: false, why: 'silence is no recovery' },
    { marks: '0000?', ticks: 4, is: false, why: 'unknown now' },
    { marks: '0', ticks: 0, is: true, why: 'without a clearing time at once' },
  ])('$marks over $ticks ticks: $is, because $why', ({ marks, ticks, is }) => {
    expect(isOver(window(marks), ticks)).toBe(is)
  })
})

describe('a window', () => {
  it('takes ticks that did not take place as unknown', () => {
    expect(withMark({ lastTick: 3, marks: '11' }, 6, '1', 10).marks).toBe('11??1')
  })
  it('replaces a tick that is repeated, and forgets everything after a gap longer than itself', () => {
    expect(withMark({ lastTick: 3, marks: '10' }, 3, '1', 10).marks).toBe('11')
    expect(withMark({ lastTick: 3, marks: '11' }, 20, '1', 10).marks).toBe('1')
    expect(withMark({ lastTick: 30, marks: '11' }, 20, '1', 10).marks).toBe('1')
  })
  it('is silent only when every tick of the time is unknown', () => {
    expect(isSilent(window('1????'), 3)).toBe(true)
    expect(isSilent(window('???'), 3)).toBe(false)
    expect(isSilent(window('??0?'), 3)).toBe(false)
  })
  it('never grows beyond what is kept', () => {
    let grown = window('')
    for (let tick = 1; tick < 500; tick += 1) grown = withMark(grown, tick, '1', 37)
    expect(grown.marks).toHaveLength(37)
  })
})

it('a fault fires when exactly its time has passed since the tick that saw it first, whatever was before', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom<boolean | null>(true, false, null), { maxLength: 40 }), fc.integer({ min: 1, max: 60 }), (before, ticks) => {
      let marks: TickWindow = { lastTick: 0, marks: '0' }
      let tick = 0
      const see = (there: boolean | null): void => {
        tick += 1
        marks = withMark(marks, tick, markOf(there), 1_000)
      }
      for (const there of before) see(there)
      for (let away = 0; away <= ticks; away += 1) see(false)
      for (let seen = 0; seen < ticks; seen += 1) {
        see(true)
        expect(holds(marks, ticks)).toBe(false)
      }
      see(true)
      expect(holds(marks, ticks)).toBe(true)
    }),
  )
})

it('below 80 % of its ticks a condition never fires, however long it flickers', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 40 }), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 60, maxLength: 120 }), (ticks, positions) => {
      // Every block of four has one tick without it: at most 75 % and a rest of one block.
      const marks = positions.map((away) => [0, 1, 2, 3].map((place) => (place === away ? '0' : '1')).join('')).join('')
      for (let end = ticks + 1; end <= marks.length; end += 1) {
        const part = marks.slice(end - ticks - 1, end)
        const share = part.replaceAll('0', '').length / part.length
        if (share < 0.8) expect(holds(window(marks.slice(0, end)), ticks)).toBe(false)
      }
    }),
  )
})

it('a time that is no multiple of the tick is rounded up', () => {
  expect(ticksOf(12_000, 5_000)).toBe(3)
  expect(ticksOf(0, 5_000)).toBe(0)
  expect(isQuiet(window('00??'))).toBe(true)
  expect(isQuiet(window('00?1'))).toBe(false)
})
