/**
 * What is known of one target or MCP server, in the form in which the core reads it (`Candidate`), with its breaker, its
 * limiter and how quick it was lately beside it. The table of records (`target-states.ts`) owns and changes it.
 *
 * Slowness is a ratio: how long answers took lately, compared with what is usual for operations of their type on this route,
 * so that a target that got the long work does not look slow. It is forgotten when it was not measured lately: otherwise the
 * preferred target would never get back the traffic by which it could show that it is quick again. A target that throttles
 * most of what it is sent counts as slow as well: it costs an attempt more often than it answers.
 */
import { admission, closedBreaker, type BreakerSettings, type BreakerState } from '../breaker/breaker.ts'
import type { Route } from '../operation/matrix.ts'
import type { ConcurrencyLimit } from './concurrency-limit.ts'
import { unlimited } from './concurrency-limit.ts'
import type { Candidate, UnusableReason } from './conditions.ts'

/**
 * throttledShare, throttledWithinMs: more often than not, and lately.
 * factor: quantiles of language models differ by a factor of two between minutes.
 * samples: five smooth one outlier.
 * withinMs: half of what hindsight looks back; longer would avoid a target for too long.
 * smoothing: the weight of a new sample, about the last ten count.
 * usualSmoothing: what is usual moves ten times slower than what is recent.
 */
export const slowness = Object.freeze({ factor: 2, samples: 5, withinMs: 30_000, smoothing: 0.2, usualSmoothing: 0.02, throttledShare: 0.5, throttledWithinMs: 5_000 })

export interface TargetRecord extends Candidate {
  readonly route: Route
  /** Names it in estimates: two routes may use the same id. */
  readonly key: string
  usable: boolean
  unusableReason: UnusableReason | null
  throttledUntilMs: number
  inFlight: number
  limit: number
  probing: boolean
  lastThrottledMs: number
  lastFailureMs: number
  slow: boolean
  breaker: BreakerState
  /** False: an operator has switched its breaker off; it still counts. */
  breaking: boolean
  /** The Health Checker found it down: others go first. */
  down: boolean
  limiter: ConcurrencyLimit
  /** Latency lately by what is usual: 1 is usual. */
  ratio: number
  samples: number
  measuredAtMs: number
  /** The share of throttles among the last attempts. */
  throttledShare: number
}

export function newRecord(route: Route, id: string): TargetRecord {
  return {
    id,
    route,
    key: estimateKey(route, id),
    usable: true,
    unusableReason: null,
    throttledUntilMs: 0,
    inFlight: 0,
    limit: Number.POSITIVE_INFINITY,
    probing: false,
    lastThrottledMs: Number.NEGATIVE_INFINITY,
    lastFailureMs: Number.NEGATIVE_INFINITY,
    slow: false,
    breaker: closedBreaker(),
    breaking: true,
    down: false,
    limiter: unlimited,
    ratio: 1,
    samples: 0,
    measuredAtMs: Number.NEGATIVE_INFINITY,
    throttledShare: 0,
  }
}

export function measure(record: TargetRecord, ratio: number, nowMs: number): void {
  const stale = nowMs - record.measuredAtMs > slowness.withinMs
  record.ratio = stale ? ratio : record.ratio + slowness.smoothing * (ratio - record.ratio)
  record.samples = stale ? 1 : record.samples + 1
  record.measuredAtMs = nowMs
}

/** What time alone changes: rests end, measurements grow old. `chance` is uniform in [0, 1). */
export function refresh(records: readonly TargetRecord[], settings: BreakerSettings, nowMs: number, chance: number): void {
  let best = Number.POSITIVE_INFINITY
  for (const record of records) {
    const admitted = !record.breaking || record.breaker.phase === 'closed' ? 'pass' : admission(record.breaker, nowMs, settings, chance).kind
    record.usable = admitted !== 'elsewhere' && !record.down
    record.unusableReason = record.usable ? null : admitted === 'elsewhere' ? 'breaker_open' : 'unhealthy'
    record.probing = admitted === 'probe'
    if (record.usable && isMeasured(record, nowMs) && record.ratio < best) best = record.ratio
  }
  for (const record of records) record.slow = (isMeasured(record, nowMs) && record.ratio > slowness.factor * best) || throttlesMost(record, nowMs)
}

export function noteThrottle(record: TargetRecord, throttled: boolean): void {
  record.throttledShare += slowness.smoothing * ((throttled ? 1 : 0) - record.throttledShare)
}

function throttlesMost(record: TargetRecord, nowMs: number): boolean {
  return record.throttledShare > slowness.throttledShare && nowMs - record.lastThrottledMs < slowness.throttledWithinMs
}

function isMeasured(record: TargetRecord, nowMs: number): boolean {
  return record.samples >= slowness.samples && nowMs - record.measuredAtMs <= slowness.withinMs
}

/** What names a target in the estimates: two routes may use the same id. */
export function estimateKey(route: Route, id: string): string {
  return `${route}/${id}`
}
