import { expect, test } from 'vitest'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { testMessageQueue } from '../message-queue.conformance.ts'
import type { Message } from '../message-queue.ts'
import { createMemoryMessageQueue } from './memory-message-queue.ts'

testMessageQueue({
  name: 'memory',
  modelRuns: 400,
  async open(options) {
    const clock = createVirtualClock()
    const queue = createMemoryMessageQueue(clock, options)
    return { queue, nowMs: () => clock.nowMs(), advance: (durationMs) => clock.advanceAsync(durationMs), close: () => queue.close() }
  },
})

const message = (id: string, nowMs: number): Message => ({
  id,
  priority: 'medium',
  payload: null,
  enqueuedAtMs: nowMs,
  expiresAtMs: nowMs + 60_000,
  deadlineMs: nowMs + 30_000,
  maxDeliveries: 3,
})

for (const jumpMs of [200, 5_000, 3_600_000, -200, -5_000, -3_600_000]) {
  test(`a wall clock that jumps by ${jumpMs} ms neither ends a lease nor expires a message nor keeps either longer`, async () => {
    const clock = createVirtualClock()
    const queue = createMemoryMessageQueue(clock)
    await queue.enqueue(message('leased', clock.nowMs()))
    await queue.enqueue(message('waiting', clock.nowMs()))
    const held = await queue.claim({ workerId: 'a', leaseMs: 10_000 })
    clock.jumpWallClock(jumpMs)
    expect(await queue.claimEnded({ workerId: 'a', leaseMs: 1_000, limit: 10 })).toEqual([])
    expect((await queue.inspect()).classes.medium).toEqual({ waiting: 1, delayed: 0, leased: 1, oldestAgeMs: 0 })
    clock.advance(9_999)
    expect((await queue.inspect()).classes.medium.leased).toBe(1)
    clock.advance(1)
    expect((await queue.inspect()).classes.medium).toMatchObject({ waiting: 2, leased: 0 })
    // What comes after the jump says its instants in the new time, and lives as long as it says.
    await queue.enqueue(message('later', clock.nowMs()))
    clock.advance(50_000)
    expect((await queue.claimEnded({ workerId: 'a', leaseMs: 100_000, limit: 10 })).map((ended) => ended.message.id).sort()).toEqual(['leased', 'waiting'])
    expect((await queue.claim({ workerId: 'a', leaseMs: 10_000 }))?.message).toEqual({ ...message('later', clock.nowMs() - 50_000) })
    expect(held?.message.id).toBe('leased')
    await queue.close()
    expect(clock.pending()).toBe(0)
  })
}

test('the dead-letter list keeps its newest thousand, and never drops one that was not reported', async () => {
  const clock = createVirtualClock()
  const queue = createMemoryMessageQueue(clock)
  const die = async (count: number, from: number): Promise<void> => {
    for (let index = from; index < from + count; index += 1) {
      await queue.enqueue({ ...message(`op_${index}`, clock.nowMs()), maxDeliveries: 1 })
      const delivery = await queue.claim({ workerId: 'a', leaseMs: 1_000 })
      if (delivery !== undefined) await queue.deadLetter(delivery.lease, 'poison')
    }
  }
  await die(1_002, 0)
  expect((await queue.inspect()).deadLetters).toBe(1_002)
  for (const ended of await queue.claimEnded({ workerId: 'a', leaseMs: 1_000, limit: 5 })) await queue.complete(ended.lease)
  await die(2, 2_000)
  expect((await queue.inspect()).deadLetters).toBe(1_002)
  expect((await queue.listDeadLetters({ limit: 1 })).map((letter) => letter.message.id)).toEqual(['op_2'])
})
