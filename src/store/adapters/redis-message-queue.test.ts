import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSystemClock } from '../../runtime/clock.ts'
import { testMessageQueue } from '../message-queue.conformance.ts'
import { openRedisMessageQueue } from './redis-message-queue.ts'
import { startRedisServer, type RedisServer } from '../testing/redis-server.ts'

let server: RedisServer
let count = 0
beforeAll(async () => {
  server = await startRedisServer()
}, 120_000)
afterAll(() => server.stop())

const clock = createSystemClock()

testMessageQueue({
  name: 'redis',
  modelRuns: 0,
  exceptions: {
    'inside a class the earliest deadline comes first': 'BullMQ orders a class by arrival; its priorities have 21 bits, too few for an instant',
  },
  async open(options) {
    count += 1
    const queue = await openRedisMessageQueue({ url: server.url, prefix: `test-${count}:`, clock, queue: options, pollMs: 50 })
    return { queue, nowMs: () => clock.nowMs(), advance: (durationMs) => delay(durationMs), close: () => queue.close() }
  },
})

const open = async () => {
  count += 1
  return await openRedisMessageQueue({ url: server.url, prefix: `test-${count}:`, clock, pollMs: 50, callTimeoutMs: 500 })
}
const message = (id: string) => {
  const nowMs = clock.nowMs()
  return { id, priority: 'medium' as const, payload: null, enqueuedAtMs: nowMs, expiresAtMs: nowMs + 60_000, deadlineMs: nowMs + 30_000, maxDeliveries: 3 }
}

test('what one process sends another one claims, and what a process that has gone held is taken over', async () => {
  count += 1
  const connect = () => openRedisMessageQueue({ url: server.url, prefix: `shared-${count}:`, clock, pollMs: 50 })
  const [a, b] = [await connect(), await connect()]
  await a.enqueue(message('op_1'))
  const held = await a.claim({ workerId: 'a', leaseMs: 300 })
  expect(held).toMatchObject({ message: { id: 'op_1' } })
  expect(await b.remove('op_1')).toMatchObject({ kind: 'leased', workerId: 'a' })
  expect(await b.claim({ workerId: 'b', leaseMs: 300 })).toBeUndefined()
  await a.close()
  await expect.poll(() => b.claim({ workerId: 'b', leaseMs: 3_000 }), { timeout: 5_000 }).toMatchObject({ delivery: 2, history: [{ workerId: 'a', ended: 'lapsed' }] })
  await b.close()
})

test('a server that is frozen, and one that is gone, end every call in bounded time; afterwards calls work and the messages are there', async () => {
  const queue = await open()
  await queue.enqueue(message('op_1'))
  const failsSoon = async (): Promise<void> => {
    const startMs = performance.now()
    const calls = [queue.claim({ workerId: 'a', leaseMs: 300 }), queue.enqueue(message('op_2')), queue.remove('op_3'), queue.check(), queue.inspect()]
    for (const outcome of await Promise.allSettled(calls)) expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'StoreError', fault: 'unavailable' } })
    expect(performance.now() - startMs).toBeLessThan(1_500)
  }
  server.freeze()
  try {
    await failsSoon()
  } finally {
    server.thaw()
  }
  await expect.poll(() => queue.inspect().catch(() => undefined), { timeout: 5_000 }).toMatchObject({ deadLetters: 0 })
  await delay(1_200)
  await server.kill()
  await delay(50)
  await failsSoon()
  await server.restart()
  // The claim that was cut off may have reached the server: then its lease ends first.
  await expect.poll(() => queue.claim({ workerId: 'b', leaseMs: 5_000 }).catch(() => undefined), { timeout: 15_000 }).toMatchObject({ message: { id: expect.stringMatching(/op_[12]/) } })
  await queue.close()
})

const raw = async <Result>(ask: (redis: Redis) => Promise<Result>): Promise<Result> => {
  const redis = new Redis(server.url)
  try {
    return await ask(redis)
  } finally {
    redis.disconnect()
  }
}

test('what is completed or removed leaves nothing behind on the server', async () => {
  const queue = await open()
  for (const id of ['op_1', 'op_2', 'op_3']) await queue.enqueue(message(id))
  await queue.remove('op_3')
  for (let index = 0; index < 2; index += 1) {
    const delivery = await queue.claim({ workerId: 'a', leaseMs: 5_000 })
    if (delivery !== undefined) expect(await queue.complete(delivery.lease)).toEqual({ kind: 'completed' })
  }
  await queue.close()
  const left = (await raw((redis) => redis.keys(`{test-${count}:queue}*`))).filter((key) => !/:(meta|events|id|marker|stalled-check)$/.test(key))
  expect(left).toEqual([])
})

test('an id that a crash left without its message can be sent again, and otherwise goes when its time is over', async () => {
  const queue = await open()
  const expiries = `{test-${count}:queue}:expiries`
  await raw((redis) => redis.zadd(expiries, clock.nowMs() + 60_000, 'op_1', clock.nowMs() - 1, 'op_2'))
  expect(await queue.enqueue(message('op_1'))).toMatchObject({ kind: 'enqueued' })
  expect(await queue.enqueue(message('op_1'))).toEqual({ kind: 'duplicate' })
  expect(await queue.claimEnded({ workerId: 'a', leaseMs: 1_000, limit: 10 })).toEqual([])
  await expect.poll(() => raw((redis) => redis.zrange(expiries, 0, -1))).toEqual(['op_1'])
  await queue.close()
})

test('claims of one moment share the classes as they stand, the first class first', async () => {
  const queue = await open()
  for (const [index, priority] of (['low', 'critical', 'high', 'critical'] as const).entries()) await queue.enqueue({ ...message(`op_${index}`), priority })
  const deliveries = await Promise.all(Array.from({ length: 5 }, () => queue.claim({ workerId: 'a', leaseMs: 5_000 })))
  expect(deliveries.map((delivery) => delivery?.message.priority)).toEqual(['critical', 'critical', 'high', 'low', undefined])
  await queue.close()
})

test('an address where nobody listens is refused with what to check', async () => {
  await expect(openRedisMessageQueue({ url: 'redis://127.0.0.1:1', clock })).rejects.toMatchObject({ name: 'StoreError', fault: 'unavailable', message: expect.stringContaining('url') })
})
