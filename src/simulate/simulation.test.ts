/**
 * The incidents on the virtual clock, as a whole: what the router promises in each of them. Seeds here are not those of the
 * published figures.
 */
import { describe, expect, it } from 'vitest'
import { routerSettings } from '../service/component-settings.ts'
import { incidentConfig } from '../cli/incident-config.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { compare, peersName } from './comparison.ts'
import { overallOf, type IncidentReport } from './incident-report.ts'
import { scaleScenario, stretchScenario, type Scenario } from './scenario.ts'
import { scenarioNamed, scenarios } from './scenarios.ts'
import { simulateRouter } from './simulation.ts'
import { generateWork } from './workload.ts'

const seed = 20_260
const scale = 10

function scaled(name: string): Scenario {
  const scenario = scenarioNamed(name)
  if (scenario === undefined) throw new Error(name)
  return scaleScenario(scenario, scale)
}

function simulated(scenario: Scenario, routing = {}): IncidentReport {
  return compare(scenario, seed, [{ name: 'service', settings: routerSettings(incidentConfig(scenario, undefined, routing)) }])
}

const reports = new Map(scenarios.map(({ name }) => [name, simulated(scaled(name))]))
const [service, peers] = ['service', peersName]

function runOf(name: string, run: string) {
  const found = reports.get(name)?.runs.find((each) => each.name === run)
  if (found === undefined) throw new Error(`${name} ${run}`)
  return found
}

describe('a simulation', () => {
  it('gives the same figures for the same seed', () => {
    const scenario = scaled('both-degraded')
    const settings = routerSettings(incidentConfig(scenario))
    const once = (withSeed: number) => simulateRouter({ scenario, seed: withSeed, work: generateWork(scenario, createSeededRandom(withSeed)) }, settings)
    expect(once(5)).toEqual(once(5))
    expect(once(5)).not.toEqual(once(6))
  })

  it('keeps nothing of operations that are over', () => {
    const scenario = stretchScenario(scaled('hang'), 5)
    const { lost, all } = simulateRouter({ scenario, seed, work: generateWork(scenario, createSeededRandom(seed)) }, routerSettings(incidentConfig(scenario)))
    expect(lost).toBe(0)
    expect(all.operations).toBeGreaterThan(4_000)
  })
})

describe.each(scenarios.map(({ name }) => name))('%s', (name) => {
  it('loses nothing and answers nothing wrong', () => {
    const run = runOf(name, service)
    expect(run.extra?.lost).toBe(0)
    expect(run.figures.all.wrong).toBe(0)
    expect(run.figures.all.operations).toBe(runOf(name, peers).figures.all.operations)
  })

  it('is met no worse than by the peers’ policy', () => {
    // Two operations in a thousand are chance.
    expect(runOf(name, service).ofOracle).toBeGreaterThanOrEqual(runOf(name, peers).ofOracle - 0.002)
  })

  it('is met by an oracle at least as well as by anybody', () => {
    const { oracle, runs } = reports.get(name)!
    // It sends each operation thrice to a place at most; whoever retries more often may be lucky once in a while.
    for (const run of runs) expect(oracle.all.inTime.share).toBeGreaterThanOrEqual(run.figures.all.inTime.share - 0.005)
  })
})

describe('all incidents together', () => {
  it('are missed at most half as often as by the peers’ policy', () => {
    const all = [...reports.values()]
    expect(overallOf(all, service).misses).toBeLessThanOrEqual(overallOf(all, peers).misses / 2)
  })

  it('are judged in hindsight, and rightly', () => {
    const sums = { decisions: 0, judged: 0, agreed: 0 }
    for (const { runs } of reports.values()) {
      const hindsight = runs[0]?.extra?.hindsight
      sums.decisions += hindsight?.decisions ?? 0
      sums.judged += hindsight?.judged ?? 0
      sums.agreed += hindsight?.agreed ?? 0
    }
    expect(sums.judged / sums.decisions).toBeGreaterThanOrEqual(0.6)
    expect(sums.agreed / sums.judged).toBeGreaterThanOrEqual(0.95)
  })
})

it('in a calm nothing is done that costs', () => {
  const { figures, extra } = runOf('calm', service)
  expect(figures.all.attemptsPerOperation).toBeLessThanOrEqual(1.02)
  expect(figures.all.hedgesPerOperation).toBeLessThan(0.01)
  expect(extra).toMatchObject({ trips: 0, shed: 0 })
})

it('a setting that helps nobody early is worse where a region hangs', () => {
  const scenario = scaled('hang')
  const without = simulated(scenario, { fallbackAggressiveness: 0, hedging: { enabled: false } })
  expect(without.runs[0]!.figures.all.inTime.hits).toBeLessThan(runOf('hang', service).figures.all.inTime.hits)
})
