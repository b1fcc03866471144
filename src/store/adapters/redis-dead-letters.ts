/** The operators' side of the queue on Redis: dead letters, which are BullMQ's failed jobs, listed, retried and dropped. */
import { storeLimits } from '../limits.ts'
import type { DeadLetter, MessageQueue } from '../message-queue.ts'
import type { BullQueue } from './bull-queue.ts'
import type { Classes } from './redis-classes.ts'
import type { MessageIndex } from './redis-message-index.ts'
import { deliveriesOf, messageOf, storedMessage, type StoredMessage } from './redis-message.ts'

export interface DeadLetters {
  list(page: Parameters<MessageQueue['listDeadLetters']>[0]): Promise<readonly DeadLetter[]>
  retry(id: string, lifetime: { readonly expiresAtMs: number; readonly deadlineMs: number }): Promise<boolean>
  drop(id: string): Promise<boolean>
}

export function createDeadLetters(classes: Classes, alarms: BullQueue, index: MessageIndex): DeadLetters {
  const find = async (id: string): Promise<{ readonly queue: BullQueue; readonly stored: StoredMessage } | undefined> => {
    const found = await classes.find(id)
    if (found === undefined) return undefined
    const queue = classes.of(found.rank)
    return (await queue.state(id)) === 'failed' ? { queue, stored: storedMessage(found.job) } : undefined
  }

  return {
    async list({ limit, after }) {
      const failed = (await Promise.all(classes.queues.map((queue) => queue.failed(storeLimits.endedPerCall)))).flat()
      const letters = failed
        .sort((a, b) => a.addedAtMs - b.addedAtMs)
        .map((job) => {
          const stored = storedMessage(job)
          const { history, reported } = stored
          return { message: messageOf(stored), deliveries: deliveriesOf(job, stored), reason: job.failedReason, diedAtMs: history.at(-1)?.atMs ?? job.addedAtMs, history, reported }
        })
      const from = after === undefined ? 0 : letters.findIndex((letter) => letter.message.id === after) + 1
      return letters.slice(from, from + limit)
    },
    async retry(id, { expiresAtMs, deadlineMs }) {
      const found = await find(id)
      if (found === undefined || (await alarms.state(id)) === 'active') return false
      const { queue, stored } = found
      if (!(await queue.remove(id))) return false
      await alarms.remove(id)
      await index.move(id, expiresAtMs)
      const message = { ...stored.message, expiresAtMs, deadlineMs }
      await queue.add(id, JSON.stringify({ ...stored, message, uncounted: 0, reported: false, history: [] } satisfies StoredMessage))
      return true
    },
    async drop(id) {
      const found = await find(id)
      if (found === undefined || !(await found.queue.remove(id))) return false
      await alarms.remove(id)
      index.leave(id)
      return true
    },
  }
}
