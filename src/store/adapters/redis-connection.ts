/**
 * The connection to Redis or Valkey: every call has an end. A call waits at most `callTimeoutMs`; while the server is away
 * calls fail at once instead of piling up in memory; the client reconnects by itself, with a growing delay and jitter.
 *
 * It maps what Redis says to a `StoreFault`. Scripts are sent by their digest and loaded again when a server that was
 * restarted does not know them.
 */
import { Redis } from 'ioredis'
import { createHash } from 'node:crypto'
import { StoreError, type StoreFault } from '../store-error.ts'

export interface RedisOptions {
  /** `redis://host:port/db`, or `rediss://` over TLS; user and password as Redis URLs have them. */
  readonly url: string
  /** Before every key of ours, so that several installations can share a server. */
  readonly prefix?: string
  /** How long one call may take, in milliseconds. */
  readonly callTimeoutMs?: number
}

export const redisDefaults = {
  prefix: 'hybrid-routing:',
  /** Far above a healthy answer (below a millisecond near by), far below every hard timeout. */
  callTimeoutMs: 1_000,
  connectTimeoutMs: 2_000,
  /** Growing delays between two attempts to connect: quick after a restart of the server, calm while it is away. */
  reconnectMs: { least: 50, most: 2_000 },
} as const

export interface RedisScript {
  readonly text: string
  readonly digest: string
}

export function redisScript(text: string): RedisScript {
  return { text, digest: createHash('sha1').update(text).digest('hex') }
}

export interface RedisConnection {
  readonly prefix: string
  run(script: RedisScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>
  /** Resolves when the server answers and takes writes. */
  check(): Promise<void>
  close(): Promise<void>
}

/** Rejects with a `StoreError` when the server cannot be reached now; afterwards it reconnects by itself. */
export async function connectRedis({ url, prefix = redisDefaults.prefix, callTimeoutMs = redisDefaults.callTimeoutMs }: RedisOptions): Promise<RedisConnection> {
  const { least, most } = redisDefaults.reconnectMs
  const client = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: redisDefaults.connectTimeoutMs,
    commandTimeout: callTimeoutMs,
    retryStrategy: (attempt) => Math.min(most, least * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2),
  })
  // Without a listener a lost connection would end the process; the calls report it to those whom it concerns.
  client.on('error', () => undefined)
  let closed = false

  const guarded = async <Result>(action: () => Promise<Result>): Promise<Result> => {
    if (closed) throw new StoreError('closed', 'The store is closed.')
    try {
      return await action()
    } catch (error) {
      throw toStoreError(error)
    }
  }

  try {
    await guarded(() => client.connect())
  } catch (error) {
    client.disconnect()
    throw error
  }

  return {
    prefix,
    run: (script, keys, args) =>
      guarded(async () => {
        try {
          return await client.evalsha(script.digest, keys.length, ...keys, ...args)
        } catch (error) {
          if (replyCode(error) !== 'NOSCRIPT') throw error
          return await client.eval(script.text, keys.length, ...keys, ...args)
        }
      }),
    check: () =>
      guarded(async () => {
        await client.set(`${prefix}probe`, '1', 'EX', 60)
      }),
    async close() {
      if (closed) return
      closed = true
      client.disconnect()
    },
  }
}

/** Redis begins an error reply with its code, in capitals. */
function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined
  return /^[A-Z]+/.exec(error.message)?.[0]
}

const faultsByCode: Readonly<Record<string, readonly [StoreFault, string]>> = {
  OOM: ['full', 'Redis has reached maxmemory: give it more, or shorten the retention'],
  READONLY: ['read_only', 'Redis is a read-only replica: give the address of the primary'],
  MISCONF: ['read_only', 'Redis refuses writes since it cannot save to disk: see its log'],
  NOAUTH: ['unavailable', 'Redis wants a password: put it into the url'],
  WRONGPASS: ['unavailable', 'Redis refuses user or password of the url'],
  NOPERM: ['unavailable', 'the user of the url may not use the keys or commands needed'],
  LOADING: ['unavailable', 'Redis is still loading its data: it will be there soon'],
}

export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const [fault, remedy] = faultsByCode[replyCode(error) ?? ''] ?? ['unavailable', 'Redis does not answer: check the url, the server and the network']
  return new StoreError(fault, `${remedy}.`, error)
}
