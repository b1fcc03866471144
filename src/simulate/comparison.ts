/**
 * One incident, met by the service under one or several settings, by the peers' policy, and by the oracle: all with the same
 * operations and the same luck. What `simulate` prints for a scenario, and what its tests read.
 */
import type { RouterSettings } from '../router/hybrid-router.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { Fates } from './fate.ts'
import { Scoreboard, type Outcome, type RunFigures } from './figures.ts'
import { incidentRun, oracleFigures, type IncidentReport, type IncidentRun } from './incident-report.ts'
import { foresee, type OracleVerdict } from './oracle.ts'
import type { Scenario } from './scenario.ts'
import { simulatePeers, simulateRouter } from './simulation.ts'
import { generateWork, type WorkItem } from './workload.ts'

export interface NamedSettings {
  readonly name: string
  readonly settings: RouterSettings
}

export const peersName = 'peers'

/** @param work recorded operations; generated from the scenario and the seed unless given */
export function compare(scenario: Scenario, seed: number, configurations: readonly [NamedSettings, ...NamedSettings[]], work: readonly WorkItem[] = [...generateWork(scenario, createSeededRandom(seed))]): IncidentReport {
  // Requirements are the same for all who are compared: those of the first.
  const { matrix } = configurations[0].settings
  const verdicts = foresee(scenario, matrix, new Fates(scenario, seed), work)
  const oracle = oracleFigures(work, verdicts)
  const runs: IncidentRun[] = []
  for (const { name, settings } of configurations) {
    const pairs = new Pairs(verdicts)
    const { trips, shed, lost, hindsight, ...figures } = simulateRouter({ scenario, seed, work, onOutcome: (outcome) => pairs.add(outcome) }, settings)
    runs.push(incidentRun(name, scenario, matrix, figures, oracle, { trips, shed, lost, hindsight }, pairs))
  }
  const pairs = new Pairs(verdicts)
  const peers = simulatePeers({ scenario, seed, work, onOutcome: (outcome) => pairs.add(outcome) }, matrix)
  runs.push(incidentRun(peersName, scenario, matrix, peers, oracle, null, pairs))
  return { scenario: scenario.name, title: scenario.title, seed, scale: scenario.scale, durationMs: scenario.durationMs, oracle, runs }
}

/** The service alone, without an oracle: for more operations than anybody wants to foresee. */
export function simulateMany(scenario: Scenario, seed: number, configurations: readonly [NamedSettings, ...NamedSettings[]]): IncidentReport {
  const { matrix } = configurations[0].settings
  const nobody = new Scoreboard().figures()
  const runs = configurations.map(({ name, settings }) => {
    const { trips, shed, lost, hindsight, ...figures } = simulateRouter({ scenario, seed, work: generateWork(scenario, createSeededRandom(seed)) }, settings)
    return incidentRun(name, scenario, matrix, figures, nobody, { trips, shed, lost, hindsight })
  })
  return { scenario: scenario.name, title: scenario.title, seed, scale: scenario.scale, durationMs: scenario.durationMs, oracle: nobody, runs }
}

/** The same operations and luck without hedges: what hedging is worth where one request in twenty is slow. */
export function simulateUnhedged(scenario: Scenario, seed: number, settings: RouterSettings): RunFigures {
  const { all, byType } = simulateRouter({ scenario, seed, work: generateWork(scenario, createSeededRandom(seed)) }, { ...settings, chance: { ...settings.chance, hedging: false } })
  return { all, byType }
}

/** Counts what both the oracle and a run answered in time. */
class Pairs {
  readonly #verdicts: readonly OracleVerdict[]
  all = 0
  emergency = 0

  constructor(verdicts: readonly OracleVerdict[]) {
    this.#verdicts = verdicts
  }

  add(outcome: Outcome): void {
    if (!outcome.inTime || this.#verdicts[outcome.index]?.inTime !== true) return
    this.all += 1
    if (outcome.type === 'emergency') this.emergency += 1
  }
}
