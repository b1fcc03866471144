/**
 * Time, handed in. The composition root makes one system clock; tests and the simulator hand in a virtual one, so that
 * what depends on time is tested without waiting.
 *
 * Two readings, never mixed: wall time is for records that people read and may jump when the machine is corrected;
 * monotonic time is for durations and deadlines and never jumps. Only shells and adapters hold a clock. A pure file gets
 * instants as arguments (`docs/decisions/002-pure-core.md`).
 */

/** Undoes a scheduled call; calling it again, or after the call was made, does nothing. */
export type CancelSchedule = () => void

export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. For records only. */
  nowMs(): number
  /** Monotonic time in milliseconds with fractions, from an arbitrary origin. For durations and deadlines. */
  monotonicMs(): number
  /** Calls back once, at or shortly after the monotonic instant; at once, but never synchronously, when it has passed. */
  schedule(atMonotonicMs: number, callback: () => void): CancelSchedule
}

/** Node's timers keep their delay in a signed 32-bit integer and fire at once beyond it. */
const longestTimerMs = 2_147_483_647

export function createSystemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    schedule(atMonotonicMs, callback) {
      let timer: NodeJS.Timeout
      const arm = (): void => {
        const remainingMs = atMonotonicMs - performance.now()
        timer = setTimeout(
          () => {
            // A timer may fire a fraction early, and a far instant needs several timers: only the instant itself counts.
            if (performance.now() >= atMonotonicMs) callback()
            else arm()
          },
          Math.min(longestTimerMs, Math.max(0, Math.ceil(remainingMs))),
        )
      }
      arm()
      return () => clearTimeout(timer)
    },
  }
}

/**
 * Resolves after `durationMs`; rejects with the signal's reason when it is aborted first. The timer never outlives either.
 */
export function sleep(clock: Clock, durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason)
      return
    }
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.schedule(clock.monotonicMs() + durationMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
