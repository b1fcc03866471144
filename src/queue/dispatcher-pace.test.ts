import { expect, it } from 'vitest'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createMemoryMessageQueue } from '../store/adapters/memory-message-queue.ts'
import type { Message } from '../store/message-queue.ts'
import { createDispatcher, type WorkHandler } from './dispatcher.ts'
import { queueLimits } from './limits.ts'
import type { LoopReading } from './pace.ts'

const { pace: limits } = queueLimits

async function setUp(backlog: number) {
  const clock = createVirtualClock()
  const queue = createMemoryMessageQueue(clock, { maxDepth: 10_000, reservedClaimEvery: 0 })
  const loop: { reading: LoopReading } = { reading: { busyShare: 1, isDirectActive: true } }
  const begun: string[] = []
  const handler: WorkHandler<never> = {
    work(_work, { message }) {
      begun.push(message.id)
      return Promise.resolve({ kind: 'done' })
    },
    ended: () => Promise.resolve(),
  }
  const dispatcher = createDispatcher({ queue, clock, workerId: 'one', slots: () => 1_000, readLoop: () => loop.reading, onInternalError: (error) => expect.unreachable(String(error)) })
  const message = (id: string, changes: Partial<Message> = {}): Message => ({
    id,
    priority: 'low',
    payload: { kind: 'callback', operationId: id, url: 'https://example.com/' },
    enqueuedAtMs: clock.nowMs(),
    expiresAtMs: clock.nowMs() + 3_600_000,
    deadlineMs: clock.nowMs() + 60_000,
    maxDeliveries: 3,
    ...changes,
  })
  for (let index = 0; index < backlog; index += 1) await queue.enqueue(message(`op_${index}`))
  dispatcher.begin({ attempt: handler, operation: handler, callback: handler })
  /** Time passes in steps in which promises settle too. */
  const pass = async (durationMs: number): Promise<void> => {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 5) {
      clock.advance(5)
      for (let turn = 0; turn < 40; turn += 1) await Promise.resolve()
    }
  }
  return { clock, dispatcher, loop, begun, message, pass }
}

it('beside direct operations on a busy loop a backlog is begun at the least rate, and goes on by itself', async () => {
  const { begun, pass } = await setUp(1_000)
  await pass(1_000)
  const before = begun.length
  await pass(4_000)
  expect((begun.length - before) / 4).toBeGreaterThan(limits.leastPerSecond * 0.8)
  expect((begun.length - before) / 4).toBeLessThan(limits.leastPerSecond * 1.2)
})

it('without direct operations a backlog is begun as fast as the loop can', async () => {
  const { begun, loop, pass } = await setUp(2_000)
  loop.reading = { busyShare: 1, isDirectActive: false }
  await pass(1_500)
  expect(begun.length).toBeGreaterThan(limits.firstPerSecond * 2)
})

it('a message whose caller waits is begun at once, whatever the pace', async () => {
  const { dispatcher, begun, message, pass } = await setUp(1_000)
  await pass(2_000)
  const before = begun.length
  for (let index = 0; index < 50; index += 1) await dispatcher.enqueue(message(`awaited_${index}`, { priority: 'medium' }), true)
  await pass(5)
  expect(begun.slice(before).filter((id) => id.startsWith('awaited_'))).toHaveLength(50)
  const after = begun.length
  await pass(1_000)
  // The awaited ones were not begun on credit, and left none.
  expect(begun.length - after).toBeLessThan(limits.leastPerSecond * 1.5)
})

it('callers that come at the same moment do not take each other’s turns', async () => {
  const { dispatcher, begun, message, pass } = await setUp(0)
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 10 }, (_, index) => dispatcher.enqueue(message(`awaited_${round}_${index}`, { priority: 'medium' }), true)))
    await pass(5)
    expect(begun).toHaveLength((round + 1) * 10)
  }
})

it('a claim that nobody waits for any more does not let others by', async () => {
  const { dispatcher, begun, message, pass } = await setUp(0)
  for (let index = 0; index < 300; index += 1) await dispatcher.enqueue(message(`awaited_${index}`, { priority: 'medium' }), true)
  await pass(100)
  expect(begun).toHaveLength(300)
  await pass(5_000)
  begun.length = 0
  for (let index = 0; index < 300; index += 1) await dispatcher.enqueue(message(`background_${index}`))
  await pass(5)
  expect(begun.length).toBeLessThanOrEqual(limits.atOnce + 1)
})
