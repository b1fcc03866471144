/**
 * The limits of one attempt on one timer: the limit of the phase it is in (connect, first byte, silence) and the deadline
 * over all of them. A limit that moves away, as silence does with every event, only moves a number; the timer that is armed
 * fires, looks, and arms itself again. So a stream of a thousand events costs as many timers as it lasts silence limits.
 */
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import type { LimitName } from '../fault-classifier.ts'

export class LimitTimer {
  private readonly clock: Clock
  private readonly onLimit: (limit: LimitName) => void
  private phase: LimitName = 'connect'
  private phaseAtMs = Number.POSITIVE_INFINITY
  private deadlineAtMs = Number.POSITIVE_INFINITY
  private armedAtMs = Number.POSITIVE_INFINITY
  private cancel: CancelSchedule | null = null
  private stopped = false

  constructor(clock: Clock, onLimit: (limit: LimitName) => void) {
    this.clock = clock
    this.onLimit = onLimit
  }

  /** Both at once: one timer is armed instead of two. */
  begin(phase: LimitName, atMs: number, deadlineAtMs: number): void {
    this.deadlineAtMs = deadlineAtMs
    this.enter(phase, atMs)
  }

  enter(phase: LimitName, atMs: number): void {
    this.phase = phase
    this.phaseAtMs = atMs
    this.arm()
  }

  deadline(atMs: number): void {
    this.deadlineAtMs = atMs
    this.arm()
  }

  stop(): void {
    this.stopped = true
    this.cancel?.()
    this.cancel = null
  }

  private arm(): void {
    const dueMs = Math.min(this.phaseAtMs, this.deadlineAtMs)
    if (this.stopped || dueMs >= this.armedAtMs) return
    this.cancel?.()
    this.armedAtMs = dueMs
    this.cancel = this.clock.schedule(dueMs, this.look)
  }

  private readonly look = (): void => {
    if (this.stopped) return
    this.armedAtMs = Number.POSITIVE_INFINITY
    this.cancel = null
    const dueMs = Math.min(this.phaseAtMs, this.deadlineAtMs)
    if (this.clock.monotonicMs() < dueMs) {
      this.arm()
      return
    }
    this.stop()
    this.onLimit(this.phaseAtMs < this.deadlineAtMs ? this.phase : 'deadline')
  }
}
