/**
 * The relay over Redis's publish and subscribe: each instance has a channel of its own and one for all. That it lives is a
 * key that expires, renewed several times in its life. While Redis is away nothing is said and nothing is kept: the port
 * promises no more.
 */
import { Redis } from 'ioredis'
import type { JsonValue } from '../../operation/converse.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import type { Relay } from '../relay.ts'
import { redisDefaults, toStoreError } from './redis-connection.ts'

export interface RedisRelayOptions {
  readonly url: string
  readonly prefix?: string
  readonly clock: Clock
  readonly instanceId: string
}

/** ms that an instance counts as alive after it was last heard of, and between two signs of life. */
const aliveMs = 6_000
const signMs = 2_000

/** Rejects with a `StoreError` when the server cannot be reached now; afterwards it reconnects by itself. */
export async function openRedisRelay({ url, prefix = redisDefaults.prefix, clock, instanceId }: RedisRelayOptions): Promise<Relay> {
  const { least, most } = redisDefaults.reconnectMs
  const options = {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: redisDefaults.connectTimeoutMs,
    retryStrategy: (attempt: number) => Math.min(most, least * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2),
  }
  const speaker = new Redis(url, { ...options, commandTimeout: redisDefaults.callTimeoutMs })
  // The client subscribes again by itself after a reconnection.
  const hearer = new Redis(url, options)
  // Without a listener a lost connection would end the process.
  speaker.on('error', () => undefined)
  hearer.on('error', () => undefined)
  const everybody = `${prefix}relay`
  const channelOf = (id: string): string => `${prefix}relay:${id}`
  const aliveKeyOf = (id: string): string => `${prefix}alive:${id}`
  const listeners = new Set<(message: JsonValue, from: string) => void>()
  let cancelSign: CancelSchedule = () => undefined
  let closed = false

  const sign = (): void => {
    if (closed) return
    speaker.set(aliveKeyOf(instanceId), '1', 'PX', aliveMs).catch(() => undefined)
    cancelSign = clock.schedule(clock.monotonicMs() + signMs, sign)
  }

  hearer.on('message', (_channel: string, text: string) => {
    const heard = parse(text)
    if (heard === undefined || heard.from === instanceId) return
    for (const listener of listeners) listener(heard.message, heard.from)
  })

  try {
    await Promise.all([speaker.connect(), hearer.connect()])
    await hearer.subscribe(everybody, channelOf(instanceId))
    await speaker.set(aliveKeyOf(instanceId), '1', 'PX', aliveMs)
  } catch (error) {
    speaker.disconnect()
    hearer.disconnect()
    throw toStoreError(error)
  }
  cancelSign = clock.schedule(clock.monotonicMs() + signMs, sign)

  return {
    instanceId,
    shared: true,
    send(to, message) {
      if (closed) return
      speaker.publish(to === null ? everybody : channelOf(to), JSON.stringify({ from: instanceId, message })).catch(() => undefined)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async isAlive(other) {
      if (other === instanceId) return true
      try {
        return (await speaker.exists(aliveKeyOf(other))) === 1
      } catch (error) {
        throw toStoreError(error)
      }
    },
    async close() {
      if (closed) return
      closed = true
      cancelSign()
      listeners.clear()
      await speaker.del(aliveKeyOf(instanceId)).catch(() => undefined)
      speaker.disconnect()
      hearer.disconnect()
    },
  }
}

function parse(text: string): { readonly from: string; readonly message: JsonValue } | undefined {
  try {
    const value = JSON.parse(text) as { from?: unknown; message?: JsonValue }
    return typeof value.from === 'string' && value.message !== undefined ? { from: value.from, message: value.message } : undefined
  } catch {
    // Somebody else's word on our channel.
    return undefined
  }
}
