/**
 * The state store on Redis or Valkey, shared by several processes. A record is a hash (value, version, expiry); the keys of
 * a collection are members of a sorted set with equal scores, which Redis orders by their bytes. Every method is one
 * script, so that a condition and its write are one step.
 *
 * Expiry is judged by the caller's wall clock, so the clocks of several routers should agree within a second (NTP). Redis
 * itself removes the hash some time later (`PEXPIRE`), whether or not anybody asks; the sorted set is cleaned by listings,
 * by deletions and by every write, a few members at a time.
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { Clock } from '../../runtime/clock.ts'
import { assertKey, endOfPrefix } from '../key-order.ts'
import { storeLimits } from '../limits.ts'
import { assertListOptions, stateValueText, type StateRecord, type StateStore } from '../state-store.ts'
import { StoreError } from '../store-error.ts'
import { redisScript, type RedisConnection } from './redis-connection.ts'

/** How long Redis keeps an expired record's bytes: longer than clocks differ and than a wall clock that was set back. */
const removedAfterMs = 60_000
/** Expired members that one write takes out of the index. */
const sweptPerWrite = 8
/** Members that one script looks at: a page may meet expired ones, and a script must stay short. */
const membersPerScript = 1_000

const live = `
  local function live(key, now)
    local found = redis.call('HMGET', key, 'value', 'version', 'expires')
    if not found[1] then return nil end
    if found[3] ~= '' and tonumber(found[3]) <= now then return nil end
    return found
  end`

const get = redisScript(`${live}
  return live(KEYS[1], tonumber(ARGV[1]))`)

const put = redisScript(`${live}
  local now, condition, expires = tonumber(ARGV[1]), ARGV[2], ARGV[3]
  if condition ~= '' then
    local current = live(KEYS[1], now)
    if condition ~= (current and current[2] or 'absent') then return {0, current or false} end
  end
  local version = redis.call('INCR', KEYS[4])
  redis.call('HSET', KEYS[1], 'value', ARGV[4], 'version', version, 'expires', expires)
  redis.call('ZADD', KEYS[2], 0, ARGV[5])
  if expires == '' then
    redis.call('PERSIST', KEYS[1])
    redis.call('ZREM', KEYS[3], ARGV[5])
  else
    redis.call('PEXPIRE', KEYS[1], math.max(1, math.floor(tonumber(expires) - now) + ${removedAfterMs}))
    redis.call('ZADD', KEYS[3], expires, ARGV[5])
  end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - ${removedAfterMs}, 'LIMIT', 0, ${sweptPerWrite})) do
    redis.call('ZREM', KEYS[2], member)
    redis.call('ZREM', KEYS[3], member)
  end
  return {1, version}`)

const remove = redisScript(`${live}
  local current = live(KEYS[1], tonumber(ARGV[1]))
  if not current or (ARGV[2] ~= '' and ARGV[2] ~= current[2]) then return 0 end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[3])
  redis.call('ZREM', KEYS[3], ARGV[3])
  return 1`)

/** Gives the last member that it looked at first, so that the caller can go on behind it. */
const list = redisScript(`${live}
  local now, limit, direction = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
  local members = redis.call(direction, KEYS[1], ARGV[4], ARGV[5], 'LIMIT', 0, ${membersPerScript})
  local page = {#members == ${membersPerScript} and members[#members] or false}
  for _, member in ipairs(members) do
    local found = live(ARGV[6] .. member, now)
    if found then
      page[#page + 1] = {member, found[1], found[2], found[3]}
      if #page > limit then
        page[1] = false
        return page
      end
    end
  end
  return page`)

type Found = readonly [value: string, version: string, expires: string]

export function createRedisStateStore(connection: RedisConnection, clock: Clock): StateStore {
  let closed = false
  const assertOpen = (): void => {
    if (closed) throw new StoreError('closed', 'The store is closed.')
  }
  // The braces are Redis Cluster's: all keys of a script are in one slot.
  const base = `{${connection.prefix}state}:`
  const keysOf = (collection: string, key: string): readonly string[] => [recordPrefix(collection) + key, `${base}index:${collection}`, `${base}expiry:${collection}`, `${base}version`]
  // The length keeps two pairs of collection and key from making the same name.
  const recordPrefix = (collection: string): string => `${base}record:${collection.length}:${collection}:`

  const toRecord = (key: string, [value, version, expires]: Found): StateRecord => ({
    key,
    value: JSON.parse(value) as JsonValue,
    version: Number(version),
    expiresAtMs: expires === '' ? null : Number(expires),
  })

  return {
    async get(collection, key) {
      assertOpen()
      const found = (await connection.run(get, keysOf(collection, key).slice(0, 1), [clock.nowMs()])) as Found | null
      return found === null ? undefined : toRecord(key, found)
    },

    async put(collection, key, value, { expiresAtMs, ifVersion } = {}) {
      assertOpen()
      assertKey('collection', collection)
      assertKey('key', key)
      const args = [clock.nowMs(), ifVersion ?? '', expiresAtMs ?? '', stateValueText(value), key]
      const answer = (await connection.run(put, keysOf(collection, key), args)) as readonly [1, number] | readonly [0, Found | null]
      if (answer[0] === 1) return { stored: true, version: answer[1] }
      return { stored: false, current: answer[1] === null ? undefined : toRecord(key, answer[1]) }
    },

    async delete(collection, key, { ifVersion } = {}) {
      assertOpen()
      return (await connection.run(remove, keysOf(collection, key).slice(0, 3), [clock.nowMs(), ifVersion ?? '', key])) === 1
    },

    async list(collection, options) {
      assertOpen()
      assertListOptions(options)
      const { prefix = '', limit, descending = false } = options
      const [, index = ''] = keysOf(collection, '')
      const end = endOfPrefix(prefix)
      const found: StateRecord[] = []
      let after = options.after
      // Expired members may fill whole scripts; each turn goes on behind the last one, and the index is bounded by the sweeping.
      for (;;) {
        const low = `[${prefix}`
        const high = end === undefined ? '+' : `(${end}`
        const from = descending ? (after === undefined || (end !== undefined && !isBefore(after, end)) ? high : `(${after}`) : after === undefined || isBefore(after, prefix) ? low : `(${after}`
        const args = [clock.nowMs(), Math.min(limit - found.length, storeLimits.listLimit), descending ? 'ZREVRANGEBYLEX' : 'ZRANGEBYLEX', from, descending ? low : high, recordPrefix(collection)]
        const [last, ...page] = (await connection.run(list, [index], args)) as readonly [string | null, ...(readonly [string, ...Found])[]]
        for (const [key, ...rest] of page) found.push(toRecord(key, rest))
        if (found.length >= limit || last === null) return found
        after = last
      }
    },

    async check() {
      assertOpen()
      await connection.check()
    },

    async close() {
      if (closed) return
      closed = true
      await connection.close()
    },
  }
}

function isBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0
}
