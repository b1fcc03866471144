/**
 * An incident as the alerts see it: at the runbook's own times, long enough for the rules. Rules look at minutes, so that an
 * incident of 40 s (or a drill of four) is none to them: here its faults last for 20 minutes, after three of calm and before
 * twelve in which everything has to be over again. The faults themselves, their places, shares and order are the scenario's.
 *
 * Where nothing is broken but too much comes in, the surge is the incident; before and after it comes an eighth.
 */
import type { Scenario } from './scenario.ts'
import type { WorkItem } from './workload.ts'

/** ms. Longer than any rule waits (15 min), with the time in which rates over five minutes get there. */
export const incidentMs = 1_200_000
export const calmBeforeMs = 180_000
/** ms. What ends rates (5 min), clears them (2 min) and lets symptoms follow their cause (5 min). */
export const calmAfterMs = 720_000

export interface AlertIncident {
  readonly scenario: Scenario
  /** When something is wrong. */
  readonly fromMs: number
  readonly untilMs: number
  /** Which of the operations that the scenario would send are sent. */
  isSent(item: WorkItem): boolean
}

/** Some seven hundred operations in five minutes are enough for any rate; more would only take longer. */
const enoughPerSecond = 2.5
/** ms. A surge is over sooner: the rule that sees it waits for five minutes. */
const surgeMs = 600_000
/** One in so many operations comes outside a surge. */
const calmOneIn = 8

/** @param isSurge the incident is what comes in, not what breaks @param given at the scale of the runbook */
export function alertIncident(given: Scenario, isSurge: boolean): AlertIncident {
  const firstMs = Math.min(...given.faults.map((fault) => fault.fromMs), given.durationMs)
  const lastMs = Math.max(...given.faults.map((fault) => fault.untilMs), firstMs)
  const factor = lastMs === firstMs ? 1 : incidentMs / (lastMs - firstMs)
  const place = (atMs: number): number => calmBeforeMs + (atMs - firstMs) * factor
  const fromMs = calmBeforeMs
  const untilMs = calmBeforeMs + (isSurge ? surgeMs : incidentMs)
  return {
    scenario: {
      ...given,
      ratePerSecond: isSurge ? given.ratePerSecond : Math.min(given.ratePerSecond, enoughPerSecond),
      durationMs: untilMs + calmAfterMs,
      faults: given.faults.map((fault) => ({ ...fault, fromMs: place(fault.fromMs), untilMs: place(fault.untilMs) })),
    },
    fromMs,
    untilMs,
    isSent: (item) => !isSurge || (item.atMs >= fromMs && item.atMs < untilMs) || item.index % calmOneIn === 0,
  }
}
