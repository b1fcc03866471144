import { describe, expect, it } from 'vitest'
import { runbookMatrix } from '../operation/matrix.ts'
import { quantile, Scoreboard, weightedShareOf, wilson, type Outcome } from './figures.ts'

const outcome: Outcome = { index: 0, type: 'emergency', answered: true, inTime: true, latencyMs: 10, attempts: 1, hedges: 0, servedMs: 8, wrong: false }

describe('a share', () => {
  it('has the interval that Wilson gives', () => {
    // Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I: 81 of 263 and 0 of 20.
    const known = wilson(81, 263)
    expect([known.low, known.high].map((value) => value.toFixed(4))).toEqual(['0.2553', '0.3662'])
    expect(wilson(0, 20).high.toFixed(4)).toBe('0.1611')
    expect(wilson(0, 20).low).toBe(0)
  })

  it('of nothing is unknown', () => {
    expect(wilson(0, 0)).toMatchObject({ low: 0, high: 1 })
  })
})

describe('a quantile', () => {
  it('is one of the values', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2)
    expect(quantile([1, 2, 3, 4], 0.99)).toBe(4)
    expect(quantile([], 0.5)).toBeNaN()
  })
})

describe('a scoreboard', () => {
  it('counts what was refused, and gives it no latency', () => {
    const board = new Scoreboard()
    board.add(outcome)
    board.add({ ...outcome, answered: false, inTime: false, latencyMs: null, attempts: 0, servedMs: 0 })
    const { all, byType } = board.figures()
    expect(all).toMatchObject({ operations: 2, answered: 1, p99Ms: 10, attemptsPerOperation: 0.5, usefulMs: 8 })
    expect(all.inTime.share).toBe(0.5)
    expect(Object.keys(byType)).toEqual(['emergency'])
  })

  it('counts as useful only what was in time', () => {
    const board = new Scoreboard()
    board.add({ ...outcome, inTime: false })
    expect(board.figures().all.usefulMs).toBe(0)
  })
})

it('a missed emergency weighs eight times a missed background task', () => {
  const board = (emergencies: number, tasks: number) => {
    const scores = new Scoreboard()
    for (let index = 0; index < emergencies; index += 1) scores.add(outcome)
    for (let index = 0; index < tasks; index += 1) scores.add({ ...outcome, type: 'background_task' })
    return scores.figures()
  }
  const possible = board(10, 10)
  expect(weightedShareOf(board(10, 0), possible, runbookMatrix)).toBeCloseTo(80 / 90)
  expect(weightedShareOf(board(0, 10), possible, runbookMatrix)).toBeCloseTo(10 / 90)
})
