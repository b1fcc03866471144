/**
 * When to look at an attempt: the instant at which its chance of a miss passes a threshold, and the tail of its kind, from the
 * estimates. An attempt is looked at once, then, and not by polling.
 *
 * Both instants are the same for all operations of a type on a target that begin with the same time left, so they are kept
 * and made anew when they are a second old, when the time left is another one, or when something bad was learnt: the
 * attempts of a busy service share one search.
 *
 * Pure: told the time. Source: house design, "Budget, not timeout" and "Hedging with a budget".
 */
import type { OperationType } from '../operation/matrix.ts'
import { operationTypes } from '../operation/matrix.ts'
import { LatencyEstimates, type LatencyBasis, type LatencyEstimateSettings } from './latency-estimates.ts'

interface Kept {
  madeAtMs: number
  version: number
  timeLeftMs: number
  threshold: number
  crossingMs: number
  tailMs: number
  patienceMs: number
}

interface KeptUsual {
  readonly share: number
  readonly madeAtMs: number
  readonly usualMs: number
}

/** ms. Estimates move with their half-life of many seconds; after a second they are hardly different. */
const keptForMs = 1_000
/** ms. Everybody who waits is asked at every end of an attempt; a short history still moves from one to the next. */
const usualForMs = 100
/** Two operations whose time left differs by less than this share are alike. */
const alikeShare = 0.02
/** Samples before a median is believed, and before it may stand in for that of a type which is not known. */
const medianSamples = 8
const someSamples = 3
/** Help is started while it has this many medians: it may be throttled itself, and go elsewhere. */
const helpMedians = 2
/** The share of the time left for which an attempt of a kind that is not known yet is left alone. */
const coldShare = 0.5
/** ... and less where an operator wants help at a slighter risk than this, which is that of an emergency. */
const coldThreshold = 0.05
/** A hedge waits for the tail of what is normal (`tailRatio`), within these medians; for so many where that is not known yet. */
const tailMedians = 2
const mostMedians = 6
const unknownMedians = 3.5
/** The first step of the search, as a share of the time left, and the halvings after it: exact to 1 % of the time left. */
const firstStepShare = 1 / 32
const halvings = 4

export class LatencyForecast {
  readonly estimates: LatencyEstimates
  readonly #kept = new Map<string, (Kept | undefined)[]>()
  readonly #usual = new Map<string, (readonly KeptUsual[] | undefined)[]>()
  #version = 0

  constructor(settings: LatencyEstimateSettings) {
    this.estimates = new LatencyEstimates(settings)
  }

  /** After this much waiting the chance of a miss has passed `threshold`; Infinity when it does not within the time left. */
  crossingMs(key: string, type: OperationType, basis: LatencyBasis, timeLeftMs: number, threshold: number, nowMs: number): number {
    return this.#keptFor(key, type, basis, timeLeftMs, threshold, nowMs).crossingMs
  }

  /** Older than this, an attempt has outlived the tail of its own history; Infinity while the history is too short. */
  tailMs(key: string, type: OperationType, basis: LatencyBasis, timeLeftMs: number, threshold: number, nowMs: number): number {
    return this.#keptFor(key, type, basis, timeLeftMs, threshold, nowMs).tailMs
  }

  /**
   * Younger than this, an attempt is not worth helping, however likely it is to miss: help that starts later makes it just as
   * well, and most attempts will have ended by themselves. By then the tail has begun, or help would run out of time.
   */
  patienceMs(key: string, type: OperationType, basis: LatencyBasis, timeLeftMs: number, threshold: number, nowMs: number): number {
    return this.#keptFor(key, type, basis, timeLeftMs, threshold, nowMs).patienceMs
  }

  /** Within this time the share of its kind answers there; of a kind with too short a history, the slowest kind that is known there. 0 when nothing is. */
  usualMs(key: string, type: OperationType, basis: LatencyBasis, share: number, nowMs: number): number {
    let ofKey = this.#usual.get(key)
    if (ofKey === undefined) {
      ofKey = []
      this.#usual.set(key, ofKey)
    }
    const index = indexOf(type, basis)
    const known = ofKey[index]?.find((each) => each.share === share)
    if (known !== undefined && nowMs - known.madeAtMs < usualForMs) return known.usualMs
    const usualMs = this.#findUsual(key, type, basis, share, nowMs)
    const ofKind = (ofKey[index] ?? []).filter((each) => each !== known)
    ofKind.push({ share, madeAtMs: nowMs, usualMs })
    ofKey[index] = ofKind
    return usualMs
  }

  #findUsual(key: string, type: OperationType, basis: LatencyBasis, share: number, nowMs: number): number {
    if (this.estimates.weight(key, type, basis, nowMs) >= medianSamples) return this.estimates.ownQuantile(key, type, basis, share) ?? 0
    const longestMs = this.#longestMs(key, basis, share, medianSamples, nowMs)
    return longestMs === 0 ? (this.estimates.ownQuantile(key, type, basis, share) ?? 0) : longestMs
  }

  missChance(key: string, type: OperationType, basis: LatencyBasis, waitedMs: number, remainingMs: number, nowMs: number): number {
    return this.estimates.missChance(key, type, basis, waitedMs, remainingMs, nowMs)
  }

  /** The first instant after `waitedMs` at which the chance of a miss reaches `threshold`: doubling steps, then halving. */
  search(key: string, type: OperationType, basis: LatencyBasis, waitedMs: number, timeLeftMs: number, threshold: number, nowMs: number): number {
    if (threshold > 1) return Number.POSITIVE_INFINITY
    const reaches = (waited: number): boolean => this.estimates.missChance(key, type, basis, waited, timeLeftMs - waited, nowMs) >= threshold
    if (reaches(waitedMs)) return waitedMs
    let low = waitedMs
    let stepMs = timeLeftMs * firstStepShare
    let high = low + stepMs
    while (high < timeLeftMs && !reaches(high)) {
      low = high
      stepMs *= 2
      high = low + stepMs
    }
    if (high > timeLeftMs) high = timeLeftMs
    for (let turn = 0; turn < halvings; turn += 1) {
      const middle = (low + high) / 2
      if (reaches(middle)) high = middle
      else low = middle
    }
    return high
  }

  onAbandoned(key: string, type: OperationType, basis: LatencyBasis, waitedMs: number, nowMs: number): void {
    this.estimates.onAbandoned(key, type, basis, waitedMs, nowMs)
    this.expire()
  }

  /** Something bad was learnt: nothing kept holds any more. */
  expire(): void {
    this.#version += 1
  }

  #keptFor(key: string, type: OperationType, basis: LatencyBasis, timeLeftMs: number, threshold: number, nowMs: number): Kept {
    let ofKey = this.#kept.get(key)
    if (ofKey === undefined) {
      ofKey = []
      this.#kept.set(key, ofKey)
    }
    const index = indexOf(type, basis)
    const known = ofKey[index]
    if (
      known !== undefined &&
      known.version === this.#version &&
      nowMs - known.madeAtMs < keptForMs &&
      known.threshold === threshold &&
      Math.abs(known.timeLeftMs - timeLeftMs) <= alikeShare * timeLeftMs
    ) {
      return known
    }
    const tailMs = this.#tail(key, type, basis, nowMs)
    const made: Kept = {
      madeAtMs: nowMs,
      version: this.#version,
      timeLeftMs,
      threshold,
      crossingMs: this.search(key, type, basis, 0, timeLeftMs, threshold, nowMs),
      tailMs,
      patienceMs: this.#patience(key, type, basis, timeLeftMs, tailMs, threshold, nowMs),
    }
    ofKey[index] = made
    return made
  }

  /** What is not known yet may take half of the time: a prior alone is no reason to start anything. */
  #patience(key: string, type: OperationType, basis: LatencyBasis, timeLeftMs: number, tailMs: number, threshold: number, nowMs: number): number {
    const medianMs = this.estimates.ownQuantile(key, type, basis, 0.5)
    if (medianMs === undefined || this.estimates.weight(key, type, basis, nowMs) < medianSamples) return coldShare * timeLeftMs * Math.min(1, threshold / coldThreshold)
    return Math.max(0, Math.min(tailMs, timeLeftMs - helpMedians * medianMs))
  }

  /** Of the types that are known there: the best guess, and a patient one, for a type that is not. Infinity when none is. */
  #longestMedianMs(key: string, basis: LatencyBasis, nowMs: number): number {
    const longestMs = this.#longestMs(key, basis, 0.5, someSamples, nowMs)
    return longestMs === 0 ? Number.POSITIVE_INFINITY : longestMs
  }

  /** 0 when no type is known there. */
  #longestMs(key: string, basis: LatencyBasis, share: number, leastSamples: number, nowMs: number): number {
    let longestMs = 0
    for (const type of operationTypes) {
      if (this.estimates.weight(key, type, basis, nowMs) < leastSamples) continue
      longestMs = Math.max(longestMs, this.estimates.ownQuantile(key, type, basis, share) ?? 0)
    }
    return longestMs
  }

  #tail(key: string, type: OperationType, basis: LatencyBasis, nowMs: number): number {
    const medianMs = this.estimates.ownQuantile(key, type, basis, 0.5)
    if (medianMs === undefined || this.estimates.weight(key, type, basis, nowMs) < medianSamples) return unknownMedians * this.#longestMedianMs(key, basis, nowMs)
    const ratio = this.estimates.tailRatio(key, basis, nowMs)
    return medianMs * (ratio === undefined ? unknownMedians : Math.min(mostMedians, Math.max(tailMedians, ratio)))
  }
}

function indexOf(type: OperationType, basis: LatencyBasis): number {
  return operationTypes.indexOf(type) * 2 + (basis === 'completion' ? 0 : 1)
}
