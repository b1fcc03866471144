/**
 * How many attempts one target takes at a time, found by additive increase and multiplicative decrease: a throttle or an
 * overload answer says that it was too much, answers in good time say that one more is worth trying. A throttle slows a
 * target; it never trips its breaker.
 *
 * Nothing is limited until the target itself has said that there is a limit: a new process knows no number, and any
 * guess would be wrong for somebody. The first such answer sets the limit from what was in flight then.
 *
 * What is left of the limit is shared by priority: the lower a class, the earlier it finds the target full, so that the
 * last places are there for critical work; an emergency passes whatever the limit says. Time to first token is the
 * latency signal, since completion measures the length of the answer and not the queue.
 *
 * Pure: told what happened and when. Source: the design's "One limiter per target"; Chiu and Jain, "Analysis of the
 * increase and decrease algorithms" (1989); the gradient idea is that of Netflix's concurrency-limits.
 */
import type { OperationType, Priority } from '../operation/matrix.ts'

export interface ConcurrencyLimitSettings {
  readonly lowest: number
  readonly highest: number
  /** The limit is multiplied by this after a throttle or an overload answer. */
  readonly decrease: number
  /** ... and by this when first content takes several times its usual time. */
  readonly slowDecrease: number
  /** First content later than this many times the usual counts as slow. */
  readonly slowFactor: number
  /** Answers to what was sent before a decrease do not decrease again: at most one decrease in this time. */
  readonly decreaseEveryMs: number
  /** The share of the limit that a class may fill. */
  readonly shareOf: Readonly<Record<Priority, number>>
}

export const defaultConcurrencyLimitSettings: ConcurrencyLimitSettings = Object.freeze({
  lowest: 1,
  highest: 10_000,
  decrease: 0.85,
  slowDecrease: 0.9,
  slowFactor: 3,
  decreaseEveryMs: 200,
  // Small differences: what waits is ordered by class anyway, and a target must not stand half idle because the work is humble.
  shareOf: Object.freeze({ critical: 1, high: 0.97, medium: 0.94, low: 0.91 }),
})

export interface ConcurrencyLimit {
  /** Null until the target has said that there is one. */
  readonly limit: number | null
  readonly inFlight: number
  /** Attempts wait until then, because the target asked for it. */
  readonly pausedUntilMs: number
  readonly lastDecreaseAtMs: number
}

export const unlimited: ConcurrencyLimit = Object.freeze({ limit: null, inFlight: 0, pausedUntilMs: Number.NEGATIVE_INFINITY, lastDecreaseAtMs: Number.NEGATIVE_INFINITY })

/** Whether an attempt of this class may start now. An emergency may always. */
export function hasRoom(state: ConcurrencyLimit, type: OperationType, priority: Priority, nowMs: number, settings: ConcurrencyLimitSettings): boolean {
  if (type === 'emergency') return true
  if (nowMs < state.pausedUntilMs) return false
  if (state.limit === null) return true
  // One place is always there for every class: a limit of 1 must not starve the lowest one for good.
  return state.inFlight < Math.max(1, state.limit * settings.shareOf[priority])
}

export function onAttemptStart(state: ConcurrencyLimit): ConcurrencyLimit {
  return { ...state, inFlight: state.inFlight + 1 }
}

export type LimitSignal =
  | { readonly kind: 'answered'; /** First content compared with the usual: 1 is usual. */ readonly slowness: number }
  | { readonly kind: 'too_much'; readonly retryAfterMs: number | undefined }
  /** Ended without a word about capacity. */
  | { readonly kind: 'silent' }

export function onAttemptEnd(state: ConcurrencyLimit, signal: LimitSignal, nowMs: number, settings: ConcurrencyLimitSettings): ConcurrencyLimit {
  const busy = state.inFlight
  const ended = { ...state, inFlight: Math.max(0, busy - 1) }
  switch (signal.kind) {
    case 'silent':
      return ended
    case 'too_much': {
      const pausedUntilMs = signal.retryAfterMs === undefined ? ended.pausedUntilMs : Math.max(ended.pausedUntilMs, nowMs + signal.retryAfterMs)
      return { ...decreased(ended, busy, settings.decrease, nowMs, settings), pausedUntilMs }
    }
    case 'answered': {
      if (ended.limit === null) return ended
      if (signal.slowness >= settings.slowFactor) return decreased(ended, busy, settings.slowDecrease, nowMs, settings)
      // Only a limit that was felt is worth raising: one more place per round of answers.
      if (busy < ended.limit * 0.5) return ended
      return { ...ended, limit: Math.min(settings.highest, ended.limit + 1 / ended.limit) }
    }
  }
}

function decreased(state: ConcurrencyLimit, busy: number, factor: number, nowMs: number, settings: ConcurrencyLimitSettings): ConcurrencyLimit {
  if (nowMs - state.lastDecreaseAtMs < settings.decreaseEveryMs) return state
  const from = Math.min(state.limit ?? Number.POSITIVE_INFINITY, busy)
  return { ...state, limit: Math.max(settings.lowest, from * factor), lastDecreaseAtMs: nowMs }
}
