/**
 * Counts that several instances share, in Redis or Valkey: one script adds, begins the window with the first addition, and
 * holds a count that has reached its bound. It has a connection of its own, so that counting waits for nothing else.
 */
import { connectRedis, redisScript, type RedisConnection } from './redis-connection.ts'

export interface RedisCounts {
  add(what: { readonly key: string; readonly points: number; readonly windowMs: number; readonly hold?: { readonly at: number; readonly forMs: number } }): Promise<{ readonly count: number; readonly endsInMs: number }>
  close(): Promise<void>
}

/** KEYS: the count. ARGV: points, window, bound of the hold (0: none), its length. */
const addScript = redisScript(`
local count = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
local bound = tonumber(ARGV[3])
if bound > 0 and count >= bound and count - tonumber(ARGV[1]) < bound then
  left = tonumber(ARGV[4])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
`)

export async function openRedisCounts(url: string): Promise<RedisCounts> {
  return countsOver(await connectRedis({ url }))
}

function countsOver(connection: RedisConnection): RedisCounts {
  return {
    async add({ key, points, windowMs, hold }) {
      const answer = await connection.run(addScript, [`${connection.prefix}count:${key}`], [points, Math.ceil(windowMs), hold?.at ?? 0, Math.ceil(hold?.forMs ?? 0)])
      const [count, endsInMs] = answer as readonly [number, number]
      return { count, endsInMs }
    },
    close: () => connection.close(),
  }
}
