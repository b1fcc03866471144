/**
 * The periodic self-test of the receivers, as the Health Checker asks for it: one bounded test of one receiver. Intervals and
 * hysteresis are the Health Checker's.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { Notifier, SelfTestOutcome } from '../notifier.ts'
import { unreachable } from './reach.ts'

export interface SelfTests {
  readonly names: readonly string[]
  /** Never rejects. @param deadlineMs monotonic */
  run(name: string, deadlineMs: number): Promise<SelfTestOutcome>
}

export function createSelfTests(clock: Clock, notifiers: readonly Notifier[]): SelfTests {
  return {
    names: notifiers.map(({ name }) => name),
    async run(name, deadlineMs) {
      const notifier = notifiers.find((one) => one.name === name)
      if (notifier === undefined) return unreachable('it is not configured any more')
      const controller = new AbortController()
      const cancel = clock.schedule(deadlineMs, () => controller.abort())
      try {
        return await notifier.selfTest(controller.signal)
      } catch {
        return unreachable('the self-test failed unexpectedly')
      } finally {
        cancel()
      }
    },
  }
}
