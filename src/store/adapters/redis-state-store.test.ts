import { afterAll, beforeAll, expect, test } from 'vitest'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { testStateStore } from '../state-store.conformance.ts'
import { connectRedis } from './redis-connection.ts'
import { startRedisServer, type RedisServer } from '../testing/redis-server.ts'
import { createRedisStateStore } from './redis-state-store.ts'

let server: RedisServer
let count = 0
beforeAll(async () => {
  server = await startRedisServer()
}, 120_000)
afterAll(() => server.stop())

const open = async () => {
  count += 1
  const clock = createVirtualClock()
  const store = createRedisStateStore(await connectRedis({ url: server.url, prefix: `test-${count}:`, callTimeoutMs: 500 }), clock)
  return { store, clock, close: () => store.close() }
}

testStateStore({ name: 'redis', modelRuns: 40, open })

test('two processes on one server see each other’s records, and of two writers one wins', async () => {
  const connect = () => connectRedis({ url: server.url, prefix: 'shared:' })
  const clock = createVirtualClock()
  const [a, b] = [createRedisStateStore(await connect(), clock), createRedisStateStore(await connect(), clock)]
  const outcomes = await Promise.all([a.put('results', 'op_1', 'a', { ifVersion: 'absent' }), b.put('results', 'op_1', 'b', { ifVersion: 'absent' })])
  expect(outcomes.filter((outcome) => outcome.stored)).toHaveLength(1)
  expect(await a.get('results', 'op_1')).toEqual(await b.get('results', 'op_1'))
  await Promise.all([a.close(), b.close()])
})

test('expired records leave the server, index included', async () => {
  const { store, clock, close } = await open()
  for (let index = 0; index < 5; index += 1) await store.put('results', `old_${index}`, index, { expiresAtMs: clock.nowMs() + 1_000 })
  clock.advance(120_000)
  await store.put('results', 'new', 1)
  const connection = await connectRedis({ url: server.url })
  const { redisScript } = await import('./redis-connection.ts')
  expect(await connection.run(redisScript(`return redis.call('ZCARD', KEYS[1])`), [`{test-${count}:state}:index:results`], [])).toBe(1)
  await connection.close()
  await close()
})

test('a server that does not answer ends a call in bounded time, and calls work again when it does', async () => {
  const { store, close } = await open()
  await store.put('results', 'key', 1)
  server.freeze()
  try {
    const startMs = performance.now()
    await expect(store.get('results', 'key')).rejects.toMatchObject({ name: 'StoreError', fault: 'unavailable' })
    expect(performance.now() - startMs).toBeLessThan(2_000)
  } finally {
    server.thaw()
  }
  await expect.poll(() => store.get('results', 'key').catch(() => undefined), { timeout: 5_000 }).toMatchObject({ value: 1 })
  await close()
})

test('a server that dies fails calls at once and is found again after its restart, with what it had', async () => {
  const { store, close } = await open()
  await store.put('results', 'key', 'kept')
  await new Promise((resolve) => {
    // Redis appends to its file once a second.
    setTimeout(resolve, 1_200)
  })
  await server.kill()
  await expect(store.get('results', 'key')).rejects.toMatchObject({ fault: 'unavailable' })
  await expect(store.check()).rejects.toMatchObject({ fault: 'unavailable' })
  await server.restart()
  await expect.poll(() => store.get('results', 'key').catch(() => undefined), { timeout: 10_000 }).toMatchObject({ value: 'kept' })
  await close()
})

test('an address where nobody listens is refused with what to check', async () => {
  await expect(connectRedis({ url: 'redis://127.0.0.1:1' })).rejects.toMatchObject({ name: 'StoreError', fault: 'unavailable', message: expect.stringContaining('url') })
})
