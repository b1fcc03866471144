/**
 * A circuit breaker for one target or one MCP server, as a pure state machine: told what happened and when, it answers
 * with the next state. It holds no timer: an open breaker becomes half-open because time has passed, and says so when asked.
 *
 *   closed     calls pass. Trips on 3 failures in a row within the window, or on a share of failures over at least 20 calls.
 *   open       calls go elsewhere and cost nothing, until the rest ends. Every trip in a row rests longer, up to a bound.
 *   half-open  a quota of probes passes at a time. Enough successes close it, by a ramp; one failure opens it again.
 *   ramping    a growing share of calls passes, so that a target that comes back is not knocked over. A failure in a row as
 *              many as trip a closed breaker opens it again.
 *
 * It must not know what a call is, nor who asks: an open breaker reorders candidates, and whether anybody may ignore it (an
 * emergency may, and so may the last candidate) is decided in `routing/`.
 *
 * Source: the design's "Breakers"; the states are those of Nygard, "Release It!" (2007), the ramp is the answer to thundering
 * returns.
 */
import { countFailures, countCalls, emptyWindow, recordCall, type CallWindow } from './call-window.ts'

export interface BreakerSettings {
  /** Calls older than this do not count. */
  readonly windowMs: number
  /** No share is judged over fewer calls: one failure of two is no evidence. */
  readonly minimumCalls: number
  /** Share of failed calls, 0 to 1, at which it trips. */
  readonly failureShare: number
  /** Failures in a row within the window at which it trips, however few calls there were. */
  readonly consecutiveFailures: number
  /** The first rest; doubled at every trip without a full recovery between. */
  readonly restMs: number
  readonly longestRestMs: number
  /** Probes that may run at the same time while half-open. */
  readonly probeQuota: number
  /** Successful probes after which it begins to close. */
  readonly probeSuccesses: number
  /** How long the ramp from `rampStartShare` to all calls takes. */
  readonly rampMs: number
  readonly rampStartShare: number
}

/** Sizes from the design; the rest is short because a probe costs one call and a recovered target unused costs latency. */
export const defaultBreakerSettings: BreakerSettings = Object.freeze({
  windowMs: 10_000,
  minimumCalls: 20,
  failureShare: 0.5,
  consecutiveFailures: 3,
  restMs: 1_000,
  longestRestMs: 30_000,
  probeQuota: 1,
  probeSuccesses: 2,
  rampMs: 5_000,
  rampStartShare: 0.1,
})

interface Counted {
  /** Trips since the last full recovery: sets the length of the rest. */
  readonly tripsInARow: number
  /** Since the start or the last reset, for metrics. */
  readonly trips: number
  readonly recoveries: number
}

export type BreakerState = Counted &
  (
    | { readonly phase: 'closed'; readonly window: CallWindow; readonly failuresInARow: number; readonly lastFailureAtMs: number }
    | { readonly phase: 'open'; readonly sinceMs: number; readonly untilMs: number }
    | { readonly phase: 'half_open'; readonly sinceMs: number; readonly probesInFlight: number; readonly successes: number }
    | { readonly phase: 'ramping'; readonly sinceMs: number; readonly failuresInARow: number }
  )

export type BreakerPhase = BreakerState['phase']

/** What a breaker says to a call: pass, pass as one of the probes, or go elsewhere until then. */
export type Admission = { readonly kind: 'pass' } | { readonly kind: 'probe' } | { readonly kind: 'elsewhere'; readonly untilMs: number }

const pass: Admission = Object.freeze({ kind: 'pass' })
const probe: Admission = Object.freeze({ kind: 'probe' })

export function closedBreaker(): BreakerState {
  return { phase: 'closed', window: emptyWindow, failuresInARow: 0, lastFailureAtMs: Number.NEGATIVE_INFINITY, tripsInARow: 0, trips: 0, recoveries: 0 }
}

/** What time alone has changed: an open breaker whose rest is over is half-open, a ramp that is over is closed. */
export function atInstant(state: BreakerState, nowMs: number, settings: BreakerSettings): BreakerState {
  if (state.phase === 'open' && nowMs >= state.untilMs) return { ...counts(state), phase: 'half_open', sinceMs: state.untilMs, probesInFlight: 0, successes: 0 }
  if (state.phase === 'ramping' && nowMs >= state.sinceMs + settings.rampMs) {
    return { phase: 'closed', window: emptyWindow, failuresInARow: state.failuresInARow, lastFailureAtMs: nowMs, tripsInARow: 0, trips: state.trips, recoveries: state.recoveries + 1 }
  }
  return state
}

/**
 * Whether a call may use the target now. Asking changes nothing: a caller that goes ahead says so with `onStart`.
 * @param chance uniform in [0, 1), for the ramp
 */
export function admission(state: BreakerState, nowMs: number, settings: BreakerSettings, chance: number): Admission {
  const now = atInstant(state, nowMs, settings)
  switch (now.phase) {
    case 'closed':
      return pass
    case 'open':
      return { kind: 'elsewhere', untilMs: now.untilMs }
    case 'half_open':
      return now.probesInFlight < settings.probeQuota ? probe : { kind: 'elsewhere', untilMs: nowMs + settings.restMs }
    case 'ramping':
      return chance < rampShare(now.sinceMs, nowMs, settings) ? pass : { kind: 'elsewhere', untilMs: now.sinceMs + settings.rampMs }
  }
}

/** A call has begun, whatever `admission` said: one that was let through regardless is a probe too. */
export function onStart(state: BreakerState, nowMs: number, settings: BreakerSettings): BreakerState {
  const now = atInstant(state, nowMs, settings)
  return now.phase === 'half_open' ? { ...now, probesInFlight: now.probesInFlight + 1 } : now
}

/**
 * A call has ended. `neutral` is an end that says nothing about the target: cancelled by us, throttled, or wrong by itself.
 */
export function onOutcome(state: BreakerState, outcome: 'succeeded' | 'failed' | 'neutral', nowMs: number, settings: BreakerSettings): BreakerState {
  const now = atInstant(state, nowMs, settings)
  switch (now.phase) {
    case 'closed':
      return outcome === 'neutral' ? now : closedAfter(now, outcome, nowMs, settings)
    case 'open':
      // A call that began before the trip, or an emergency. Its success is good news, but only a probe after the rest is proof.
      return now
    case 'half_open': {
      const probesInFlight = Math.max(0, now.probesInFlight - 1)
      if (outcome === 'neutral') return { ...now, probesInFlight }
      if (outcome === 'failed') return trip(now, nowMs, settings)
      const successes = now.successes + 1
      return successes >= settings.probeSuccesses
        ? { ...counts(now), phase: 'ramping', sinceMs: nowMs, failuresInARow: 0 }
        : { ...now, probesInFlight, successes }
    }
    case 'ramping': {
      if (outcome === 'neutral') return now
      const failuresInARow = outcome === 'failed' ? now.failuresInARow + 1 : 0
      return failuresInARow >= settings.consecutiveFailures ? trip(now, nowMs, settings) : { ...now, failuresInARow }
    }
  }
}

/** An operator's reset: closed, with nothing held against the target. The counts stay, they are history. */
export function resetBreaker(state: BreakerState): BreakerState {
  return { ...closedBreaker(), trips: state.trips, recoveries: state.recoveries }
}

/** Share of calls that pass during the ramp: straight from the start share to all. */
export function rampShare(sinceMs: number, nowMs: number, settings: BreakerSettings): number {
  const elapsed = Math.min(1, Math.max(0, (nowMs - sinceMs) / settings.rampMs))
  return settings.rampStartShare + (1 - settings.rampStartShare) * elapsed
}

function closedAfter(state: Extract<BreakerState, { phase: 'closed' }>, outcome: 'succeeded' | 'failed', nowMs: number, settings: BreakerSettings): BreakerState {
  const failed = outcome === 'failed'
  const window = recordCall(state.window, failed, nowMs, settings.windowMs)
  // Failures in a row only speak together when they are near each other: one an hour is not a broken target.
  const recent = nowMs - state.lastFailureAtMs <= settings.windowMs
  const failuresInARow = failed ? (recent ? state.failuresInARow + 1 : 1) : 0
  const calls = countCalls(window)
  const tooMany = calls >= settings.minimumCalls && countFailures(window) >= settings.failureShare * calls
  if (failed && (failuresInARow >= settings.consecutiveFailures || tooMany)) return trip(state, nowMs, settings)
  return { ...state, window, failuresInARow, lastFailureAtMs: failed ? nowMs : state.lastFailureAtMs }
}

function trip(state: BreakerState, nowMs: number, settings: BreakerSettings): BreakerState {
  const restMs = Math.min(settings.longestRestMs, settings.restMs * 2 ** Math.min(state.tripsInARow, 30))
  return { phase: 'open', sinceMs: nowMs, untilMs: nowMs + restMs, tripsInARow: state.tripsInARow + 1, trips: state.trips + 1, recoveries: state.recoveries }
}

function counts(state: BreakerState): Counted {
  return { tripsInARow: state.tripsInARow, trips: state.trips, recoveries: state.recoveries }
}
