/**
 * What other thresholds would have done with the decisions that are on record: replays them with each and proposes the one
 * that serves the wish best, with the predicted gain.
 *
 * The replay is honest about what it cannot know. An attempt that answered took what it took. One that was given up took at
 * least as long, and how much longer is taken from what attempts of its kind did. A helper that was really started is taken as
 * it was; one that was not is taken from the answers on the other targets at that time. When help would have started follows
 * from estimates that are fed the same records in the same order. `replayed` beside `observed` says how far to trust it.
 *
 * Pure. Source: the runbook's optimization of the routing; public contract, part 3 ("Hindsight").
 */
import { operationTypes, type Matrix, type OperationType } from '../operation/matrix.ts'
import { estimateSettings, type LatencyBasis } from './latency-estimates.ts'
import { LatencyForecast } from './latency-forecast.ts'
import { estimateKey } from './target-record.ts'
import type { DecidedAttempt, DecisionRecord } from './decision-ledger.ts'

/** `latency` asks for the most answers in time, `cost` for the fewest extra attempts, `balanced` weighs them. */
export const optimizationModes = ['latency', 'balanced', 'cost'] as const
export type OptimizationMode = (typeof optimizationModes)[number]

export interface OptimizationWish {
  readonly mode: OptimizationMode
  /** The share of operations, 0 to 1, that should be answered in time; null: as many as now. */
  readonly targetEfficiency: number | null
}

export interface ThresholdFigures {
  /** The chance of a miss at which a rescue starts; above 1: only after a failure. */
  readonly rescueThreshold: number
  /** The share of operations answered in time, 0 to 1. */
  readonly inTimeShare: number
  /** Attempts beside the first that are started before a failure, per operation. */
  readonly helpShare: number
}

export interface ThresholdProposal {
  /** Decisions that could be replayed; with fewer than `leastRecords` nothing is proposed. */
  readonly records: number
  readonly observed: { readonly inTimeShare: number; readonly helpShare: number }
  /** The thresholds in force, replayed: how well the replay tells what happened. */
  readonly replayed: ThresholdFigures
  readonly tried: readonly ThresholdFigures[]
  /** Null where nothing better was found, or too little is on record. */
  readonly proposed: ThresholdFigures | null
  /** Of operations answered in time, by the proposal; 0 without one. */
  readonly predictedGain: number
  readonly reachesTarget: boolean | null
}

/** Fewer decisions say nothing about a threshold that concerns the slowest of them. */
export const leastRecords = 50
/** From the slightest risk to "only after a failure". */
const triedThresholds: readonly number[] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 2]
/** In balance, an extra attempt for every operation would be worth so many more answers in time. */
const balancedWeight = 0.1
/** Shares nearer to each other than this are the same: the replay is no more exact. */
const sameShare = 0.0005

export function proposeThresholds(records: readonly DecisionRecord[], matrix: Matrix, current: number, rescueShare: number, wish: OptimizationWish): ThresholdProposal {
  const replayable = records.filter(({ attempts, status }) => attempts.length > 0 && status !== 'cancelled').sort((one, other) => one.decidedAtMs - other.decidedAtMs)
  const answers = new Answers(replayable)
  const replayWith = (threshold: number): ThresholdFigures => replay(replayable, answers, matrix, threshold, rescueShare)
  const replayed = replayWith(current)
  const tried = triedThresholds.map(replayWith)
  const observed = {
    inTimeShare: shareOf(replayable, ({ slaMet }) => slaMet),
    helpShare: shareOf(replayable, (record) => helperOf(record) !== undefined),
  }
  const enough = replayable.length >= leastRecords
  const best = enough ? choose([replayed, ...tried], replayed, wish) : replayed
  const proposed = best === replayed ? null : best
  return {
    records: replayable.length,
    observed,
    replayed,
    tried,
    proposed,
    predictedGain: proposed === null ? 0 : proposed.inTimeShare - replayed.inTimeShare,
    reachesTarget: wish.targetEfficiency === null ? null : best.inTimeShare >= wish.targetEfficiency - sameShare,
  }
}

function choose(figures: readonly [ThresholdFigures, ...ThresholdFigures[]], now: ThresholdFigures, { mode, targetEfficiency }: OptimizationWish): ThresholdFigures {
  const floor = targetEfficiency ?? now.inTimeShare
  const reaching = figures.filter(({ inTimeShare }) => inTimeShare >= floor - sameShare)
  const value = ({ inTimeShare, helpShare }: ThresholdFigures): number => {
    switch (mode) {
      case 'latency':
        return inTimeShare - sameShare * helpShare
      case 'balanced':
        return inTimeShare - balancedWeight * helpShare
      case 'cost':
        return reaching.length === 0 ? inTimeShare : -helpShare
    }
  }
  // Who cares for latency first takes the best there is; the others what is enough, where something is.
  const among = mode === 'latency' || reaching.length === 0 ? figures : reaching
  let best = now
  let bestValue = among.includes(now) ? value(now) : Number.NEGATIVE_INFINITY
  for (const each of among) {
    if (value(each) <= bestValue + sameShare) continue
    best = each
    bestValue = value(each)
  }
  return best
}

function replay(records: readonly DecisionRecord[], answers: Answers, matrix: Matrix, threshold: number, rescueShare: number): ThresholdFigures {
  const forecast = new LatencyForecast(estimateSettings(matrix))
  let inTime = 0
  let helped = 0
  for (const record of records) {
    const [first] = record.attempts
    if (first === undefined) continue
    const nowMs = record.decidedAtMs
    const leftMs = record.latencyRequirementMs - first.startMs
    const key = estimateKey(first.route, first.target)
    const crossingMs = leftMs <= 0 ? Number.POSITIVE_INFINITY : forecast.crossingMs(key, record.operation, record.basis, leftMs, threshold, nowMs)
    const ownChance = answers.chanceWithin(record, first, leftMs)
    const failedMs = first.outcome === 'failed' || first.outcome === 'throttled' || first.outcome === 'rejected' ? first.durationMs : Number.POSITIVE_INFINITY
    const endMs = first.outcome === 'succeeded' ? judgedMs(record, first) : failedMs
    // Help from the budget before the end, or after a failure.
    const mayHelp = crossingMs < Math.min(endMs, leftMs) && helped < rescueShare * records.length
    const helpMs = Math.min(mayHelp ? crossingMs : Number.POSITIVE_INFINITY, failedMs)
    if (mayHelp) helped += 1
    const helpChance = helpMs < leftMs && answers.hasHelper(record) ? answers.helperChance(record, leftMs - helpMs) : 0
    inTime += 1 - (1 - ownChance) * (1 - helpChance)
    if (first.outcome === 'succeeded') forecast.estimates.onCompleted(key, record.operation, judgedMs(record, first), null, 0, nowMs)
    else if (failedMs === Number.POSITIVE_INFINITY) forecast.onAbandoned(key, record.operation, 'completion', first.durationMs, nowMs)
  }
  return { rescueThreshold: threshold, inTimeShare: inTime / Math.max(1, records.length), helpShare: helped / Math.max(1, records.length) }
}

/** How long attempts took that answered, and how many never did, by target and type. */
class Answers {
  readonly #byKey = new Map<string, { readonly took: number[]; failed: number }>()
  /** By type: the other places that were seen to answer at all. */
  readonly #places = new Map<OperationType, Set<string>>()

  constructor(records: readonly DecisionRecord[]) {
    for (const type of operationTypes) this.#places.set(type, new Set())
    for (const record of records) {
      for (const attempt of record.attempts) {
        if (attempt.outcome === 'cancelled' && attempt.durationMs < record.latencyRequirementMs) continue
        const kept = this.#kept(record, attempt)
        if (attempt.outcome === 'succeeded') kept.took.push(judgedMs(record, attempt))
        else kept.failed += 1
        this.#places.get(record.operation)?.add(estimateKey(attempt.route, attempt.target))
      }
    }
    for (const { took } of this.#byKey.values()) took.sort((a, b) => a - b)
  }

  /** Whether the first attempt answers within the time; between 0 and 1 where it was given up before it could show. */
  chanceWithin(record: DecisionRecord, first: DecidedAttempt, leftMs: number): number {
    if (first.outcome === 'succeeded') return judgedMs(record, first) <= leftMs ? 1 : 0
    if (first.outcome !== 'cancelled' || first.durationMs >= leftMs) return 0
    const kept = this.#kept(record, first)
    const beyond = kept.took.length - countUpTo(kept.took, first.durationMs) + kept.failed
    return beyond === 0 ? 0 : (countUpTo(kept.took, leftMs) - countUpTo(kept.took, first.durationMs)) / beyond
  }

  hasHelper(record: DecisionRecord): boolean {
    return helperOf(record) !== undefined || this.#others(record).length > 0
  }

  helperChance(record: DecisionRecord, leftMs: number): number {
    const helper = helperOf(record)
    if (helper?.outcome === 'succeeded') return judgedMs(record, helper) <= leftMs ? 1 : 0
    let best = 0
    for (const key of this.#others(record)) {
      const kept = this.#byKey.get(keyFor(key, record.operation, record.basis))
      const all = (kept?.took.length ?? 0) + (kept?.failed ?? 0)
      if (kept !== undefined && all > 0) best = Math.max(best, countUpTo(kept.took, leftMs) / all)
    }
    return best
  }

  #others(record: DecisionRecord): readonly string[] {
    const [first] = record.attempts
    const routes = new Set([first?.route, ...record.decision.alternatives.filter(({ reason }) => reason === 'fallback' || reason === 'unavailable').map(({ route }) => route)])
    const own = first === undefined ? '' : estimateKey(first.route, first.target)
    return [...(this.#places.get(record.operation) ?? [])].filter((key) => key !== own && [...routes].some((route) => route !== undefined && key.startsWith(`${route}/`)))
  }

  #kept(record: DecisionRecord, attempt: DecidedAttempt): { readonly took: number[]; failed: number } {
    const key = keyFor(estimateKey(attempt.route, attempt.target), record.operation, record.basis)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const fresh = { took: [], failed: 0 }
    this.#byKey.set(key, fresh)
    return fresh
  }
}

function keyFor(place: string, type: OperationType, basis: LatencyBasis): string {
  return `${place} ${type} ${basis}`
}

/** Help that was started before the first attempt had failed. */
function helperOf({ attempts }: DecisionRecord): DecidedAttempt | undefined {
  const [first, second] = attempts
  return first !== undefined && second !== undefined && second.startMs < first.startMs + first.durationMs ? second : undefined
}

/** For a stream the winner's first content is all that is on record; its attempt as a whole lasts longer. */
function judgedMs(record: DecisionRecord, attempt: DecidedAttempt): number {
  return record.basis === 'first_content' ? Math.min(attempt.durationMs, Math.max(0, record.latencyMs - attempt.startMs)) : attempt.durationMs
}

function shareOf(records: readonly DecisionRecord[], holds: (record: DecisionRecord) => boolean): number {
  return records.filter(holds).length / Math.max(1, records.length)
}

function countUpTo(sorted: readonly number[], value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? 0) <= value) low = middle + 1
    else high = middle
  }
  return low
}
