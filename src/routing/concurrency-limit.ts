/**
 * How many attempts one target takes at a time, found by additive increase and multiplicative decrease: a throttle or an
 * overload answer says that it was too much, answers in good time say that one more is worth trying. A throttle slows a
 * target; it never trips its breaker.
 *
 * Nothing is limited until the target itself has said that there is a limit: a new process knows no number, and any
 * guess would be wrong for somebody. The first such answer sets the limit from what was in flight then.
 *
 * It climbs quickly to what was last too much and carefully from there, because in overload every step too far costs
 * somebody an attempt; when nothing was too much for some seconds it climbs quickly again.
 *
 * What is left of the limit is shared by priority: the lower a class, the earlier it finds the target full, so that the
 * last places are there for critical work; an emergency passes whatever the limit says. Time to first token is the
 * latency signal, since completion measures the length of the answer and not the queue.
 *
 * Pure: told what happened and when. Source: the design's "One limiter per target"; Chiu and Jain, "Analysis of the
 * increase and decrease algorithms" (1989); the careful climb near the last loss is
 * that of CUBIC (RFC 9438).
 */
import type { OperationType, Priority } from '../operation/matrix.ts'

export interface ConcurrencyLimitSettings {
  readonly lowest: number
  readonly highest: number
  /** Near the limit that was last too much, an answer raises it by this part of what it does elsewhere. */
  readonly carefulIncrease: number
  /** Near: above this share of it, and less than so many places below it. */
  readonly carefulAbove: number
  readonly carefulPlaces: number
  /** After so long without a throttle what was too much once may no longer be. */
  readonly carefulForMs: number
  /** The limit is multiplied by this after a throttle or an overload answer. */
  readonly decrease: number
  /** ... and by this when first content takes several times its usual time. */
  readonly slowDecrease: number
  /** First content later than this many times the usual counts as slow. */
  readonly slowFactor: number
  /** The share of slow ones among the last answers, 0 to 1, above which it is the target that is slow: single ones are a tail. */
  readonly slowShare: number
  /** The weight of the newest answer in that share. */
  readonly slowSmoothing: number
  /** Over this time it is measured how many attempts at a time are of use. */
  readonly usefulOverMs: number
  /** The share of the limit that a class may fill. */
  readonly shareOf: Readonly<Record<Priority, number>>
}

export const defaultConcurrencyLimitSettings: ConcurrencyLimitSettings = Object.freeze({
  lowest: 1,
  highest: 10_000,
  carefulIncrease: 0.02,
  carefulAbove: 0.95,
  carefulPlaces: 1.5,
  carefulForMs: 15_000,
  decrease: 0.9,
  slowDecrease: 0.9,
  slowFactor: 3,
  slowShare: 0.5,
  slowSmoothing: 0.2,
  usefulOverMs: 2_000,
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
  /** What was in flight when it was last too much. */
  readonly ceiling: number
  /** How many attempts at a time were of use lately: their time, by the time that it took (Little's law). */
  readonly useful: number
  readonly usefulAtMs: number
  /** The share of the last answers whose first content was slow. */
  readonly slowShare: number
}

export const unlimited: ConcurrencyLimit = Object.freeze({ limit: null, inFlight: 0, pausedUntilMs: Number.NEGATIVE_INFINITY, lastDecreaseAtMs: Number.NEGATIVE_INFINITY, ceiling: Number.POSITIVE_INFINITY, useful: 0, usefulAtMs: 0, slowShare: 0 })

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
  | {
      readonly kind: 'answered'
      /** First content compared with the usual: 1 is usual; null where it was not seen. */
      readonly slowness: number | null
      readonly tookMs: number
    }
  | {
      readonly kind: 'too_much'
      readonly retryAfterMs: number | undefined
      readonly startedAtMs: number
      /** In flight when it was sent, itself included: that was too much, and not what is left when the answer comes. */
      readonly among: number
    }
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
      // What was sent before the last decrease answers to the limit of that time, and what was sent regardless of the limit
      // was known to be too much.
      const regardless = ended.limit !== null && signal.among > Math.ceil(ended.limit)
      if (signal.startedAtMs < ended.lastDecreaseAtMs || regardless) return { ...ended, pausedUntilMs }
      // What has just been too much is above the limit, however small the numbers are.
      return { ...decreased(ended, settings.decrease, signal.among, signal.among - 1, nowMs, settings), pausedUntilMs }
    }
    case 'answered': {
      const isSlow = signal.slowness !== null && signal.slowness >= settings.slowFactor
      const slowShare = signal.slowness === null ? ended.slowShare : ended.slowShare + settings.slowSmoothing * ((isSlow ? 1 : 0) - ended.slowShare)
      const worked = { ...ended, useful: usefulAt(ended, nowMs, settings) + signal.tookMs / settings.usefulOverMs, usefulAtMs: nowMs, slowShare }
      if (ended.limit === null) return worked
      if (isSlow) {
        const saysNothing = slowShare <= settings.slowShare || nowMs - signal.tookMs < ended.lastDecreaseAtMs
        return saysNothing ? worked : decreased(worked, settings.slowDecrease, busy, busy, nowMs, settings)
      }
      // Only a limit that was felt is worth raising: one more place per round of answers.
      if (busy < ended.limit * 0.5) return worked
      return { ...worked, limit: Math.min(settings.highest, raised(ended.limit, ended, nowMs, settings)) }
    }
  }
}

/** By about one place per round of answers, and near what was last too much by a small part of one. */
function raised(limit: number, state: ConcurrencyLimit, nowMs: number, settings: ConcurrencyLimitSettings): number {
  const nearFrom = nowMs - state.lastDecreaseAtMs < settings.carefulForMs ? Math.min(settings.carefulAbove * state.ceiling, state.ceiling - settings.carefulPlaces) : Number.POSITIVE_INFINITY
  if (limit >= nearFrom) return limit + settings.carefulIncrease / limit
  return Math.min(nearFrom, limit + 1 / limit)
}

/** Never far below what was of use lately: a volley of throttles answers one burst. At most `most`, whatever was of use. */
function decreased(state: ConcurrencyLimit, factor: number, busy: number, most: number, nowMs: number, settings: ConcurrencyLimitSettings): ConcurrencyLimit {
  const from = Math.min(state.limit ?? Number.POSITIVE_INFINITY, busy)
  const useful = Math.min(from, factor * usefulAt(state, nowMs, settings))
  return { ...state, limit: Math.max(settings.lowest, Math.min(most, Math.max(useful, from * factor))), lastDecreaseAtMs: nowMs, ceiling: busy }
}

function usefulAt(state: ConcurrencyLimit, nowMs: number, settings: ConcurrencyLimitSettings): number {
  return state.useful * Math.exp((state.usefulAtMs - nowMs) / settings.usefulOverMs)
}
