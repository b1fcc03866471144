/**
 * What we expect of an attempt: how likely it is to be too late, given how long it has already taken. Everything that plans
 * ahead (rescue, hedge, refusal of what cannot be in time, order of targets) asks here.
 *
 * Kept per target and operation: the time to first content, the time to completion, the time per output token, and per
 * operation the observed output length. Completion is judged by its own samples where there are enough; else it is
 * composed of first content and length, because a target that was only streamed from says nothing else. The tokens a
 * caller asks for are only a cap and are not used.
 *
 * Cold figures come from the matrix: an operation's requirement says what order of size is normal. The prior counts as a
 * few samples, so that it rules alone at first and hardly after some dozens.
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
/** Below this weight completion is composed of its parts. */
const enoughSamples = 8

interface PairEstimates {
  readonly firstContent: DecayingHistogram
  readonly completion: DecayingHistogram
  readonly perToken: DecayingHistogram
  /** Attempts in a row that were given up. */
  unanswered: number
}

export class LatencyEstimates {
  readonly #settings: LatencyEstimateSettings
  readonly #pairs = new Map<string, Map<OperationType, PairEstimates>>()
  readonly #outputTokens: Readonly<Record<OperationType, DecayingHistogram>>

  constructor(settings: LatencyEstimateSettings) {
    this.#settings = settings
    this.#outputTokens = Object.fromEntries(operationTypes.map((type) => [type, new DecayingHistogram(settings.halfLifeMs)])) as Record<
      OperationType,
      DecayingHistogram
    >
  }

  onFirstContent(target: string, type: OperationType, afterMs: number, nowMs: number): void {
    this.#pair(target, type).firstContent.record(afterMs, nowMs)
  }

  /** @param firstContentMs null when it was not seen, as in an answer that came whole */
  onCompleted(target: string, type: OperationType, afterMs: number, firstContentMs: number | null, outputTokens: number, nowMs: number): void {
    const pair = this.#pair(target, type)
    pair.completion.record(afterMs, nowMs)
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
    for (const pointMs of beyondMs) histogram.record(pointMs, nowMs, 1 / beyondMs.length)
  }

  /** The chance that an attempt which has waited `waitedMs` is still without an answer after `remainingMs` more. */
  missChance(target: string, type: OperationType, basis: LatencyBasis, waitedMs: number, remainingMs: number, nowMs: number): number {
    if (remainingMs <= 0) return 1
    const reached = this.#surviving(target, type, basis, waitedMs, nowMs)
    if (reached <= 1e-9) return 1
    return Math.min(1, this.#surviving(target, type, basis, waitedMs + remainingMs, nowMs) / reached)
  }

  /** The time below which `share` of the attempts answer, prior included. For hedging delays and the order of targets. */
  quantile(target: string, type: OperationType, basis: LatencyBasis, share: number, nowMs: number): number {
    let low = 0.1
    let high = 3_600_000
    // The mixture of prior and samples has no closed quantile; forty halvings of the exponent are exact to a microsecond.
    for (let step = 0; step < 40 && high / low > 1.005; step += 1) {
      const middle = Math.sqrt(low * high)
      if (1 - this.#surviving(target, type, basis, middle, nowMs) < share) low = middle
      else high = middle
    }
    return high
  }

  /** The same from its own samples alone; undefined while there are none. */
  ownQuantile(target: string, type: OperationType, basis: LatencyBasis, share: number): number | undefined {
    const pair = this.#pairs.get(target)?.get(type)
    return (basis === 'first_content' ? pair?.firstContent : pair?.completion)?.quantile(share)
  }

  /** How many fresh samples the estimate rests on. */
  weight(target: string, type: OperationType, basis: LatencyBasis, nowMs: number): number {
    const pair = this.#pairs.get(target)?.get(type)
    if (pair === undefined) return 0
    return (basis === 'first_content' ? pair.firstContent : pair.completion).weight(nowMs)
  }

  /** An operator's reset, or a target that was replaced: back to the prior. */
  forget(target: string): void {
    this.#pairs.delete(target)
  }

  #surviving(target: string, type: OperationType, basis: LatencyBasis, afterMs: number, nowMs: number): number {
    const prior = priorSurvival(this.#settings.priors[type], afterMs)
    const pair = this.#pairs.get(target)?.get(type)
    if (pair === undefined) return prior
    const { weight, share } = basis === 'first_content' ? observed(pair.firstContent, afterMs, nowMs) : this.#observedCompletion(pair, type, afterMs, nowMs)
    return (prior * this.#settings.priorWeight + share * weight) / (this.#settings.priorWeight + weight)
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
    let byType = this.#pairs.get(target)
    if (byType === undefined) {
      byType = new Map()
      this.#pairs.set(target, byType)
    }
    let pair = byType.get(type)
    if (pair === undefined) {
      const { halfLifeMs } = this.#settings
      pair = { firstContent: new DecayingHistogram(halfLifeMs), completion: new DecayingHistogram(halfLifeMs), perToken: new DecayingHistogram(halfLifeMs), unanswered: 0 }
      byType.set(type, pair)
    }
    return pair
  }
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
/** Half-life 20 s: a target that has changed is known as changed within one; four samples are worth as much as the prior. */
const usualHalfLifeMs = 20_000
const usualPriorWeight = 4

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
