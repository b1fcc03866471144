/**
 * Wall time without its jumps, for engines that belong to one process: leases, delays and expiries are durations and must
 * not end because the machine's clock was corrected, nor last an hour longer.
 *
 * Steady time is wall time minus the sum of the jumps that were seen. A jump is a step of more than `jumpMs` between the
 * wall clock and the monotonic clock; smaller differences are the slow correction that every machine makes, and are
 * followed. Without jumps steady time is wall time to the millisecond. The sum is kept with the durable records, so that
 * after a restart their instants mean the same. Time that a suspended machine sleeps is not counted, as in every deadline.
 */
import type { Clock } from '../../runtime/clock.ts'

/** Far above timer granularity and slewing (at most 0.5 ms per second), far below the shortest lease. */
const jumpMs = 100

export interface SteadyClock {
  nowMs(): number
  fromWall(wallMs: number): number
  toWall(steadyMs: number): number
  /** The sum of the jumps so far. */
  shiftMs(): number
}

export function createSteadyClock(clock: Clock, initialShiftMs: number, onJump: (shiftMs: number) => void): SteadyClock {
  let shiftMs = initialShiftMs
  let originMs = clock.nowMs() - clock.monotonicMs()

  const observe = (): number => {
    const wallMs = clock.nowMs()
    const originNowMs = wallMs - clock.monotonicMs()
    const stepMs = originNowMs - originMs
    originMs = originNowMs
    if (Math.abs(stepMs) > jumpMs) {
      shiftMs += Math.round(stepMs)
      onJump(shiftMs)
    }
    return wallMs
  }

  return {
    nowMs: () => observe() - shiftMs,
    fromWall(wallMs) {
      observe()
      return wallMs - shiftMs
    },
    toWall: (steadyMs) => steadyMs + shiftMs,
    shiftMs: () => shiftMs,
  }
}
