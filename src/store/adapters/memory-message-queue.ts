/**
 * The message queue in memory: for tests, the simulator and a service whose messages need not survive it.
 */
import type { Clock } from '../../runtime/clock.ts'
import { queueOptions } from '../message-checks.ts'
import type { MessageQueue, QueueOptions } from '../message-queue.ts'
import { createQueueCore, type QueueCore } from '../queue-core.ts'
import { createLocalMessageQueue, type CallQueue } from './local-message-queue.ts'
import { createMemoryMessageTable } from './memory-message-table.ts'
import { createSteadyClock } from './steady-clock.ts'

export function createMemoryMessageQueue(clock: Clock, options?: Partial<QueueOptions>): MessageQueue {
  const allOptions = queueOptions(options)
  const core = createQueueCore(createMemoryMessageTable(), allOptions)
  const call: CallQueue = async (method, ...args) => callCore(core, method, args)
  return createLocalMessageQueue({
    clock,
    steady: createSteadyClock(clock, 0, () => undefined),
    options: allOptions,
    call,
    check: async () => undefined,
    close: async () => undefined,
  })
}

/** TypeScript cannot tie the method's name to its arguments: this is the one place that says so. */
export function callCore<Method extends keyof QueueCore>(core: QueueCore, method: Method, args: Parameters<QueueCore[Method]>): ReturnType<QueueCore[Method]> {
  const bound = core[method] as (...args: Parameters<QueueCore[Method]>) => ReturnType<QueueCore[Method]>
  return bound(...args)
}
