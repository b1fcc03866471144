/**
 * What we expect of an attempt: how likely it is to be too late, given how long it has already taken. Everything that plans
 * ahead (rescue, hedge, refusal of what cannot be in time, order of targets) asks here.
 *
 * Kept per target and operation: the time to first content, the time to completion, the time per output token, and per
 * operation the observed output length. Completion is judged by its own samples where there are enough; else it is
 * composed of first content and length, because a target that was only streamed from says nothing else. The tokens a
 * caller asks for are only a cap and are not used.
 *
 * What was seen of one type is little. By how much answers differ from what is usual for their type is a matter of the target,
 * and is learnt from all types together: it says how likely the rest of a long wait is, and where the tail of the normal begins.
 *
 * Cold figures come from the matrix: an operation's requirement says what order of size is normal. The prior counts as a
 * sample among those that took as long as the attempt has waited, so that nothing is certain because it happened once.
 *
 * An attempt that was given up without an answer is a sample too ("at least so long"): left out, a target that hangs would
 * look as fast as its last good answers. It is spread over what was still to come.
 */
import type { Matrix, OperationType } from '../operation/matrix.ts'
import { operationTypes } from '../operation/matrix.ts'
import { DecayingHistogram } from './decaying-histogram.ts'

/** By what an operation is judged: its first content (streams) or its completion. */
export type LatencyBasis = 'first_content' | 'completion'

export interface LatencyEstimateSettings {
  /** After this time a sample counts half. */
  readonly halfLifeMs: number
  /** How many samples the prior is worth. */
  readonly priorWeight: number
  /** By operation: what is normal before anything was measured. */
  readonly priors: Readonly<Record<OperationType, LatencyPrior>>
}

export interface LatencyPrior {
  readonly medianMs: number
  readonly p99Ms: number
}

/** Where an attempt that was given up might have ended: the middles of the four quarters of what is left. */
const beyondShares = [0.125, 0.375, 0.625, 0.875]
const mostStretches = 3
/** What is usual is the median, found by steps towards each sample: those that are ten times slower count as any other. */
const usualStep = 0.02
const leastUsualMs = 0.1
/** Samples before a shape is believed, and the quantile that bounds its body. */
const shapeSamples = 50
const bodyShare = 0.85
/** What makes of that quantile the tail: on a logarithmic normal the 98.9th percentile, and the 99.7th where one in twenty is slow. */
const bodyPower = 2.2
/** Below this weight completion is composed of its parts. */
const enoughSamples = 8

interface PairEstimates {
  readonly firstContent: DecayingHistogram
  readonly completion: DecayingHistogram
  readonly perToken: DecayingHistogram
  /** What is usual, ms: the unit of what all types of the target have in common. */
  readonly usual: Readonly<Record<LatencyBasis, Usual>>
  /** Those of its target. */
  readonly ratios: TargetEstimates['ratios']
  /** Attempts in a row that were given up. */
  unanswered: number
}

interface Usual {
  ms: number
  samples: number
}

/** By how much answers of a target differ from what is usual for their type: its shape, which needs fewer samples than each type's own. */
interface TargetEstimates {
  readonly byType: Map<OperationType, PairEstimates>
  readonly ratios: Readonly<Record<LatencyBasis, DecayingHistogram>>
}

export class LatencyEstimates {
  readonly #settings: LatencyEstimateSettings
  readonly #targets = new Map<string, TargetEstimates>()
  readonly #outputTokens: Readonly<Record<OperationType, DecayingHistogram>>

  constructor(settings: LatencyEstimateSettings) {
    this.#settings = settings
    this.#outputTokens = Object.fromEntries(operationTypes.map((type) => [type, new DecayingHistogram(settings.halfLifeMs)])) as Record<
      OperationType,
      DecayingHistogram
    >
  }

  onFirstContent(target: string, type: OperationType, afterMs: number, nowMs: number): void {
    const pair = this.#pair(target, type)
    pair.firstContent.record(afterMs, nowMs)
    learnRatio(pair, 'first_content', afterMs, nowMs)
  }

  /** @param firstContentMs null when it was not seen, as in an answer that came whole */
  onCompleted(target: string, type: OperationType, afterMs: number, firstContentMs: number | null, outputTokens: number, nowMs: number): void {
    const pair = this.#pair(target, type)
    pair.completion.record(afterMs, nowMs)
    learnRatio(pair, 'completion', afterMs, nowMs)
    pair.unanswered = 0
    if (outputTokens <= 0) return
    this.#outputTokens[type].record(outputTokens, nowMs)
    if (firstContentMs !== null) pair.perToken.record((afterMs - firstContentMs) / outputTokens, nowMs)
  }

  /** Given up after `waitedMs` without what it was judged by. */
  onAbandoned(target: string, type: OperationType, basis: LatencyBasis, waitedMs: number, nowMs: number): void {
    const pair = this.#pair(target, type)
    const histogram = basis === 'first_content' ? pair.firstContent : pair.completion
    // A single guess would be taken for certain in time, or certainly late, and prove itself right: it is spread over what is
    // still possible, by its own history, else by the prior. Several in a row are a target that hangs: they go further out.
    const beyondMs: number[] = []
    const stretch = 2 ** Math.min(pair.unanswered, mostStretches)
    pair.unanswered += 1
    for (const share of beyondShares) {
      const pointMs = histogram.quantileBeyond(waitedMs, share) ?? priorBeyond(this.#settings.priors[type], waitedMs, share)
      beyondMs.push(waitedMs + stretch * (pointMs - waitedMs))
    }
    // Looked up first: the points must not be drawn from each other.
    const unitMs = pair.usual[basis].ms
    for (const pointMs of beyondMs) {
      histogram.record(pointMs, nowMs, 1 / beyondMs.length)
      if (unitMs > 0) pair.ratios[basis].record(pointMs / unitMs, nowMs, 1 / beyondMs.length)
    }
  }

  /**
   * The chance that an attempt which has waited `waitedMs` is still without an answer after `remainingMs` more: of the samples
   * that took so long, those that took longer still. The prior speaks for some of those that took so long, however many
   * did not: where one sample alone had waited as long, it must not be what happens for certain.
   */
  missChance(target: string, type: OperationType, basis: LatencyBasis, waitedMs: number, remainingMs: number, nowMs: number): number {
    if (remainingMs <= 0) return 1
    const { priors, priorWeight } = this.#settings
    const dueMs = waitedMs + remainingMs
    const prior = priorSurvival(priors[type], dueMs) / priorSurvival(priors[type], waitedMs)
    const pair = this.#targets.get(target)?.byType.get(type)
    if (pair === undefined) return prior
    const unitMs = pair.usual[basis].ms
    const usual = unitMs > 0 ? chanceBeyond(pair.ratios[basis], waitedMs / unitMs, dueMs / unitMs, prior, priorWeight, nowMs) : prior
    const reached = this.#observed(pair, type, basis, waitedMs, nowMs)
    const late = this.#observed(pair, type, basis, dueMs, nowMs)
    return Math.min(1, (priorWeight * usual + late.share * late.weight) / (priorWeight + reached.share * reached.weight))
  }

  /**
   * By how much what is normal but rare exceeds the median, over all types of the target: from the body of its answers,
   * because where every twentieth is slow the far quantiles are those of the slow ones. Undefined while there are too few.
   */
  tailRatio(target: string, basis: LatencyBasis, nowMs: number): number | undefined {
    const ratios = this.#targets.get(target)?.ratios[basis]
    if (ratios === undefined || ratios.weight(nowMs) < shapeSamples) return undefined
    const median = ratios.quantile(0.5)
    const upper = ratios.quantile(bodyShare)
    return median === undefined || upper === undefined ? undefined : (upper / median) ** bodyPower
  }

  /** The time below which `share` of the attempts answered; undefined while there are none. */
  ownQuantile(target: string, type: OperationType, basis: LatencyBasis, share: number): number | undefined {
    const pair = this.#targets.get(target)?.byType.get(type)
    return (basis === 'first_content' ? pair?.firstContent : pair?.completion)?.quantile(share)
  }

  /** How many fresh samples the estimate rests on. */
  weight(target: string, type: OperationType, basis: LatencyBasis, nowMs: number): number {
    const pair = this.#targets.get(target)?.byType.get(type)
    if (pair === undefined) return 0
    return (basis === 'first_content' ? pair.firstContent : pair.completion).weight(nowMs)
  }

  /** An operator's reset, or a target that was replaced: back to the prior. */
  forget(target: string): void {
    this.#targets.delete(target)
  }

  #observed(pair: PairEstimates, type: OperationType, basis: LatencyBasis, afterMs: number, nowMs: number): Observed {
    return basis === 'first_content' ? observed(pair.firstContent, afterMs, nowMs) : this.#observedCompletion(pair, type, afterMs, nowMs)
  }

  #observedCompletion(pair: PairEstimates, type: OperationType, afterMs: number, nowMs: number): Observed {
    const own = observed(pair.completion, afterMs, nowMs)
    if (own.weight >= enoughSamples) return own
    const tokens = this.#outputTokens[type].quantile(0.5)
    const perTokenMs = pair.perToken.quantile(0.5)
    if (tokens === undefined || perTokenMs === undefined) return own
    const composed = observed(pair.firstContent, Math.max(0, afterMs - tokens * perTokenMs), nowMs)
    return composed.weight > own.weight ? composed : own
  }

  #pair(target: string, type: OperationType): PairEstimates {
    const { halfLifeMs } = this.#settings
    let estimates = this.#targets.get(target)
    if (estimates === undefined) {
      estimates = { byType: new Map(), ratios: { first_content: new DecayingHistogram(halfLifeMs), completion: new DecayingHistogram(halfLifeMs) } }
      this.#targets.set(target, estimates)
    }
    let pair = estimates.byType.get(type)
    if (pair === undefined) {
      pair = {
        firstContent: new DecayingHistogram(halfLifeMs),
        completion: new DecayingHistogram(halfLifeMs),
        perToken: new DecayingHistogram(halfLifeMs),
        usual: { first_content: { ms: 0, samples: 0 }, completion: { ms: 0, samples: 0 } },
        ratios: estimates.ratios,
        unanswered: 0,
      }
      estimates.byType.set(type, pair)
    }
    return pair
  }
}

/** Takes the sample as a multiple of what was usual before it. */
function learnRatio(pair: PairEstimates, basis: LatencyBasis, tookMs: number, nowMs: number): void {
  const usual = pair.usual[basis]
  const sampleMs = Math.max(leastUsualMs, tookMs)
  if (usual.samples >= enoughSamples) pair.ratios[basis].record(sampleMs / usual.ms, nowMs)
  usual.samples += 1
  const step = 1 + Math.max(usualStep, 1 / usual.samples)
  usual.ms = usual.samples === 1 ? sampleMs : sampleMs > usual.ms ? usual.ms * step : usual.ms / step
}

/** Of the samples beyond `reached`, the share beyond `due`; the prior counts as `priorWeight` of them. */
function chanceBeyond(histogram: DecayingHistogram, reached: number, due: number, prior: number, priorWeight: number, nowMs: number): number {
  const weight = histogram.weight(nowMs)
  return (priorWeight * prior + weight * (histogram.shareAbove(due) ?? 0)) / (priorWeight + weight * (histogram.shareAbove(reached) ?? 0))
}

interface Observed {
  readonly weight: number
  /** Share of the samples above the instant. */
  readonly share: number
}

function observed(histogram: DecayingHistogram, afterMs: number, nowMs: number): Observed {
  const share = histogram.shareAbove(afterMs)
  return share === undefined ? { weight: 0, share: 0 } : { weight: histogram.weight(nowMs), share }
}

/** Half of the answers come within a tenth of the requirement, and all but one in a hundred within six tenths of it. */
const priorMedianShare = 0.1
const priorP99Share = 0.6
/** Half-life 20 s: a target that has changed is known as changed within one; a single sample is worth as much as the prior. */
const usualHalfLifeMs = 20_000
const usualPriorWeight = 1

/** Cold figures from the matrix: its requirements say what order of size is normal. */
export function estimateSettings(matrix: Matrix): LatencyEstimateSettings {
  const priors = Object.fromEntries(
    operationTypes.map((type) => [type, { medianMs: priorMedianShare * matrix[type].latencyMs, p99Ms: priorP99Share * matrix[type].latencyMs }]),
  ) as Record<OperationType, LatencyPrior>
  return { halfLifeMs: usualHalfLifeMs, priorWeight: usualPriorWeight, priors }
}

/**
 * Log-logistic: heavy-tailed as latencies are, and closed, so that it costs one power. Its shape is set by the 99th
 * percentile: 1 / (1 + (p99 / median) ^ shape) = 0.01.
 */
function priorSurvival(prior: LatencyPrior, afterMs: number): number {
  if (afterMs <= 0) return 1
  return 1 / (1 + (afterMs / prior.medianMs) ** shapeOf(prior))
}

/** The time below which `share` of what takes at least `afterMs` lies. */
function priorBeyond(prior: LatencyPrior, afterMs: number, share: number): number {
  return prior.medianMs * (1 / ((1 - share) * priorSurvival(prior, afterMs)) - 1) ** (1 / shapeOf(prior))
}

function shapeOf(prior: LatencyPrior): number {
  return Math.log(99) / Math.log(prior.p99Ms / prior.medianMs)
}
