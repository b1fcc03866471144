import { describe, expect, it } from 'vitest'
import { operationTypes, runbookMatrix } from '../operation/matrix.ts'
import { Scoreboard, type RunFigures } from '../simulate/figures.ts'
import { checkGoals } from '../simulate/goals.ts'
import { incidentRun, type IncidentReport } from '../simulate/incident-report.ts'
import { scenarioNamed } from '../simulate/scenarios.ts'
import { drillReport } from './markdown-report.ts'

/** A hundred operations of each type, of which so many are in time. */
function figures(inTime: number, attempts = 1): RunFigures {
  const board = new Scoreboard()
  for (const type of operationTypes) {
    for (let index = 0; index < 100; index += 1) board.add({ index, type, answered: index < inTime, inTime: index < inTime, latencyMs: index < inTime ? 10 : 1_000, attempts, hedges: 0, servedMs: 8, wrong: false })
  }
  return board.figures()
}

function report(name: string, ours: RunFigures, theirs: RunFigures): IncidentReport {
  const scenario = scenarioNamed(name)!
  const oracle = figures(100)
  const extra = { trips: 0, shed: 0, lost: 0, hindsight: null }
  return {
    scenario: name,
    title: scenario.title,
    seed: 4,
    scale: 10,
    durationMs: 1_000,
    oracle,
    runs: [incidentRun('service', scenario, runbookMatrix, ours, oracle, extra), incidentRun('peers', scenario, runbookMatrix, theirs, oracle, null)],
  }
}

describe('the goals', () => {
  it('are all reached by who answers everything', () => {
    expect(checkGoals([report('calm', figures(100), figures(100)), report('hang', figures(100), figures(70))]).filter(({ reached }) => !reached)).toEqual([])
  })

  it.each([
    { why: 'too little of the oracle', ours: figures(96), theirs: figures(70), goal: 'hang: 97 % of the oracle' },
    { why: 'an emergency in fifty', ours: figures(98), theirs: figures(70), goal: 'hang: 99 % of the emergencies that the oracle answers' },
    { why: 'too many attempts', ours: figures(100, 2), theirs: figures(70), goal: 'hang: at most 1.35 attempts per operation' },
    { why: 'clearly below the peers', ours: figures(60), theirs: figures(90), goal: 'hang: not below the peers’ policy' },
  ])('are missed for $why', ({ ours, theirs, goal }) => {
    expect(checkGoals([report('hang', ours, theirs)]).find((check) => check.goal === goal)).toMatchObject({ reached: false })
  })

  it('name half of the peers’ misses over all incidents', () => {
    const checks = checkGoals([report('slow', figures(80), figures(70)), report('hang', figures(80), figures(70))])
    expect(checks.find(({ goal }) => goal.includes('half of the misses'))).toMatchObject({ reached: false, figure: '280 of 1400, theirs 420' })
  })
})

describe('what operators are told', () => {
  const told = { scenario: 'hang', seed: 4, alerts: [{ rule: 'component-degraded', component: 'direct-bedrock-client', priority: 'P1', afterMs: 618_000, overAfterMs: 300_000 }], pages: 1, faults: [] as string[] }

  it('is a goal of each incident whose alerts were looked at', () => {
    const missed = (faults: readonly string[]) => checkGoals([{ ...report('hang', figures(100), figures(70)), alerts: { ...told, faults } }]).filter(({ reached }) => !reached)
    expect(missed([])).toEqual([])
    expect(missed(['system-down on hybrid-router was raised and is not expected'])).toMatchObject([{ goal: 'hang: operators are told once, of the cause, and nothing else' }])
  })

  it('is a table of the report', () => {
    const page = drillReport([{ ...report('hang', figures(100), figures(70)), alerts: told }], []).find(({ name }) => name === 'README.md')?.text
    expect(page).toContain('| hang | `component-degraded` on `direct-bedrock-client` | P1 | 10.3 min | 5.0 min | 1 |')
  })
})

describe('the report', () => {
  const files = drillReport([report('calm', figures(100), figures(100)), report('hang', figures(96), figures(70))], ['On a quiet machine.'])
  const page = files.find(({ name }) => name === 'README.md')?.text ?? ''

  it('has a page, and the charts that the page shows', () => {
    expect(files.map(({ name }) => name).toSorted()).toEqual(['README.md', 'in-time.svg', 'p99.svg'])
    for (const [, path] of page.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) expect(files.map(({ name }) => name)).toContain(path)
  })

  it('says the seed, the conditions, the sample counts, and what was not reached', () => {
    expect(page).toContain('seed 4')
    expect(page).toContain('On a quiet machine.')
    expect(page).toContain('| hang | service | 700 | 96.0 % | 94.3 % to 97.2 % |')
    expect(page).toContain('- hang: 97 % of the oracle: **96.0 %**')
  })

  it('has a row for each operation type of each incident', () => {
    for (const type of operationTypes) expect(page.split('\n').filter((line) => line.startsWith(`| ${type} | 100 `))).toHaveLength(2)
  })
})
