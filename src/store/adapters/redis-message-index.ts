/**
 * What the redis engine keeps of messages beside BullMQ's jobs: when each one expires, in one sorted set that holds the id
 * of every message in whatever state, and who holds which lease, in one hash. BullMQ knows neither.
 *
 * An id is entered before its message and leaves after it, so that a message that is in no index does not exist; an id without a
 * message is found when it expires, and leaves then. So leaving, and the notes of who holds what, may be written a moment
 * later: together, once per turn of the event loop, and before anything else that is asked here.
 */
import type { Redis } from 'ioredis'

export interface Holder {
  readonly workerId: string
  readonly leaseUntilMs: number
  readonly delivery: number
}

export interface MessageIndex {
  /** False when the id was there. */
  enter(id: string, expiresAtMs: number): Promise<boolean>
  /** Another expiry for an id that is there; `never` for one that has ended and is looked after. */
  move(id: string, expiresAtMs: number | 'never'): Promise<void>
  expired(nowMs: number, limit: number): Promise<readonly string[]>
  holder(id: string): Promise<Holder | undefined>
  leave(id: string): void
  note(id: string, holder: Holder): void
  /** Writes what is to be written; the answer is of no use to anybody. */
  flush(): void
  readonly expiriesKey: string
}

export function createMessageIndex(redis: Redis, prefix: string): MessageIndex {
  const expiriesKey = `${prefix}:expiries`
  const holdersKey = `${prefix}:holders`
  let left = new Set<string>()
  let notes = new Map<string, Holder>()
  let scheduled = false

  const flush = (): void => {
    scheduled = false
    if (left.size > 0) {
      const ids = [...left]
      left = new Set()
      for (const written of [redis.zrem(expiriesKey, ids), redis.hdel(holdersKey, ...ids)]) written.catch(ignored)
    }
    if (notes.size > 0) {
      const fields = [...notes].flatMap(([id, holder]) => [id, JSON.stringify(holder)])
      notes = new Map()
      redis.hset(holdersKey, fields).catch(ignored)
    }
  }
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }

  return {
    expiriesKey,
    flush,
    async enter(id, expiresAtMs) {
      if (left.has(id)) flush()
      return (await redis.zadd(expiriesKey, 'NX', expiresAtMs, id)) === 1
    },
    async move(id, expiresAtMs) {
      flush()
      await redis.zadd(expiriesKey, 'XX', expiresAtMs === 'never' ? '+inf' : expiresAtMs, id)
    },
    async expired(nowMs, limit) {
      flush()
      return await redis.zrangebyscore(expiriesKey, '-inf', nowMs, 'LIMIT', 0, limit)
    },
    async holder(id) {
      flush()
      const text = await redis.hget(holdersKey, id)
      return text === null ? undefined : (JSON.parse(text) as Holder)
    },
    leave(id) {
      notes.delete(id)
      left.add(id)
      schedule()
    },
    note(id, holder) {
      notes.set(id, holder)
      schedule()
    },
  }
}

/** An id that stays leaves when it expires; a note that is missing is told as unknown. */
function ignored(): undefined {
  return undefined
}
