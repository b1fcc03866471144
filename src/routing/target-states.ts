/**
 * The live view: what was seen of every target and MCP server, told by the events of its attempts, in the form that the core
 * reads. It keeps breaker, limiter and estimates of each; it decides nothing about operations.
 *
 *   conditions(topology, overrides, nowMs, chance)   the view for one operation; its candidates are the table's own records
 *   onStarted, onFirstContent, onAnswered,           what attempts tell, one end for every start
 *   onFailed, onCancelled
 *   onCrowded(nowMs)                                 work waits for room or was shed
 *   breakers(nowMs), resetBreakers, enableBreakers   for operators and health
 *   setDown                                          what the Health Checker found: reorders, never refuses
 *   takeChanges()                                    trips and recoveries since the last call
 *   forecast                                         chances and quantiles, for whoever plans ahead
 *
 * To have been overtaken by the help that was started for it counts as a failure: a target that hangs never fails by itself.
 * A `Retry-After` is obeyed up to a limit, so that one wrong header does not close a target for a day. An attempt that we
 * refused ourselves says nothing about the target, nor does one that the caller ended.
 *
 * Pure: told what happened and when. Source: house design, "What the core knows of the world" and "Breakers".
 */
import { atInstant, onOutcome, onStart, resetBreaker, type BreakerPhase, type BreakerSettings, type BreakerState } from '../breaker/breaker.ts'
import { verdictOn } from '../breaker/fault-verdict.ts'
import type { Fault } from '../operation/fault.ts'
import { operationTypes, routes, type OperationType, type Route } from '../operation/matrix.ts'
import { onAttemptEnd, onAttemptStart, type ConcurrencyLimitSettings, type LimitSignal } from './concurrency-limit.ts'
import type { Conditions, Overrides, RouteConditions, RouteTopology, Topology } from './conditions.ts'
import type { LatencyBasis, LatencyEstimateSettings } from './latency-estimates.ts'
import { LatencyForecast } from './latency-forecast.ts'
import { measure, newRecord, noteThrottle, refresh, slowness, type TargetRecord } from './target-record.ts'

export interface TargetStateSettings {
  readonly breaker: BreakerSettings
  readonly limiter: ConcurrencyLimitSettings
  readonly estimates: LatencyEstimateSettings
}

/** One attempt, as it was asked for. */
export interface AttemptSubject {
  readonly route: Route
  readonly target: string
  readonly type: OperationType
  readonly basis: LatencyBasis
}

export interface AttemptAnswer {
  readonly tookMs: number
  /** Null where it was not seen. */
  readonly firstContentMs: number | null
  readonly outputTokens: number
}

/** All, those of one route, or those of one target. */
export interface BreakerChoice {
  readonly route?: Route
  readonly target?: string
}

export interface BreakerSnapshot {
  readonly route: Route
  readonly target: string
  /** False: switched off by an operator. */
  readonly enabled: boolean
  readonly phase: BreakerPhase
  readonly trips: number
  readonly recoveries: number
  /** When an open one lets a probe through. */
  readonly untilMs: number | null
  readonly inFlight: number
  /** Null as long as the target has not said that there is one. */
  readonly limit: number | null
  readonly throttledUntilMs: number | null
}

export interface BreakerChange {
  readonly route: Route
  readonly target: string
  readonly change: 'tripped' | 'recovered'
}

/** ms. AWS counts quotas per minute: what asks for longer is asked again after a minute. */
export const longestThrottleMs = 60_000
/** ms for which the system counts as crowded after work had to wait or was shed. */
export const crowdedForMs = 5_000

const noChanges: readonly BreakerChange[] = Object.freeze([])

interface RouteView extends RouteConditions {
  readonly candidates: readonly TargetRecord[]
}

export class TargetStates {
  readonly forecast: LatencyForecast
  #settings: TargetStateSettings
  readonly #records: Readonly<Record<Route, Map<string, TargetRecord>>> = { direct: new Map(), mcp: new Map() }
  readonly #views: Readonly<Record<Route, WeakMap<RouteTopology, RouteView>>> = { direct: new WeakMap(), mcp: new WeakMap() }
  /** What is usual, by route, basis and type: ms, 0 as long as nothing was measured. */
  readonly #usual = new Map<string, Float64Array>()
  #changes: BreakerChange[] = []
  #crowdedUntilMs = Number.NEGATIVE_INFINITY
  /** Of records that are made later. */
  readonly #breaking: Record<Route, boolean> = { direct: true, mcp: true }

  constructor(settings: TargetStateSettings) {
    this.#settings = settings
    this.forecast = new LatencyForecast(settings.estimates)
  }

  /** Breaker and limiter follow at once; what was measured stays, with the decay that it was measured with. */
  configure(settings: TargetStateSettings): void {
    this.#settings = settings
  }

  conditions(topology: Topology, overrides: Overrides, nowMs: number, chance: number): Conditions {
    return {
      direct: this.#viewOf('direct', topology.direct, nowMs, chance),
      mcp: this.#viewOf('mcp', topology.mcp, nowMs, chance),
      overrides,
      crowded: nowMs < this.#crowdedUntilMs,
    }
  }

  /** Whether some target of the route that does not rest has a place left for the most urgent. */
  hasRoom(route: Route, nowMs: number): boolean {
    for (const { inFlight, limit, throttledUntilMs, breaking, breaker, down } of this.#records[route].values()) {
      if (inFlight >= limit || throttledUntilMs > nowMs || down) continue
      if (!breaking || atInstant(breaker, nowMs, this.#settings.breaker).phase !== 'open') return true
    }
    return false
  }

  /** Answers how many are in flight there now, this one included. */
  onStarted(route: Route, target: string, nowMs: number): number {
    const record = this.#recordOf(route, target)
    record.limiter = onAttemptStart(record.limiter)
    record.inFlight = record.limiter.inFlight
    if (record.breaker.phase !== 'closed') this.#setBreaker(record, onStart(record.breaker, nowMs, this.#settings.breaker))
    return record.inFlight
  }

  onFirstContent(subject: AttemptSubject, afterMs: number, nowMs: number): void {
    const { key } = this.#recordOf(subject.route, subject.target)
    this.forecast.estimates.onFirstContent(key, subject.type, afterMs, nowMs)
  }

  onAnswered(subject: AttemptSubject, answer: AttemptAnswer, nowMs: number): void {
    const { route, target, type, basis } = subject
    const record = this.#recordOf(route, target)
    const { tookMs, firstContentMs, outputTokens } = answer
    this.forecast.estimates.onCompleted(record.key, type, tookMs, firstContentMs, outputTokens, nowMs)
    const judgedMs = basis === 'first_content' ? (firstContentMs ?? tookMs) : tookMs
    const ratio = judgedMs / this.#learnUsual(route, type, basis, judgedMs)
    measure(record, ratio, nowMs)
    noteThrottle(record, false)
    // Completion measures the answer's length, not the queue: only first content says that it is too much.
    this.#limit(record, { kind: 'answered', slowness: basis === 'first_content' ? ratio : null, tookMs }, nowMs)
    this.#outcome(record, 'succeeded', nowMs)
  }

  /**
   * @param waitedMs from its start
   * @param among what `onStarted` answered
   */
  onFailed(subject: AttemptSubject, fault: Fault, waitedMs: number, among: number, nowMs: number): void {
    const record = this.#recordOf(subject.route, subject.target)
    if (fault.rejected === true) {
      this.#limit(record, silent, nowMs)
      this.#outcome(record, 'neutral', nowMs)
      return
    }
    if (fault.kind === 'timeout') this.forecast.onAbandoned(record.key, subject.type, subject.basis, waitedMs, nowMs)
    const verdict = verdictOn(fault.kind)
    if (fault.kind === 'throttled') {
      record.lastThrottledMs = nowMs
      noteThrottle(record, true)
      const retryAfterMs = fault.retryAfterMs === undefined ? undefined : Math.min(longestThrottleMs, fault.retryAfterMs)
      this.#limit(record, { kind: 'too_much', retryAfterMs, startedAtMs: nowMs - waitedMs, among }, nowMs)
    } else {
      this.#limit(record, silent, nowMs)
      if (verdict === 'failed') record.lastFailureMs = nowMs
    }
    this.#outcome(record, verdict, nowMs)
  }

  /** @param overdue help had been started for it and was quicker, or the hard timeout struck */
  onCancelled(subject: AttemptSubject, overdue: boolean, waitedMs: number, nowMs: number): void {
    const record = this.#recordOf(subject.route, subject.target)
    this.#limit(record, silent, nowMs)
    if (overdue) {
      record.lastFailureMs = nowMs
      this.forecast.onAbandoned(record.key, subject.type, subject.basis, waitedMs, nowMs)
    }
    this.#outcome(record, overdue ? 'failed' : 'neutral', nowMs)
  }

  onCrowded(nowMs: number): void {
    this.#crowdedUntilMs = nowMs + crowdedForMs
  }

  breakers(nowMs: number): readonly BreakerSnapshot[] {
    const all: BreakerSnapshot[] = []
    for (const records of [this.#records.direct, this.#records.mcp]) {
      for (const record of records.values()) {
        const breaker = atInstant(record.breaker, nowMs, this.#settings.breaker)
        const { route, id: target, inFlight, limiter } = record
        all.push({
          route,
          target,
          enabled: record.breaking,
          phase: breaker.phase,
          trips: breaker.trips,
          recoveries: breaker.recoveries,
          untilMs: breaker.phase === 'open' ? breaker.untilMs : null,
          inFlight,
          limit: limiter.limit,
          throttledUntilMs: record.throttledUntilMs > nowMs ? record.throttledUntilMs : null,
        })
      }
    }
    return all
  }

  /** Closed again, with nothing held against them. Answers how many were not closed. */
  resetBreakers(which: BreakerChoice = {}): number {
    let opened = 0
    for (const record of this.#chosen(which)) {
      if (record.breaker.phase !== 'closed') opened += 1
      record.breaker = resetBreaker(record.breaker)
    }
    return opened
  }

  /** Switched off, a breaker still counts, and its target does not rest. */
  enableBreakers(enabled: boolean, which: BreakerChoice = {}): void {
    for (const record of this.#chosen(which)) record.breaking = enabled
    if (which.target !== undefined) return
    for (const route of routes) if (which.route === undefined || which.route === route) this.#breaking[route] = enabled
  }

  setDown(route: Route, target: string, down: boolean): void {
    this.#recordOf(route, target).down = down
  }

  takeChanges(): readonly BreakerChange[] {
    if (this.#changes.length === 0) return noChanges
    const changes = this.#changes
    this.#changes = []
    return changes
  }

  #viewOf(route: Route, topology: RouteTopology, nowMs: number, chance: number): RouteView {
    let view = this.#views[route].get(topology)
    if (view === undefined) {
      const { carriesMoreThanText, repeatable } = topology
      view = { carriesMoreThanText, repeatable, candidates: topology.targets.map((target) => this.#recordOf(route, target)) }
      this.#views[route].set(topology, view)
    }
    refresh(view.candidates, this.#settings.breaker, nowMs, chance)
    return view
  }

  #chosen(which: BreakerChoice): TargetRecord[] {
    const all = [...this.#records.direct.values(), ...this.#records.mcp.values()]
    return all.filter(({ route, id }) => (which.route ?? route) === route && (which.target ?? id) === id)
  }

  #recordOf(route: Route, target: string): TargetRecord {
    const known = this.#records[route].get(target)
    if (known !== undefined) return known
    const fresh = newRecord(route, target)
    fresh.breaking = this.#breaking[route]
    this.#records[route].set(target, fresh)
    return fresh
  }

  #limit(record: TargetRecord, signal: LimitSignal, nowMs: number): void {
    const limiter = onAttemptEnd(record.limiter, signal, nowMs, this.#settings.limiter)
    record.limiter = limiter
    record.inFlight = limiter.inFlight
    record.limit = limiter.limit ?? Number.POSITIVE_INFINITY
    record.throttledUntilMs = Math.max(0, limiter.pausedUntilMs)
  }

  #outcome(record: TargetRecord, outcome: 'succeeded' | 'failed' | 'neutral', nowMs: number): void {
    this.#setBreaker(record, onOutcome(record.breaker, outcome, nowMs, this.#settings.breaker))
  }

  #setBreaker(record: TargetRecord, next: BreakerState): void {
    const { breaker, route, id: target } = record
    if (next.trips > breaker.trips) {
      this.#changes.push({ route, target, change: 'tripped' })
      this.forecast.expire()
    }
    if (next.recoveries > breaker.recoveries) this.#changes.push({ route, target, change: 'recovered' })
    record.breaker = next
  }

  /** Answers what was usual before this sample, and takes the sample into it. */
  #learnUsual(route: Route, type: OperationType, basis: LatencyBasis, judgedMs: number): number {
    const kind = usualKeys[route][basis]
    let byType = this.#usual.get(kind)
    if (byType === undefined) {
      byType = new Float64Array(operationTypes.length)
      this.#usual.set(kind, byType)
    }
    const index = operationTypes.indexOf(type)
    const before = byType[index] ?? 0
    const sample = Math.max(0.1, judgedMs)
    byType[index] = before === 0 ? sample : before + slowness.usualSmoothing * (sample - before)
    return before === 0 ? sample : before
  }
}

const silent: LimitSignal = Object.freeze({ kind: 'silent' })

const usualKeys: Readonly<Record<Route, Readonly<Record<LatencyBasis, string>>>> = Object.freeze({
  direct: Object.freeze({ first_content: 'direct first_content', completion: 'direct completion' }),
  mcp: Object.freeze({ first_content: 'mcp first_content', completion: 'mcp completion' }),
})
