import { describe, expect, it } from 'vitest'
import { HindsightJudge, type JudgedOperation, type RouteEvidence } from './hindsight.ts'

const missed: JudgedOperation = { decidedAtMs: 100_000, basis: 'completion', requirementLeftMs: 5_000, met: false, tookMs: 8_000, size: 100, alternatives: ['mcp'], noRoom: false }

function judgeWith(evidence: readonly Partial<RouteEvidence>[]): HindsightJudge {
  const judge = new HindsightJudge()
  for (const each of evidence) judge.onAttempt({ startedAtMs: 100_000, route: 'mcp', basis: 'completion', size: 100, outcome: 'answered', tookMs: 1_000, ...each })
  return judge
}

const times = (count: number, each: Partial<RouteEvidence> = {}): Partial<RouteEvidence>[] => Array.from({ length: count }, () => each)

describe('hindsight', () => {
  it.each<[string, Partial<JudgedOperation>, readonly Partial<RouteEvidence>[], boolean | null]>([
    ['an operation that met its requirement was decided well, whatever else could have been', { met: true }, times(30, { tookMs: 1 }), true],
    ['an emergency has no other route to be compared with', { alternatives: [] }, times(30), true],
    ['shed for want of room on every route: what was let in is no evidence for what was not', { noRoom: true }, times(30), true],
    ['the alternative answered in time then: it was the better choice', {}, times(20), false],
    ['nineteen samples are not twenty', {}, times(19), null],
    ['samples of another minute say nothing', {}, times(30, { startedAtMs: 39_999 }), null],
    ['samples just within the minute count', {}, times(30, { startedAtMs: 40_000 }), false],
    ['traffic on the route that was chosen is not evidence for the other', {}, times(30, { route: 'direct' }), null],
    ['answers of quite another length are not comparable', {}, times(30, { size: 401 }), null],
    ['the alternative was as slow: nothing better was to be had', {}, times(30, { tookMs: 6_000 }), true],
    ['the alternative failed: nothing better was to be had', {}, times(30, { outcome: 'failed' }), true],
    ['given up after the requirement had passed: it would not have met it', {}, times(30, { outcome: 'given_up', tookMs: 5_001 }), true],
    ['cancelled early: it says nothing', {}, times(30, { outcome: 'given_up', tookMs: 100 }), null],
    ['half of the evidence is enough for "probably"', {}, [...times(10), ...times(10, { outcome: 'failed' })], false],
    ['less than half is not', {}, [...times(10), ...times(12, { outcome: 'failed' })], true],
  ])('%s', (_rationale, operation, evidence, optimal) => {
    expect(judgeWith(evidence).judge({ ...missed, ...operation }).optimal).toBe(optimal)
  })

  it('states the regret against the median of the alternative', () => {
    expect(judgeWith([...times(11, { tookMs: 1_000 }), ...times(10, { tookMs: 3_000 })]).judge(missed).regretMs).toBe(7_000)
  })

  it('forgets evidence beyond its bound, oldest first', () => {
    const judge = judgeWith([...times(4_096), ...times(4_096, { outcome: 'failed' })])
    expect(judge.judge(missed).optimal).toBe(true)
  })
})
