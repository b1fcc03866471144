/**
 * How fast messages of the queue are begun while direct operations share the process. Both live on one event loop, and a
 * direct request that arrives while the loop works on messages waits until it is done with them. So while direct operations are
 * about, the rate at which messages are begun follows how busy the loop was, and leaves it idle for the larger part of the
 * time. A least rate keeps the queue alive on a loop that is busy without it. With no direct operation about the queue may
 * have all of the loop.
 *
 * Pure: readings and instants are arguments. That a message whose caller waits is begun at once is the dispatcher's rule.
 */
import { queueLimits } from './limits.ts'

export interface Pace {
  /** Messages that may be begun per second. */
  readonly perSecond: number
  /** Messages that may be begun now. */
  readonly allowance: number
  readonly grantedAtMs: number
  readonly readAtMs: number
  /** Begun since then. */
  readonly begun: number
  /** Whether a message had to wait since the last reading: else the rate is not what bounds the queue. */
  readonly bound: boolean
}

export interface LoopReading {
  /** The part of the time since the last reading in which the event loop was busy, 0 to 1. */
  readonly busyShare: number
  readonly isDirectActive: boolean
}

const { pace: limits } = queueLimits

export function startPace(nowMs: number): Pace {
  return { perSecond: limits.firstPerSecond, allowance: limits.atOnce, grantedAtMs: nowMs, readAtMs: nowMs, begun: 0, bound: false }
}

export function isReadingDue(pace: Pace, nowMs: number): boolean {
  return nowMs - pace.readAtMs >= limits.readEveryMs
}

export function afterReading(pace: Pace, { busyShare, isDirectActive }: LoopReading, nowMs: number): Pace {
  const perSecond = Math.min(limits.mostPerSecond, Math.max(limits.leastPerSecond, wantedPerSecond(pace, isDirectActive ? limits.busyShareBesideDirect / Math.max(busyShare, 0.01) : limits.fastest, nowMs)))
  return { ...granted(pace, nowMs), perSecond, readAtMs: nowMs, begun: 0, bound: false }
}

/** @param factor what is wanted of the loop, in what was used of it */
function wantedPerSecond({ perSecond, begun, bound, readAtMs }: Pace, factor: number, nowMs: number): number {
  // A rate that was not used up says nothing: what is too much is what was really begun.
  if (factor < 1) return Math.min(perSecond, Math.max(limits.leastPerSecond, (begun * 1_000) / (nowMs - readAtMs))) * Math.max(limits.slowest, factor)
  return bound ? perSecond * Math.min(factor, limits.fastest) : perSecond
}

/** Begins one, with `waitMs` 0, or says when the next one may be begun. */
export function tryBegin(pace: Pace, nowMs: number): { readonly pace: Pace; readonly waitMs: number } {
  const now = granted(pace, nowMs)
  if (now.allowance >= 1) return { pace: { ...now, allowance: now.allowance - 1, begun: now.begun + 1 }, waitMs: 0 }
  return { pace: { ...now, bound: true }, waitMs: Math.max(1, ((1 - now.allowance) * 1_000) / now.perSecond) }
}

/** There was nothing to begin. */
export function notBegun(pace: Pace): Pace {
  return { ...pace, allowance: Math.min(limits.atOnce, pace.allowance + 1), begun: Math.max(0, pace.begun - 1) }
}

function granted(pace: Pace, nowMs: number): Pace {
  const since = Math.max(0, nowMs - pace.grantedAtMs)
  return { ...pace, allowance: Math.min(limits.atOnce, pace.allowance + (since * pace.perSecond) / 1_000), grantedAtMs: nowMs }
}
