/**
 * Help before a failure, by chance. Two reasons, each with its own budget:
 *
 *   rescue  the chance that what runs misses the requirement, given how long it has already taken, has passed the threshold,
 *           and another candidate's own chance to miss is clearly lower. Any allowed route; what shares least with the
 *           running attempt is preferred.
 *   hedge   the attempt has outlived the tail of its own history. Another target, of the same route if it has one, and never when the
 *           system is crowded, when a target there was throttled lately, in emergency mode, or for what must not be repeated.
 *           A process that has seen too little has no tail and hedges nothing, and one whose hedges lose waits longer and hedges less.
 *
 * It also says what is not worth starting: an attempt that, by what was measured, cannot answer by the hard timeout. One in
 * twenty is let through all the same, so that a target which has become quicker is noticed; an emergency always is.
 *
 * An operator's latency threshold of a route (`helpAfterMs`) is a reason to rescue beside the chance: by then an attempt must
 * have shown something. The threshold follows `fallbackAggressiveness`: 0.5 is the configured one, 1 the slightest risk, 0 never before a failure.
 * Sources: house design ("The decisions that make it better than a retry loop"), public contract, part 7.
 */
import type { Route } from '../operation/matrix.ts'
import { AttemptBudget } from './attempt-budget.ts'
import type { PendingAttempt, PendingWork, RescuePolicy, RescueVerdict, StepFacts } from './attempt-rules.ts'
import { inEmergencyMode } from './claim.ts'
import type { Overrides } from './conditions.ts'
import { HedgeBudget } from './hedge-budget.ts'
import { hasOthers, hedgerFor, rescuerFor } from './helper-choice.ts'
import type { LatencyBasis } from './latency-estimates.ts'
import type { LatencyForecast } from './latency-forecast.ts'
import { estimateKey as keyOf } from './target-record.ts'

export interface ChanceSettings {
  /** The chance of a miss at which a rescue starts, 0 to 1. */
  readonly rescueThreshold: number
  /** Rescues per operation, over the whole process, 0 to 1. */
  readonly rescueShare: number
  readonly hedging: boolean
  /** Hedges per operation, over the whole process, 0 to 1. */
  readonly hedgeShare: number
  /** 0 to 1; 0.5 leaves the threshold as it is. */
  readonly aggressiveness: number
  /** ms after which an attempt on the route that has nothing to show is helped, whatever its chance; null: never for that. */
  readonly helpAfterMs: Readonly<Record<Route, number | null>>
}

export const defaultChanceSettings: ChanceSettings = Object.freeze({
  rescueThreshold: 0.2,
  rescueShare: 0.2,
  hedging: true,
  hedgeShare: 0.05,
  aggressiveness: 0.5,
  helpAfterMs: Object.freeze({ direct: null, mcp: null }),
})

/** Rescues that a quiet process has saved up: a burst on one target before its breaker opens. */
const burst = 20
/** Rescues that only emergencies and critical work may spend: humble work must not use up what they need. */
const keptForCritical = 10
/** The slightest risk: at full aggressiveness the threshold is this share of the configured one. */
const slightestShare = 0.05
/** An emergency has no other route to be saved by, and of a hundred one may be missed: its threshold is this share of the others'. */
const emergencyCaution = 0.25
/** Nothing there to help now: looked at again after this share of what is left. */
const lookAgainShare = 1 / 8
/** ms. No attempt is looked at more often. */
const shortestLookMs = 5
/** Samples before an estimate may refuse work, the chance of a miss at which it does, and how much is let through to learn. */
const doubtSamples = 20
const hopelessChance = 0.95
const letThroughShare = 0.05
/** As quick as this share of its kind an answer may well be: an emergency's last attempt begins in time for that. */
const quickShare = 0.3
/** The same where nothing was measured, as a share of the requirement: the median of the estimates' own prior. */
const unknownQuickShare = 0.1
/**
 * What waits is started where this share of its kind would still be in time; where nobody of its class can wait for that, where
 * this lower share would. It may wait for half of its time in any case.
 */
const surelyShare = 0.99
const likelyShare = 0.8
const mostEarly = 0.5

export class ChancePolicy implements RescuePolicy {
  readonly rescues: AttemptBudget
  readonly hedges: HedgeBudget
  readonly #forecast: LatencyForecast
  readonly #settings: ChanceSettings
  readonly #threshold: number

  constructor(settings: ChanceSettings, forecast: LatencyForecast) {
    this.#settings = settings
    this.#forecast = forecast
    this.#threshold = thresholdOf(settings.rescueThreshold, settings.aggressiveness)
    this.rescues = new AttemptBudget(settings.rescueShare, burst)
    this.hedges = new HedgeBudget(settings.hedging ? settings.hedgeShare : 0)
  }

  /** An operation was admitted. */
  earn(): void {
    this.rescues.earn()
    this.hedges.earn()
  }

  checkAtMs(work: PendingWork, attempt: PendingAttempt, facts: StepFacts): number {
    if (!hasOthers(work, facts)) return Number.POSITIVE_INFINITY
    const { startedAtMs } = attempt
    const { type } = work.operation
    const basis = basisOf(work)
    const key = keyOf(attempt.route, attempt.target)
    const threshold = this.#thresholdNow(work, facts)
    const timeLeftMs = dueByMs(work, startedAtMs) - startedAtMs
    const crossingMs = this.#forecast.crossingMs(key, type, basis, timeLeftMs, threshold, facts.nowMs)
    const tailMs = this.#settings.hedging && attempt.repeatable ? this.#forecast.tailMs(key, type, basis, timeLeftMs, threshold, facts.nowMs) : Number.POSITIVE_INFINITY
    // What is likely to be late from its start on is looked at in the next turn of the timer, not within its own start.
    const lateMs = Math.max(crossingMs, this.#forecast.patienceMs(key, type, basis, timeLeftMs, threshold, facts.nowMs))
    return startedAtMs + Math.max(shortestLookMs, Math.min(lateMs, tailMs, this.#helpAfterMs(attempt.route, threshold)))
  }

  onCheck(work: PendingWork, attempt: PendingAttempt, facts: StepFacts): RescueVerdict {
    const { nowMs } = facts
    const { type } = work.operation
    const basis = basisOf(work)
    const byMs = dueByMs(work, nowMs)
    const threshold = this.#thresholdNow(work, facts)
    const miss = this.#missOfRunning(work, basis, byMs, nowMs)
    let wanted = false
    const waitedMs = nowMs - attempt.startedAtMs
    // Compared as instants, as the timer was set: the difference of two of them may be short by a rounding.
    const overdueAt = attempt.startedAtMs + this.#helpAfterMs(attempt.route, threshold)
    const overdue = nowMs >= overdueAt
    const key = keyOf(attempt.route, attempt.target)
    const timeLeftMs = byMs - attempt.startedAtMs
    const patienceMs = this.#forecast.patienceMs(key, type, basis, timeLeftMs, threshold, nowMs)
    if ((miss >= threshold && nowMs >= attempt.startedAtMs + patienceMs) || overdue) {
      wanted = true
      // What is overdue by an operator's word is not judged by its own forecast.
      const helper = rescuerFor(work, attempt, this.#forecast, basis, byMs, overdue ? 1 : miss, facts)
      if (helper !== null && this.rescues.spend(work.priorityRank === 0 ? 0 : keptForCritical)) {
        this.hedges.onRescue()
        return { help: true, kind: 'rescue', ...helper }
      }
    }
    const tailMs = attempt.repeatable && this.#mayHedge(facts) ? this.#forecast.tailMs(key, type, basis, timeLeftMs, threshold, nowMs) : Number.POSITIVE_INFINITY
    const tail = attempt.startedAtMs + this.hedges.patience * tailMs
    if (nowMs >= tail) {
      wanted = true
      const hedge = hedgerFor(work, attempt, facts)
      if (hedge !== null && this.hedges.spend()) return { help: true, kind: 'hedge', ...hedge }
    }
    if (wanted) return { help: false, checkAgainAtMs: nowMs + Math.max(shortestLookMs, lookAgainShare * (byMs - nowMs)) }
    const crossing = attempt.startedAtMs + Math.max(patienceMs, this.#forecast.search(key, type, basis, waitedMs, timeLeftMs, threshold, nowMs))
    return { help: false, checkAgainAtMs: Math.max(nowMs + shortestLookMs, Math.min(crossing, overdueAt, tail)) }
  }

  onHedgeEnded(won: boolean): void {
    this.hedges.onEnded(won)
  }

  isWorthStarting(work: PendingWork, route: Route, target: string, atMs: number, facts: StepFacts): boolean {
    const { type } = work.operation
    if (type === 'emergency' || facts.random < letThroughShare) return true
    const basis = basisOf(work)
    const key = keyOf(route, target)
    if (this.#forecast.estimates.weight(key, type, basis, facts.nowMs) < doubtSamples) return true
    return this.#forecast.missChance(key, type, basis, 0, work.deadlineMs - atMs, facts.nowMs) < hopelessChance
  }

  latestStartMs(work: PendingWork, facts: StepFacts): number {
    let usualMs = Number.POSITIVE_INFINITY
    for (const route of work.plan.routes) {
      // Nobody is sent to one that rests.
      for (const { id, usable } of facts.conditions[route].candidates) if (usable) usualMs = Math.min(usualMs, this.#usualMs(work, keyOf(route, id), likelyShare, facts))
    }
    return latestBy(work, usualMs === Number.POSITIVE_INFINITY ? 0 : usualMs, facts.nowMs)
  }

  latestStartThereMs(work: PendingWork, route: Route, target: string, surely: boolean, facts: StepFacts): number {
    return latestBy(work, this.#usualMs(work, keyOf(route, target), surely ? surelyShare : likelyShare, facts), facts.nowMs)
  }

  #usualMs(work: PendingWork, key: string, share: number, facts: StepFacts): number {
    return this.#forecast.usualMs(key, work.operation.type, basisOf(work), share, facts.nowMs)
  }

  latestRetryMs(work: PendingWork, facts: StepFacts): number {
    const basis = basisOf(work)
    let quickestMs = Number.POSITIVE_INFINITY
    for (const route of work.plan.routes) {
      for (const { id } of facts.conditions[route].candidates) {
        quickestMs = Math.min(quickestMs, this.#forecast.estimates.ownQuantile(keyOf(route, id), work.operation.type, basis, quickShare) ?? Number.POSITIVE_INFINITY)
      }
    }
    const dueMs = dueByMs(work, facts.nowMs)
    const wholeMs = dueMs - work.arrivedAtMs
    return dueMs - Math.min(Number.isFinite(quickestMs) ? quickestMs : unknownQuickShare * wholeMs, mostEarly * wholeMs)
  }

  /** All that runs must miss for the operation to miss. */
  #missOfRunning(work: PendingWork, basis: LatencyBasis, byMs: number, nowMs: number): number {
    let miss = 1
    for (const { route, target, startedAtMs, outcome } of work.attempts) {
      if (outcome === null) miss *= this.#forecast.missChance(keyOf(route, target), work.operation.type, basis, nowMs - startedAtMs, byMs - nowMs, nowMs)
    }
    return miss
  }

  /** "Only after a failure" holds for it too. */
  #helpAfterMs(route: Route, threshold: number): number {
    return threshold === Number.POSITIVE_INFINITY ? threshold : (this.#settings.helpAfterMs[route] ?? Number.POSITIVE_INFINITY)
  }

  #mayHedge(facts: StepFacts): boolean {
    return this.#settings.hedging && !facts.conditions.crowded && !inEmergencyMode(facts.conditions.overrides, facts.nowMs)
  }

  #thresholdNow(work: PendingWork, facts: StepFacts): number {
    const lever = leverValue(facts.conditions.overrides, facts.nowMs)
    const threshold = lever === null ? this.#threshold : thresholdOf(this.#settings.rescueThreshold, lever)
    return work.operation.type === 'emergency' ? emergencyCaution * threshold : threshold
  }
}

/** The chance of a miss at which a rescue starts; above 1 none ever does. */
export function thresholdOf(configured: number, aggressiveness: number): number {
  if (aggressiveness <= 0) return Number.POSITIVE_INFINITY
  // Straight on a logarithmic scale, from certainty over the configured one to the slightest risk.
  if (aggressiveness < 0.5) return configured ** (2 * aggressiveness)
  return configured * slightestShare ** (2 * aggressiveness - 1)
}

function leverValue(overrides: Overrides, nowMs: number): number | null {
  const lever = overrides.fallbackAggressiveness
  return lever !== null && nowMs < lever.untilMs ? lever.value : null
}

function basisOf(work: PendingWork): LatencyBasis {
  return work.streaming ? 'first_content' : 'completion'
}

function latestBy(work: PendingWork, usualMs: number, nowMs: number): number {
  const dueMs = dueByMs(work, nowMs)
  return dueMs - Math.min(usualMs, mostEarly * (dueMs - work.arrivedAtMs))
}

/** Until the requirement has passed it counts; from then on the hard timeout does. */
function dueByMs(work: PendingWork, nowMs: number): number {
  return nowMs < work.requiredByMs ? work.requiredByMs : work.deadlineMs
}
