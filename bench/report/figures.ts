/**
 * The figures of a run and how rounds become one number: the median over rounds, and for a comparison the median of the
 * quotients of each round, because what disturbs a machine for a while disturbs the neighbours in a round alike.
 */
import { median } from '../percentile.ts'
import type { SubjectName } from '../subjects/subject.ts'

export const scenarioNames = ['throughput', 'latency', 'paced', 'burst', 'start', 'memory', 'routing'] as const
export type ScenarioName = (typeof scenarioNames)[number]

export interface Measurement {
  readonly scenario: ScenarioName
  readonly subject: SubjectName
  readonly round: number
  readonly figures: Readonly<Record<string, number>>
  readonly failed: number
  readonly failures: readonly string[]
}

const of = (all: readonly Measurement[], scenario: ScenarioName, subject: SubjectName): readonly Measurement[] =>
  all.filter((one) => one.scenario === scenario && one.subject === subject)

/** NaN where nothing was measured. */
export function typical(all: readonly Measurement[], scenario: ScenarioName, subject: SubjectName, figure: string): number {
  return median(of(all, scenario, subject).map((one) => one.figures[figure] ?? Number.NaN))
}

/** The subject's figure as a multiple of the other's in the same round. */
export function ratio(all: readonly Measurement[], scenario: ScenarioName, figure: string, subject: SubjectName, other: SubjectName): number {
  const others = of(all, scenario, other)
  return median(
    of(all, scenario, subject).map((one) => {
      const beside = others.find((candidate) => candidate.round === one.round)
      return (one.figures[figure] ?? Number.NaN) / (beside?.figures[figure] ?? Number.NaN)
    }),
  )
}

export function failedExchanges(all: readonly Measurement[], scenario: ScenarioName, subject: SubjectName): number {
  return of(all, scenario, subject).reduce((sum, one) => sum + one.failed, 0)
}
