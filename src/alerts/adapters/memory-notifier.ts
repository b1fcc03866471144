/**
 * A receiver in the process: for drills, the simulator and tests. It keeps the last notifications, and can be told how its
 * attempts end.
 */
import type { ActiveAlert } from '../alert.ts'
import type { Notification } from '../notification.ts'
import type { DeliveryOutcome, Notifier, SelfTestOutcome } from '../notifier.ts'
import type { AlertPriority } from '../../operation/alert-facts.ts'

export interface MemoryNotifier extends Notifier {
  readonly received: readonly Notification[]
  /** The alerts of the last repetition. */
  readonly repeated: readonly (readonly ActiveAlert[])[]
  /** How the next attempts end; delivered unless said otherwise. */
  answerWith(outcome: (notification: Notification) => DeliveryOutcome): void
  /** What its self-tests find from now on; reachable unless said otherwise. */
  testsAs(outcome: SelfTestOutcome): void
}

const kept = 10_000

export function createMemoryNotifier(name: string, leastPriority: AlertPriority = 'P3', repeatMs: number | null = null): MemoryNotifier {
  const received: Notification[] = []
  const repeated: (readonly ActiveAlert[])[] = []
  let answer = (_notification: Notification): DeliveryOutcome => ({ kind: 'delivered' })
  let found: SelfTestOutcome = { kind: 'reachable' }
  return {
    name,
    leastPriority,
    received,
    repeated,
    answerWith(outcome) {
      answer = outcome
    },
    testsAs(outcome) {
      found = outcome
    },
    selfTest: () => Promise.resolve(found),
    deliver(notification) {
      const outcome = answer(notification)
      if (outcome.kind === 'delivered') received.push(notification)
      if (received.length > kept) received.shift()
      return Promise.resolve(outcome)
    },
    ...(repeatMs === null
      ? {}
      : {
          repeat: {
            everyMs: repeatMs,
            send(active: readonly ActiveAlert[]): Promise<DeliveryOutcome> {
              repeated.push(active)
              if (repeated.length > kept) repeated.shift()
              return Promise.resolve({ kind: 'delivered' })
            },
          },
        }),
    close: () => Promise.resolve(),
  }
}
