/**
 * Measures the message queue against its goals and prints a table: cycles (enqueue, claim, complete) per second with 1 kB
 * messages, the time of a claim at growing depth, and the memory of 10,000 queued messages. `npm run bench:queue`; `-- --quick` leaves out
 * the million, `-- --redis` measures Redis alone.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryMessageQueue } from '../src/store/adapters/memory-message-queue.ts'
import { openSqliteStore } from '../src/store/adapters/sqlite-store.ts'
import { openRedisMessageQueue } from '../src/store/adapters/redis-message-queue.ts'
import { startRedisServer } from '../src/store/testing/redis-server.ts'
import type { Message, MessageQueue } from '../src/store/message-queue.ts'
import { priorities } from '../src/operation/matrix.ts'
import { createSystemClock } from '../src/runtime/clock.ts'

const clock = createSystemClock()
const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-bench-'))
const payload = { prompt: 'x'.repeat(1_000) }
const maxDepth = 2_000_000
const rows: { readonly measure: string; readonly value: string; readonly goal: string }[] = []

const messageOf = (count: number): Message => ({
  id: `op_${String(count).padStart(9, '0')}`,
  priority: priorities[count % 4] ?? 'low',
  payload,
  enqueuedAtMs: clock.nowMs(),
  expiresAtMs: clock.nowMs() + 3_600_000,
  deadlineMs: clock.nowMs() + (count * 7_919) % 60_000,
  maxDeliveries: 3,
})

let sent = 0

async function cycles(name: string, queue: MessageQueue, producers: number, durationMs: number, goal: string): Promise<void> {
  const endMs = clock.monotonicMs() + durationMs
  const startMs = clock.monotonicMs()
  let done = 0
  await Promise.all(
    Array.from({ length: producers }, async () => {
      while (clock.monotonicMs() < endMs) {
        sent += 1
        await queue.enqueue(messageOf(sent))
        const delivery = await queue.claim({ workerId: 'bench', leaseMs: 60_000 })
        if (delivery === undefined) continue
        await queue.complete(delivery.lease)
        done += 1
      }
    }),
  )
  rows.push({ measure: `${name}, ${producers} producers`, value: `${Math.round((done * 1_000) / (clock.monotonicMs() - startMs))} cycles/s`, goal })
}

async function claimTimes(name: string, queue: MessageQueue, depths: readonly number[]): Promise<void> {
  const medians: number[] = []
  for (const depth of depths) {
    for (let waiting = (await queue.inspect()).depth; waiting < depth; waiting += 1_000) {
      await Promise.all(
        Array.from({ length: Math.min(1_000, depth - waiting) }, () => {
          sent += 1
          return queue.enqueue(messageOf(sent))
        }),
      )
    }
    const times: number[] = []
    for (let count = 0; count < 400; count += 1) {
      // A turn of the event loop between the calls: each is carried out at once, none waits for a group.
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      const startMs = clock.monotonicMs()
      const delivery = await queue.claim({ workerId: 'bench', leaseMs: 600_000 })
      times.push(clock.monotonicMs() - startMs)
      if (delivery !== undefined) await queue.release(delivery.lease, { delayMs: 0, reason: 'bench', attempted: false })
    }
    times.sort((a, b) => a - b)
    medians.push(times[200] ?? 0)
    rows.push({ measure: `${name}, claim at ${depth} queued`, value: `p50 ${((times[200] ?? 0) * 1_000).toFixed(1)} us`, goal: '' })
  }
  const worst = Math.max(...medians) / Math.min(...medians)
  rows.push({ measure: `${name}, greatest over least claim time`, value: worst.toFixed(2), goal: '<= 1.5' })
}

const mebibytes = (): number => process.memoryUsage().rss / 1_024 / 1_024

async function redis(): Promise<void> {
  const server = await startRedisServer()
  const queue = await openRedisMessageQueue({ url: server.url, clock, queue: { maxDepth }, callTimeoutMs: 10_000 })
  await cycles('redis (BullMQ)', queue, 64, 3_000, '>= 2,000')
  await cycles('redis (BullMQ)', queue, 1, 2_000, '')
  await queue.close()
  await server.stop()
}

async function embedded(): Promise<void> {
{
  const queue = createMemoryMessageQueue(clock, { maxDepth })
  for (let count = 0; count < 10_000; count += 1) {
    sent += 1
    await queue.enqueue({ ...messageOf(sent), payload: { prompt: `${count}`.padEnd(1_000, 'x') } })
  }
  rows.push({ measure: 'memory, process with 10,000 queued', value: `${Math.round(mebibytes())} MiB`, goal: '< 250 MiB' })
  await queue.close()
}
{
  const queue = createMemoryMessageQueue(clock, { maxDepth })
  await cycles('memory', queue, 64, 2_000, '')
  await queue.close()
}
for (const durability of ['process', 'power'] as const) {
  const store = await openSqliteStore({ path: join(folder, `${durability}.db`), durability, clock, queue: { maxDepth } })
  await cycles(`sqlite (${durability})`, store.queue, 64, 3_000, durability === 'process' ? '>= 5,000' : '>= 1,000')
  await cycles(`sqlite (${durability})`, store.queue, 1, 3_000, '')
  await store.close()
}
{
  const depths = process.argv.includes('--quick') ? [100, 10_000] : [100, 10_000, 1_000_000]
  const store = await openSqliteStore({ path: join(folder, 'depth.db'), durability: 'process', clock, queue: { maxDepth } })
  await claimTimes('sqlite (process)', store.queue, depths)
  await store.close()
}
}

if (!process.argv.includes('--redis')) await embedded()
await redis()
console.table(rows)
rmSync(folder, { recursive: true })
