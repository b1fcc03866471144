/**
 * The connection of the queue on Redis: one client for our own commands and for BullMQ's scripts, in the order in which they
 * were asked. Every call ends in bounded time, and what is asked while the server is away fails at once.
 *
 * What one turn of the event loop asks goes out as one write. ioredis has automatic pipelines for that, but sends the next
 * one only when the one before has its answers: router and server would take turns instead of working at the same time.
 */
import { RedisConnection as BullConnection } from 'bullmq'
import { Redis } from 'ioredis'
import { StoreError } from '../store-error.ts'
import { redisDefaults, toStoreError, type RedisOptions } from './redis-connection.ts'

export interface QueueConnection {
  readonly redis: Redis
  readonly bull: BullConnection
  readonly prefix: string
  /** Runs a call of the port: rejects with a `StoreError`, at the latest when the call's time is over. */
  guarded<Result>(action: () => Promise<Result>): Promise<Result>
  close(): void
}

/** Rejects with a `StoreError` when the server cannot be reached now; afterwards it reconnects by itself. */
export async function connectQueue(options: RedisOptions): Promise<QueueConnection> {
  const { url, prefix = redisDefaults.prefix, callTimeoutMs = redisDefaults.callTimeoutMs } = options
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    // BullMQ demands it; the offline queue is off and every call has its own end below.
    maxRetriesPerRequest: null,
    connectTimeout: redisDefaults.connectTimeoutMs,
    retryStrategy: (attempt) => Math.min(redisDefaults.reconnectMs.most, redisDefaults.reconnectMs.least * 2 ** Math.min(attempt, 10)),
  })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
  } catch (error) {
    redis.disconnect()
    throw toStoreError(error)
  }
  writeOncePerTurn(redis)
  const bull = new BullConnection(redis, { shared: true, blocking: false })
  bull.on('error', () => undefined)
  let closed = false

  const away = (): StoreError => new StoreError('unavailable', 'Redis does not answer: check the url, the server and the network.')

  return {
    redis,
    bull,
    prefix,
    async guarded(action) {
      if (closed) throw new StoreError('closed', 'The queue is closed.')
      // The client would wait for the connection to come back; what is asked now must not be done then.
      if (redis.status !== 'ready') throw away()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(away()), callTimeoutMs)
      })
      const result = action()
      // When the call comes too late its outcome is nobody's any more.
      result.catch(() => undefined)
      try {
        return await Promise.race([result, late])
      } catch (error) {
        throw toStoreError(error)
      } finally {
        clearTimeout(timer)
      }
    },
    close() {
      closed = true
      redis.disconnect()
    },
  }
}

function writeOncePerTurn(redis: Redis): void {
  const send = redis.sendCommand.bind(redis)
  let held: Redis['stream'] | undefined
  const release = (): void => {
    held?.uncork()
    held = undefined
  }
  redis.sendCommand = (...args) => {
    if (held === undefined && redis.status === 'ready') {
      held = redis.stream
      held.cork()
      setImmediate(release)
    }
    return send(...args)
  }
}
