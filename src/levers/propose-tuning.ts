/**
 * `optimize`: from the router's replay of the decisions on record (`routing/propose-thresholds.ts`) to the member of the
 * configuration that a lever sets. The replay speaks of the chance of a miss at which help starts; operators move
 * `fallbackAggressiveness`, of which that chance follows. The answer holds the figures on which it rests, so that whoever
 * applies it sees what it is worth, and proposes nothing where nothing better was found.
 *
 * Pure. Source: runbook, "tune by measured data".
 */
import type { JsonObject } from '../operation/converse.ts'
import { thresholdOf } from '../routing/chance-policy.ts'
import { leastRecords, type OptimizationMode, type ThresholdFigures, type ThresholdProposal } from '../routing/propose-thresholds.ts'
import type { Proposal } from './lever-ports.ts'

/** Halvings of the range of the aggressiveness: far below the two digits that are shown. */
const halvings = 20

/**
 * @param configured the configured chance of a miss, which an aggressiveness of 0.5 leaves as it is
 * @param efficiency the share of right decisions by hindsight, 0 to 1; null while none was judged
 */
export function tuningOf(proposal: ThresholdProposal, configured: number, current: number, efficiency: number | null, wish: { readonly targetEfficiency: number | undefined; readonly mode: OptimizationMode }): Proposal {
  const { records, observed, replayed, proposed, predictedGain, reachesTarget } = proposal
  const next = proposed === null ? current : aggressivenessFor(proposed.rescueThreshold, configured)
  const why =
    records < leastRecords
      ? `Only ${records} decisions are on record; ${leastRecords} are needed.`
      : next === current
        ? 'None of the thresholds that were tried would have done better.'
        : `Replayed over ${records} decisions, ${percent(proposed?.inTimeShare ?? 0)} would have been in time instead of ${percent(replayed.inTimeShare)}.`
  const basis: JsonObject = {
    why,
    optimizationMode: wish.mode,
    targetEfficiency: wish.targetEfficiency ?? null,
    records,
    routingEfficiency: efficiency,
    observed: { ...observed },
    replayed: figures(replayed),
    proposed: proposed === null ? null : figures(proposed),
    tried: proposal.tried.map(figures),
    predictedGain,
    reachesTarget,
  }
  return { members: next === current ? {} : { fallbackAggressiveness: next }, basis }
}

/** The aggressiveness whose chance of a miss is this one: the function falls from certainty to the slightest risk. */
export function aggressivenessFor(threshold: number, configured: number): number {
  if (threshold > 1) return 0
  let low = 0
  let high = 1
  for (let count = 0; count < halvings; count += 1) {
    const middle = (low + high) / 2
    if (thresholdOf(configured, middle) > threshold) low = middle
    else high = middle
  }
  return Math.round(high * 100) / 100
}

function figures({ rescueThreshold, inTimeShare, helpShare }: ThresholdFigures): JsonObject {
  return { rescueThreshold, inTimeShare, helpShare }
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`
}
