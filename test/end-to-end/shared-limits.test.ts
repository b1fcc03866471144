/** Rate limits and the lock-out of two instances on one real Redis, with Redis there and away. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createAuthenticator, type Authenticator } from '../../src/auth/authenticator.ts'
import { roundMs } from '../../src/auth/adapters/shared-rates.ts'
import { validConfig } from '../../src/config/resolve-config.ts'
import { createSystemClock, sleep } from '../../src/runtime/clock.ts'
import { until } from '../../src/runtime/testing/eventually.ts'
import { openRedisCounts, type RedisCounts } from '../../src/store/adapters/redis-counts.ts'
import { startRedisServer, type RedisServer } from '../../src/store/testing/redis-server.ts'

const clock = createSystemClock()
const config = validConfig({
  direct: { targets: [{ id: 'a', region: 'eu-central-1', modelId: 'm.m' }] },
  auth: { keys: [{ name: 'batch', role: 'operator', secret: 'a-good-key', rateLimit: { requests: 20, windowMs: 60_000 } }], lockout: { failures: 4, windowMs: 60_000, lockMs: 60_000 } },
})
const batch = { name: 'batch', role: 'operator', tenant: null, local: false } as const
let redis: RedisServer
let opened: { authenticator: Authenticator; counts: RedisCounts; lockedOut: string[] }[] = []

async function instance(): Promise<(typeof opened)[number]> {
  const counts = await openRedisCounts(redis.url)
  const lockedOut: string[] = []
  const made = { counts, lockedOut, authenticator: createAuthenticator({ config: () => config, clock, shared: counts, onLockedOut: ({ address }) => lockedOut.push(address) }) }
  opened.push(made)
  return made
}

beforeEach(async () => {
  redis = await startRedisServer()
})
afterEach(async () => {
  for (const { authenticator, counts } of opened) {
    authenticator.close()
    await counts.close()
  }
  opened = []
  await redis.stop()
})

async function isWithin({ authenticator }: { authenticator: Authenticator }): Promise<boolean> {
  return (await authenticator.enter(batch)).kind === 'within'
}

async function guess({ authenticator }: { authenticator: Authenticator }, remoteAddress: string): Promise<string> {
  const outcome = await authenticator.authenticate({ authorization: 'Bearer a-wrong-key', remoteAddress, forwarded: false, publicRead: false })
  return outcome.kind === 'refused' ? outcome.reason : 'let in'
}

it('a caller has its limit over both instances together', async () => {
  const [one, two] = [await instance(), await instance()]
  for (let time = 0; time < 10; time += 1) expect([await isWithin(one), await isWithin(two)]).toEqual([true, true])
  await sleep(clock, 2 * roundMs)
  // Who added first knows its own ten only, until it adds again.
  await Promise.all([isWithin(one), isWithin(two)])
  await sleep(clock, 2 * roundMs)
  expect([await isWithin(one), await isWithin(two)]).toEqual([false, false])
})

it('an address that guesses at both is locked out at both, and a good key from there is let in', async () => {
  const [one, two] = [await instance(), await instance()]
  for (const each of [one, two, one, two]) expect(await guess(each, '203.0.113.7')).toBe('unknown_key')
  await until(() => one.lockedOut.length + two.lockedOut.length === 1)
  // The other learns of it with the next wrong key there, its third: alone it would allow a fourth.
  for (const each of [one, two]) await guess(each, '203.0.113.7')
  await sleep(clock, roundMs)
  expect([await guess(one, '203.0.113.7'), await guess(two, '203.0.113.7')]).toEqual(['locked_out', 'locked_out'])
  expect([...one.lockedOut, ...two.lockedOut]).toEqual(['203.0.113.7'])
  expect(await guess(one, '203.0.113.8')).toBe('unknown_key')
  const good = await two.authenticator.authenticate({ authorization: 'Bearer a-good-key', remoteAddress: '203.0.113.7', forwarded: false, publicRead: false })
  expect(good.kind).toBe('principal')
})

it('with Redis away each counts for itself, at once and without an error', async () => {
  const one = await instance()
  await redis.kill()
  const beganMs = performance.now()
  for (let time = 0; time < 20; time += 1) expect(await isWithin(one)).toBe(true)
  expect(await isWithin(one)).toBe(false)
  for (let time = 0; time < 4; time += 1) expect(await guess(one, '203.0.113.9')).toBe('unknown_key')
  expect(await guess(one, '203.0.113.9')).toBe('locked_out')
  expect(performance.now() - beganMs).toBeLessThan(1_000)
})
