import { describe, expect, it } from 'vitest'
import { runbookMatrix } from '../operation/matrix.ts'
import { Scoreboard, type RunFigures } from './figures.ts'
import { checkGoals, goalText } from './goals.ts'
import type { HindsightFigures } from './hindsight-truth.ts'
import { incidentRun, type IncidentReport } from './incident-report.ts'
import { scenarioNamed } from './scenarios.ts'

/** Two hundred operations, all in time; so many of a hundred with a second attempt. */
function figures(p99Ms: number, extraOfHundred = 0): RunFigures {
  const board = new Scoreboard()
  for (let index = 0; index < 200; index += 1) {
    board.add({ index, type: 'infrastructure', answered: true, inTime: true, latencyMs: index < 190 ? 10 : p99Ms, attempts: index % 100 < extraOfHundred ? 2 : 1, hedges: 0, servedMs: 8, wrong: false })
  }
  return board.figures()
}

const truth: HindsightFigures = { decisions: 200, judged: 120, optimal: 120, agreed: 114, missed: 0, missedJudged: 0, missedAgreed: 0 }

function report(name: string, run: RunFigures, hindsight: HindsightFigures | null = null, unhedged?: RunFigures): IncidentReport {
  const scenario = scenarioNamed(name)
  if (scenario === undefined) throw new Error(`no ${name}`)
  const extra = { trips: 0, shed: 0, lost: 0, hindsight }
  const common = { scenario: name, title: scenario.title, seed: 4, scale: 10, durationMs: 1_000, oracle: figures(10) }
  return { ...common, runs: [incidentRun('service', scenario, runbookMatrix, run, common.oracle, extra)], ...(unhedged === undefined ? {} : { unhedged }) }
}

function missed(given: IncidentReport): readonly string[] {
  return checkGoals([given]).flatMap(({ goal, reached }) => (reached ? [] : [goal]))
}

describe('the goals that only a simulation can judge', () => {
  it.each([
    { why: 'half of the tail is cut', given: report('slow-tail', figures(500, 6), null, figures(1_000)), expected: [] },
    { why: 'less than half is', given: report('slow-tail', figures(501, 6), null, figures(1_000)), expected: ['slow-tail: p99 at most half of that without hedging'] },
    { why: 'it costs too much', given: report('slow-tail', figures(500, 7), null, figures(1_000)), expected: ['slow-tail: at most 6 % extra attempts'] },
    { why: 'extra attempts elsewhere have their own goal', given: report('hang', figures(500, 7)), expected: [] },
    { why: 'nobody looked without hedging, as in a drill', given: report('slow-tail', figures(900)), expected: [] },
    { why: 'enough is judged, and rightly', given: report('hang', figures(10), truth), expected: [] },
    { why: 'too little is judged', given: report('hang', figures(10), { ...truth, judged: 119 }), expected: ['hang: hindsight judges 60 % of the decisions'] },
    { why: 'too little of it rightly', given: report('hang', figures(10), { ...truth, agreed: 113 }), expected: ['hang: 95 % of its verdicts are true'] },
    { why: 'a drill does not know the truth', given: report('hang', figures(10), null), expected: [] },
  ])('$why: $expected', ({ given, expected }) => {
    expect(missed(given)).toEqual(expected)
  })

  it('are told with the figure that missed them', () => {
    expect(goalText([report('slow-tail', figures(501), null, figures(1_000))])).toContain('slow-tail: p99 at most half of that without hedging: 501 ms, without 1000 ms')
    expect(goalText([report('hang', figures(10))])).toMatch(/All \d+ goals are reached/)
  })
})
