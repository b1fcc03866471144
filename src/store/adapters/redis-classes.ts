/**
 * The priority classes on Redis: one BullMQ queue each, and what is asked of all of them at once. BullMQ's queues know
 * nothing of one another, so that the order of the classes is made here.
 */
import type { Redis } from 'ioredis'
import { priorities } from '../../operation/matrix.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { DeliveryRecord } from '../message-queue.ts'
import { StoreError } from '../store-error.ts'
import { createBullQueue, type BullJob, type BullQueue } from './bull-queue.ts'
import { redisScript, type RedisScript } from './redis-connection.ts'
import type { MessageIndex } from './redis-message-index.ts'
import { isUnsettled, lapsedReason, withEnding, type StoredMessage } from './redis-message.ts'
import type { QueueConnection } from './redis-queue-connection.ts'

export interface ClassLook {
  /** Messages that can be claimed: those that wait, and those whose delay is over. */
  readonly ready: number
  /** When the first of them was added; null when there is none. */
  readonly headAddedAtMs: number | null
}

export interface Classes {
  readonly queues: readonly BullQueue[]
  of(rank: number): BullQueue
  look(queues: readonly BullQueue[]): Promise<readonly ClassLook[]>
  find(id: string): Promise<{ readonly job: BullJob; readonly rank: number } | undefined>
  /** The history with the last delivery, if nobody wrote its end. */
  settledHistory(stored: StoredMessage, deliveries: number): Promise<readonly DeliveryRecord[]>
}

/** Reads only. Delayed jobs are ordered by their instant times 4096, plus a count (BullMQ's `getDelayedScore`). */
const lookScript = redisScript(`
  local looks = {}
  for index = 1, #KEYS, 2 do
    local ready = redis.call('LLEN', KEYS[index])
    local head = ready > 0 and redis.call('LINDEX', KEYS[index], -1)
    local added = head and redis.call('HGET', ARGV[1 + (index + 1) / 2] .. head, 'timestamp')
    looks[#looks + 1] = ready + redis.call('ZCOUNT', KEYS[index + 1], '-inf', (ARGV[1] + 1) * 4096 - 1)
    looks[#looks + 1] = added or ''
  end
  return looks
`)

export function createClasses({ redis, bull }: QueueConnection, prefix: string, index: MessageIndex, clock: Clock, pollMs: number): Classes {
  const queues = priorities.map((priority) => createBullQueue(bull, prefix, priority, pollMs))
  return {
    queues,
    of(rank) {
      const found = queues[rank]
      if (found === undefined) throw new StoreError('invalid', 'There is no such priority.')
      return found
    },
    async look(asked) {
      const answer = (await runScript(redis, lookScript, asked.flatMap(({ keys }) => [keys.wait, keys.delayed]), [Date.now(), ...asked.map(({ keys }) => keys.prefix)])) as (number | string)[]
      return asked.map((_, at) => {
        const added = answer[2 * at + 1]
        return { ready: Number(answer[2 * at] ?? 0), headAddedAtMs: added === undefined || added === '' ? null : Number(added) }
      })
    },
    async find(id) {
      const found = await Promise.all(queues.map((queue) => queue.read(id)))
      const rank = found.findIndex((job) => job !== undefined)
      const job = found[rank]
      return job === undefined ? undefined : { job, rank }
    },
    async settledHistory(stored, deliveries) {
      if (!isUnsettled(stored, deliveries)) return stored.history
      const holder = await index.holder(stored.message.id)
      const workerId = holder?.delivery === deliveries ? holder.workerId : 'unknown'
      return withEnding(stored.history, { delivery: deliveries, workerId, ended: 'lapsed', reason: lapsedReason, atMs: clock.nowMs() })
    },
  }
}

async function runScript(redis: Redis, script: RedisScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
  try {
    return await redis.evalsha(script.digest, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return await redis.eval(script.text, keys.length, ...keys, ...args)
  }
}
