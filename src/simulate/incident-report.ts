/**
 * What an incident came to for the three that met it: the service, the peers' policy and the oracle; and the figures that
 * follow from them. Simulations and drills report in this one form.
 *
 * `ofOracle` is the share of what the oracle answered in time. A simulation knows it operation by operation, since all three
 * have the same luck there; a drill compares the shares, since real processes draw their own.
 */
import type { Matrix } from '../operation/matrix.ts'
import type { AlertReport } from './alert-verdict.ts'
import { Scoreboard, weightedShareOf, type RunFigures } from './figures.ts'
import type { HindsightFigures } from './hindsight-truth.ts'
import type { OracleVerdict } from './oracle.ts'
import type { Scenario } from './scenario.ts'
import type { WorkItem } from './workload.ts'

export interface IncidentReport {
  readonly scenario: string
  readonly title: string
  readonly seed: number
  readonly scale: number
  readonly durationMs: number
  readonly oracle: RunFigures
  readonly runs: readonly IncidentRun[]
  /** The same incident and luck with hedging switched off; absent where nobody looked. */
  readonly unhedged?: RunFigures
  /** What operators were told of it, on a virtual clock at the runbook's own times; absent where nobody looked. */
  readonly alerts?: AlertReport
}

export interface IncidentRun {
  readonly name: string
  readonly figures: RunFigures
  /** Of what the oracle answered in time. */
  readonly ofOracle: number
  readonly emergencyOfOracle: number
  readonly weightedOfOracle: number
  /** Slot time that went into answers in time, as a share of all slots while operations came in; null where slots are not limited. */
  readonly goodput: number | null
  /** By how much the process that was drilled was late at the 99th percentile, in ms; null on a virtual clock. */
  readonly disturbanceMs: number | null
  /** What only the service has. */
  readonly extra: { readonly trips: number; readonly shed: number; readonly lost: number; readonly hindsight: HindsightFigures | null } | null
}

export function oracleFigures(work: readonly WorkItem[], verdicts: readonly OracleVerdict[]): RunFigures {
  const board = new Scoreboard()
  for (const { index, type } of work) {
    const verdict = verdicts[index]
    if (verdict === undefined) continue
    const { inTime, latencyMs, servedMs } = verdict
    board.add({ index, type, answered: inTime, inTime, latencyMs, attempts: inTime ? 1 : 0, hedges: 0, servedMs, wrong: false })
  }
  return board.figures()
}

/** @param paired operations that both answered in time, all and emergencies, where that is known */
export function incidentRun(name: string, scenario: Scenario, matrix: Matrix, figures: RunFigures, oracle: RunFigures, extra: IncidentRun['extra'], paired?: { readonly all: number; readonly emergency: number }): IncidentRun {
  const share = (hits: number | undefined, possible: number | undefined): number => (possible === undefined || possible === 0 ? 1 : Math.min(1, (hits ?? 0) / possible))
  return {
    name,
    figures,
    ofOracle: share(paired?.all ?? figures.all.inTime.hits, oracle.all.inTime.hits),
    emergencyOfOracle: share(paired?.emergency ?? figures.byType.emergency?.inTime.hits, oracle.byType.emergency?.inTime.hits),
    weightedOfOracle: weightedShareOf(figures, oracle, matrix),
    goodput: goodputOf(scenario, figures),
    disturbanceMs: null,
    extra,
  }
}

function goodputOf(scenario: Scenario, figures: RunFigures): number | null {
  let slots = 0
  for (const place of scenario.places) {
    if (place.slots === null) return null
    slots += place.slots
  }
  return figures.all.usefulMs / (slots * scenario.durationMs)
}

/** Over several incidents, operation by operation; a miss is what the oracle would have answered in time. */
export function overallOf(reports: readonly IncidentReport[], run: string): { readonly ofOracle: number; readonly misses: number; readonly possible: number } {
  let possible = 0
  let reached = 0
  for (const report of reports) {
    const its = report.runs.find(({ name }) => name === run)
    if (its === undefined) continue
    const { hits } = report.oracle.all.inTime
    possible += hits
    reached += its.ofOracle * hits
  }
  return { ofOracle: possible === 0 ? 1 : reached / possible, misses: Math.round(possible - reached), possible }
}
