/**
 * The durable queue as an intake needs it, in memory and in this process: the real dispatcher on the real engine.
 */
import { createDispatcher, type Dispatcher, type WorkHandler } from '../../queue/dispatcher.ts'
import type { Clock } from '../../runtime/clock.ts'
import { createMemoryMessageQueue } from '../../store/adapters/memory-message-queue.ts'
import type { MessageQueue } from '../../store/message-queue.ts'
import { createLoneRelay, type Relay } from '../../store/relay.ts'
import type { Intake } from '../intake.ts'

export interface DurableWork {
  readonly queue: MessageQueue
  readonly work: Dispatcher
  readonly relay: Relay
  readonly sent: Set<string>
  /** What the dispatcher had to say to the log. */
  readonly errors: unknown[]
  readonly wasSent: (operationId: string) => Promise<boolean>
  /** Operations are worked on from now on. */
  begin(intake: Intake): void
}

const none: WorkHandler<never> = {
  work: () => Promise.resolve({ kind: 'done' }),
  ended: () => Promise.resolve(),
}

export function createDurableWork(clock: Clock, instanceId = 'one', queue: MessageQueue = createMemoryMessageQueue(clock)): DurableWork {
  const errors: unknown[] = []
  const work = createDispatcher({
    queue,
    clock,
    workerId: instanceId,
    slots: () => 8,
    onInternalError: (error) => errors.push(error),
  })
  const sent = new Set<string>()
  return {
    queue,
    work,
    relay: createLoneRelay(instanceId),
    sent,
    errors,
    wasSent: (operationId) => Promise.resolve(sent.has(operationId)),
    begin(intake) {
      work.begin({ operation: intake.durable.handler, attempt: none, callback: none })
      intake.begin()
    },
  }
}
