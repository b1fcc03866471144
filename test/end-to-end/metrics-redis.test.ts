/**
 * Metrics of two instances on a real Redis: each speaks for both, counts on while the server is frozen, and catches up.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startMetricsRecorder, roundMs, type MetricsRecorder } from '../../src/metrics/metrics-recorder.ts'
import { eventsOf } from '../../src/metrics/testing/happenings.ts'
import type { SystemEvent } from '../../src/operation/system-event.ts'
import { createEventStream, type EventStream } from '../../src/runtime/event-stream.ts'
import { createVirtualClock } from '../../src/runtime/virtual-clock.ts'
import { connectRedis } from '../../src/store/adapters/redis-connection.ts'
import { startRedisServer, type RedisServer } from '../../src/store/testing/redis-server.ts'
import { createRedisStateStore } from '../../src/store/adapters/redis-state-store.ts'

const dayMs = 24 * 3_600_000
let server: RedisServer
beforeAll(async () => {
  server = await startRedisServer()
}, 120_000)
afterAll(() => server.stop())

it('two instances show the sum of both, through an outage of the store', async () => {
  const clock = createVirtualClock()
  const open = async (instance: string): Promise<{ events: EventStream<SystemEvent>; recorder: MetricsRecorder; close: () => Promise<void> }> => {
    const store = createRedisStateStore(await connectRedis({ url: server.url, callTimeoutMs: 300 }), clock)
    const events = createEventStream<SystemEvent>((error) => {
      throw error
    })
    const recorder = startMetricsRecorder({ clock, events, store, instance })
    return { events, recorder, close: () => recorder.stop().then(() => store.close()) }
  }
  const both = [await open('a'), await open('b')] as const
  const happen = (index: 0 | 1): void => {
    for (const event of eventsOf({ operation: 'emergency', route: 'direct', target: 'frankfurt', status: 'succeeded', slaMet: true, fallbackUsed: false, hedged: false, totalMs: 100, fault: null, gapMs: 0 }, clock.nowMs())) both[index].events.publish(event)
  }
  const until = async (condition: () => boolean): Promise<void> => {
    const deadlineMs = performance.now() + 10_000
    while (!condition()) {
      if (performance.now() > deadlineMs) throw new Error(JSON.stringify(both.map(({ recorder }) => recorder.status())))
      clock.advance(roundMs / 2)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const seen = (): readonly number[] => both.map(({ recorder }) => recorder.window(dayMs).sum('operations'))

  happen(0)
  happen(1)
  happen(1)
  await until(() => seen().join() === '3,3')
  expect(both.map(({ recorder }) => recorder.window(dayMs, 'instance').sum('operations'))).toEqual([1, 2])

  server.freeze()
  happen(0)
  await until(() => both[0].recorder.status().failuresInRow > 0)
  expect(seen()[0]).toBe(4)
  server.thaw()
  await until(() => seen().join() === '4,4')
  expect(both[0].recorder.status()).toMatchObject({ failuresInRow: 0, unwritten: 0 })
  await Promise.all(both.map(({ close }) => close()))
}, 60_000)
