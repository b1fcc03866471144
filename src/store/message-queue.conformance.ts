/**
 * What every message queue does, as tests. An engine's own test file opens the engine and calls `testMessageQueue`.
 * Durations are short, so that an engine that keeps its own time can be waited for.
 */
import { describe, expect, onTestFinished } from 'vitest'
import type { Priority } from '../operation/matrix.ts'
import { registerConformance, type ConformanceExceptions } from './conformance.ts'
import { storeLimits } from './limits.ts'
import type { Delivery, EndedDelivery, Message, MessageQueue, QueueOptions, QueueSignal } from './message-queue.ts'
import { checkQueueModel } from './message-queue.model.ts'

export interface OpenedQueue {
  readonly queue: MessageQueue
  /** The wall clock that the engine goes by. */
  readonly nowMs: () => number
  /** Lets time pass: a virtual clock moves, an engine with its own time is waited for. */
  readonly advance: (durationMs: number) => Promise<void>
  /** Also removes what it left behind. */
  readonly close: () => Promise<void>
}

export interface MessageQueueEngine {
  readonly name: string
  readonly exceptions?: ConformanceExceptions
  /** Sequences that the model-based test tries; 0 for an engine that goes by its own clock, which the model cannot follow. */
  readonly modelRuns: number
  /** An empty queue. */
  open(options: Partial<QueueOptions>): Promise<OpenedQueue>
}

const lease = { workerId: 'worker-a', leaseMs: 1_000 }

export function testMessageQueue(engine: MessageQueueEngine): void {
  const open = async (options: Partial<QueueOptions> = {}) => {
    const opened = await engine.open(options)
    onTestFinished(() => opened.close())
    let count = 0
    const send = async (priority: Priority, changes: Partial<Message> = {}): Promise<string> => {
      count += 1
      const nowMs = opened.nowMs()
      const message: Message = {
        id: `op_${String(count).padStart(3, '0')}`,
        priority,
        payload: { prompt: `number ${count}` },
        enqueuedAtMs: nowMs,
        expiresAtMs: nowMs + 60_000,
        deadlineMs: nowMs + 30_000,
        maxDeliveries: 3,
        ...changes,
      }
      expect(await opened.queue.enqueue(message)).toMatchObject({ kind: 'enqueued' })
      return message.id
    }
    const claimed = async (): Promise<Delivery> => {
      const delivery = await opened.queue.claim(lease)
      if (delivery === undefined) throw new Error('nothing to claim')
      return delivery
    }
    const claimedIds = async (): Promise<string[]> => {
      const ids: string[] = []
      for (let delivery = await opened.queue.claim(lease); delivery !== undefined; delivery = await opened.queue.claim(lease)) ids.push(delivery.message.id)
      return ids
    }
    const ended = async (limit = 100): Promise<readonly EndedDelivery[]> => await opened.queue.claimEnded({ ...lease, limit })
    return { ...opened, send, claimed, claimedIds, ended }
  }

  describe(`message queue: ${engine.name}`, () => {
    registerConformance(engine.exceptions ?? {}, (conforms) => {
      conforms('a message is claimed as it was sent, once, and is gone when it is completed', async () => {
        const { queue, nowMs } = await open()
        const at = nowMs()
        const message: Message = {
          id: 'op_1',
          priority: 'high',
          payload: { text: 'Zürich \u{1f600}', list: [1, null, { a: [] }] },
          enqueuedAtMs: at,
          expiresAtMs: at + 30_000,
          deadlineMs: at + 15_000,
          maxDeliveries: 2,
        }
        expect(await queue.enqueue(message)).toEqual({ kind: 'enqueued', depth: 1 })
        const delivery = await queue.claim(lease)
        expect(delivery).toMatchObject({ message, delivery: 1, history: [] })
        expect(delivery?.message).toEqual(message)
        expect(await queue.claim(lease)).toBeUndefined()
        expect(delivery === undefined ? undefined : await queue.complete(delivery.lease)).toEqual({ kind: 'completed' })
        expect(await queue.remove('op_1')).toEqual({ kind: 'absent' })
        expect(await queue.inspect()).toMatchObject({ depth: 0, unreported: 0, deadLetters: 0 })
      })

      conforms('an id that is there already, waiting or leased, is a duplicate', async () => {
        const { queue, send, claimed, nowMs } = await open()
        const id = await send('medium')
        const again: Message = { id, priority: 'low', payload: null, enqueuedAtMs: nowMs(), expiresAtMs: nowMs() + 9_000, deadlineMs: nowMs(), maxDeliveries: 1 }
        expect(await queue.enqueue(again)).toEqual({ kind: 'duplicate' })
        const { lease: held } = await claimed()
        expect(await queue.enqueue(again)).toEqual({ kind: 'duplicate' })
        await queue.complete(held)
        expect(await queue.enqueue(again)).toMatchObject({ kind: 'enqueued' })
      })

      conforms('the priority class comes first', async () => {
        const { send, claimedIds } = await open({ reservedClaimEvery: 0 })
        const low = await send('low')
        const medium = await send('medium')
        const critical = await send('critical')
        const high = await send('high')
        expect(await claimedIds()).toEqual([critical, high, medium, low])
      })

      conforms('inside a class the earliest deadline comes first', async () => {
        const { send, claimedIds, nowMs } = await open()
        const late = await send('medium', { deadlineMs: nowMs() + 30_000 })
        const early = await send('medium', { deadlineMs: nowMs() + 10_000 })
        const middle = await send('medium', { deadlineMs: nowMs() + 20_000 })
        expect(await claimedIds()).toEqual([early, middle, late])
      })

      conforms('with equal deadlines arrival decides', async () => {
        const { send, claimedIds, nowMs } = await open()
        const deadlineMs = nowMs() + 10_000
        const sent: string[] = []
        for (let index = 0; index < 20; index += 1) sent.push(await send('medium', { deadlineMs }))
        expect(await claimedIds()).toEqual(sent)
      })

      conforms('every n-th claim goes to the longest-waiting message of the lower classes', async () => {
        const { send, claimed, advance } = await open({ reservedClaimEvery: 4 })
        const low = await send('low')
        await advance(5)
        const medium = await send('medium')
        for (let index = 0; index < 12; index += 1) await send('critical')
        const claims: Priority[] = []
        const ids: string[] = []
        for (let index = 0; index < 12; index += 1) {
          const { message } = await claimed()
          claims.push(message.priority)
          if (message.priority !== 'critical') ids.push(message.id)
        }
        expect(ids).toEqual([low, medium])
        expect(claims.flatMap((priority, index) => (priority === 'critical' ? [] : [index]))).toEqual([3, 7])
      })

      conforms('the depth is bounded, the lowest class is refused first, and a refusal says the depth and when to come back', async () => {
        const { queue, send, nowMs } = await open({ maxDepth: 10 })
        for (let index = 0; index < 8; index += 1) await send('low')
        const refused = async (priority: Priority) => {
          const at = nowMs()
          return await queue.enqueue({ id: `more_${priority}`, priority, payload: null, enqueuedAtMs: at, expiresAtMs: at + 9_000, deadlineMs: at, maxDeliveries: 1 })
        }
        const outcome = await refused('low')
        expect(outcome).toMatchObject({ kind: 'refused', depth: 8 })
        const hintMs = outcome.kind === 'refused' ? outcome.retryAfterMs : 0
        expect(hintMs).toBeGreaterThanOrEqual(storeLimits.retryAfterMs.least)
        expect(hintMs).toBeLessThanOrEqual(storeLimits.retryAfterMs.most)
        await send('medium')
        expect(await refused('medium')).toMatchObject({ kind: 'refused', depth: 9 })
        await send('critical')
        expect(await refused('critical')).toMatchObject({ kind: 'refused', depth: 10 })
        await queue.claim(lease)
        expect(await refused('critical')).toMatchObject({ kind: 'enqueued', depth: 10 })
        expect(await queue.remove('more_low')).toEqual({ kind: 'absent' })
      })

      conforms('a lease that outlives its worker is taken over, and the worker that lost it can do nothing with it', async () => {
        const { queue, send, claimed, advance } = await open()
        await send('medium')
        const first = await claimed()
        await advance(1_200)
        const second = await queue.claim({ workerId: 'worker-b', leaseMs: 5_000 })
        expect(second).toMatchObject({ message: { id: first.message.id }, delivery: 2, history: [{ delivery: 1, workerId: 'worker-a', ended: 'lapsed' }] })
        expect(await queue.complete(first.lease)).toEqual({ kind: 'lost' })
        expect(await queue.extend(first.lease, 1_000)).toEqual({ kind: 'lost' })
        expect(await queue.release(first.lease, { delayMs: 0, reason: 'x', attempted: true })).toEqual({ kind: 'lost' })
        expect(await queue.deadLetter(first.lease, 'x')).toEqual({ kind: 'lost' })
        expect(second === undefined ? undefined : await queue.complete(second.lease)).toEqual({ kind: 'completed' })
      })

      conforms('an extended lease holds as long as it was extended', async () => {
        const { queue, send, claimed, advance } = await open()
        await send('medium')
        const { lease: held } = await claimed()
        for (let index = 0; index < 3; index += 1) {
          await advance(600)
          expect(await queue.extend(held, 1_000)).toMatchObject({ kind: 'extended' })
          expect(await queue.claim(lease)).toBeUndefined()
        }
        expect(await queue.complete(held)).toEqual({ kind: 'completed' })
        expect(await queue.complete(held)).toEqual({ kind: 'lost' })
        expect(await queue.extend(held, 1_000)).toEqual({ kind: 'lost' })
      })

      conforms('a token of another delivery is no lease', async () => {
        const { queue, send, claimed } = await open()
        await send('medium')
        const { lease: held } = await claimed()
        expect(await queue.complete({ id: held.id, token: 'guessed' })).toEqual({ kind: 'lost' })
        expect(await queue.complete({ id: 'op_unknown', token: held.token })).toEqual({ kind: 'lost' })
        expect(await queue.complete(held)).toEqual({ kind: 'completed' })
      })

      conforms('a message released with a delay comes back after it and not before, with its history', async () => {
        const { queue, send, claimed, advance } = await open()
        await send('medium')
        const { lease: held } = await claimed()
        expect(await queue.release(held, { delayMs: 800, reason: 'upstream throttled', attempted: true })).toMatchObject({ kind: 'released' })
        expect(await queue.inspect()).toMatchObject({ depth: 1, classes: { medium: { waiting: 0, delayed: 1, leased: 0 } } })
        await advance(500)
        expect(await queue.claim(lease)).toBeUndefined()
        await advance(500)
        expect(await claimed()).toMatchObject({ delivery: 2, history: [{ delivery: 1, ended: 'released', reason: 'upstream throttled' }] })
      })

      conforms('a message that was not attempted goes back without counting the delivery', async () => {
        const { queue, send, claimed } = await open()
        await send('medium', { maxDeliveries: 1 })
        const { lease: held } = await claimed()
        expect(await queue.release(held, { delayMs: 0, reason: 'shutdown', attempted: false })).toMatchObject({ kind: 'released' })
        expect(await claimed()).toMatchObject({ delivery: 1 })
      })

      conforms('a message that expires while it waits is handed out as expired, once, and never to a worker', async () => {
        const { queue, send, ended, advance, nowMs } = await open()
        const id = await send('medium', { expiresAtMs: nowMs() + 1_000 })
        expect(await ended()).toEqual([])
        await advance(1_100)
        expect(await queue.claim(lease)).toBeUndefined()
        const [first, ...others] = await ended()
        expect(first).toMatchObject({ message: { id }, ended: 'expired', deliveries: 0, history: [] })
        expect(first?.reason).toMatch(/time was over/)
        expect(others).toEqual([])
        expect(await ended()).toEqual([])
        expect(first === undefined ? undefined : await queue.complete(first.lease)).toEqual({ kind: 'completed' })
        await advance(1_500)
        expect(await ended()).toEqual([])
        expect(await queue.inspect()).toMatchObject({ depth: 0, unreported: 0, deadLetters: 0 })
      })

      conforms('an expiry whose reporter dies is handed out again', async () => {
        const { send, ended, advance, nowMs } = await open()
        const id = await send('medium', { expiresAtMs: nowMs() + 500 })
        await advance(600)
        expect(await ended()).toHaveLength(1)
        await advance(1_200)
        expect(await ended()).toMatchObject([{ message: { id }, ended: 'expired' }])
      })

      conforms('a message that expires under a lease is still its worker’s, and expired when the worker gives it back or dies', async () => {
        const { queue, send, claimed, ended, advance, nowMs } = await open()
        await send('medium', { expiresAtMs: nowMs() + 500 })
        await send('medium', { expiresAtMs: nowMs() + 500 })
        await send('medium', { expiresAtMs: nowMs() + 500 })
        const [first, second, third] = [await claimed(), await claimed(), await claimed()]
        await advance(600)
        expect(await ended()).toEqual([])
        expect(await queue.complete(first.lease)).toEqual({ kind: 'completed' })
        expect(await queue.release(second.lease, { delayMs: 0, reason: 'late', attempted: true })).toEqual({ kind: 'ended', as: 'expired' })
        expect(await ended()).toMatchObject([{ message: { id: second.message.id }, ended: 'expired', deliveries: 1, history: [{ ended: 'released' }] }])
        await advance(600)
        const reported = (await ended()).filter((entry) => entry.message.id === third.message.id)
        expect(reported).toMatchObject([{ ended: 'expired', deliveries: 1, history: [{ ended: 'lapsed' }] }])
      })

      conforms('a message whose worker dies as often as it may be delivered becomes a dead letter, which is reported', async () => {
        const { queue, send, claimed, ended, advance } = await open()
        const id = await send('medium', { maxDeliveries: 2 })
        for (let delivery = 1; delivery <= 2; delivery += 1) {
          expect(await claimed()).toMatchObject({ delivery })
          await advance(1_200)
        }
        expect(await queue.claim(lease)).toBeUndefined()
        const [dead] = await ended()
        expect(dead).toMatchObject({ message: { id }, ended: 'dead_lettered', deliveries: 2, history: [{ ended: 'lapsed' }, { ended: 'lapsed' }] })
        expect(await queue.listDeadLetters({ limit: 10 })).toMatchObject([{ message: { id }, reported: false }])
        expect(dead === undefined ? undefined : await queue.complete(dead.lease)).toEqual({ kind: 'completed' })
        expect(await ended()).toEqual([])
        expect(await queue.listDeadLetters({ limit: 10 })).toMatchObject([{ message: { id }, deliveries: 2, reported: true }])
        expect(await queue.inspect()).toMatchObject({ depth: 0, unreported: 0, deadLetters: 1 })
      })

      conforms('the last release and a poison message become dead letters with their reasons', async () => {
        const { queue, send, claimed } = await open()
        const tired = await send('medium', { maxDeliveries: 1 })
        expect(await queue.release((await claimed()).lease, { delayMs: 0, reason: 'upstream_error', attempted: true })).toEqual({ kind: 'ended', as: 'dead_lettered' })
        const poison = await send('low')
        expect(await queue.deadLetter((await claimed()).lease, 'the payload cannot be read')).toEqual({ kind: 'ended', as: 'dead_lettered' })
        expect(await queue.listDeadLetters({ limit: 10 })).toMatchObject([
          { message: { id: tired }, reason: 'upstream_error', history: [{ ended: 'released' }] },
          { message: { id: poison }, reason: 'the payload cannot be read', history: [{ ended: 'dead_lettered' }] },
        ])
        expect(await queue.listDeadLetters({ limit: 1 })).toMatchObject([{ message: { id: tired } }])
        expect(await queue.listDeadLetters({ limit: 10, after: tired })).toMatchObject([{ message: { id: poison } }])
      })

      conforms('a dead letter can be retried with a new lifetime, or dropped', async () => {
        const { queue, send, claimed, ended, advance, nowMs } = await open()
        const kept = await send('medium', { expiresAtMs: nowMs() + 1_000 })
        await queue.deadLetter((await claimed()).lease, 'poison')
        const dropped = await send('medium')
        await queue.deadLetter((await claimed()).lease, 'poison')
        for (const entry of await ended()) await queue.complete(entry.lease)
        await advance(1_200)
        expect(await queue.retryDeadLetter(kept, { expiresAtMs: nowMs() + 5_000, deadlineMs: nowMs() + 4_000 })).toBe(true)
        expect(await queue.retryDeadLetter(kept, { expiresAtMs: nowMs() + 5_000, deadlineMs: nowMs() + 4_000 })).toBe(false)
        expect(await queue.dropDeadLetter(dropped)).toBe(true)
        expect(await queue.dropDeadLetter(dropped)).toBe(false)
        expect(await queue.dropDeadLetter('op_unknown')).toBe(false)
        expect(await queue.listDeadLetters({ limit: 10 })).toEqual([])
        expect(await claimed()).toMatchObject({ message: { id: kept }, delivery: 1 })
      })

      conforms('a waiting message is removed by its id, also while it is delayed', async () => {
        const { queue, send, claimed } = await open()
        const waiting = await send('medium')
        expect(await queue.remove(waiting)).toMatchObject({ kind: 'removed', message: { id: waiting, payload: { prompt: 'number 1' } } })
        expect(await queue.remove(waiting)).toEqual({ kind: 'absent' })
        const delayed = await send('medium')
        await queue.release((await claimed()).lease, { delayMs: 5_000, reason: 'x', attempted: true })
        expect(await queue.remove(delayed)).toMatchObject({ kind: 'removed' })
        expect(await queue.claim(lease)).toBeUndefined()
        expect(await queue.inspect()).toMatchObject({ depth: 0 })
      })

      conforms('removing a leased message says who has it and takes nothing away', async () => {
        const { queue, send, claimed } = await open()
        const id = await send('medium')
        const { lease: held, leaseUntilMs } = await claimed()
        expect(await queue.remove(id)).toMatchObject({ kind: 'leased', workerId: 'worker-a', leaseUntilMs: expect.closeTo(leaseUntilMs, -2) })
        expect(await queue.complete(held)).toEqual({ kind: 'completed' })
      })

      conforms('expiry and death win over removal', async () => {
        const { queue, send, claimed, ended, advance, nowMs } = await open()
        const dead = await send('medium')
        await queue.deadLetter((await claimed()).lease, 'poison')
        const expired = await send('medium', { expiresAtMs: nowMs() + 300 })
        await advance(400)
        expect(await queue.remove(expired)).toEqual({ kind: 'ended', as: 'expired' })
        expect(await queue.remove(dead)).toEqual({ kind: 'ended', as: 'dead_lettered' })
        expect((await ended()).map((entry) => entry.ended).sort()).toEqual(['dead_lettered', 'expired'])
      })

      conforms('of a removal and a claim at the same time exactly one gets the message', async () => {
        const { queue, send } = await open()
        for (let round = 0; round < 20; round += 1) {
          const id = await send('medium')
          const [removal, delivery] = round % 2 === 0 ? await Promise.all([queue.remove(id), queue.claim(lease)]) : (await Promise.all([queue.claim(lease), queue.remove(id)])).toReversed()
          expect([removal, delivery]).toSatisfy(([removed, claimed]: [{ kind: string }, Delivery | undefined]) => (removed.kind === 'removed') === (claimed === undefined))
          const held = delivery as Delivery | undefined
          if (held !== undefined) await queue.complete(held.lease)
        }
      })

      conforms('of many workers that claim at the same time each message goes to one', async () => {
        const { queue, send } = await open()
        const sent: string[] = []
        for (let index = 0; index < 30; index += 1) sent.push(await send('medium'))
        const deliveries = await Promise.all(Array.from({ length: 40 }, (_, index) => queue.claim({ workerId: `worker-${index}`, leaseMs: 5_000 })))
        const ids = deliveries.flatMap((delivery) => (delivery === undefined ? [] : [delivery.message.id]))
        expect(ids.sort()).toEqual(sent)
      })

      conforms('the inspection tells depth, leases and the age of the oldest per class', async () => {
        const { queue, send, advance } = await open({ maxDepth: 50 })
        await send('high')
        await advance(400)
        await send('high')
        await send('low')
        await queue.claim(lease)
        await send('medium')
        await queue.claim(lease)
        await advance(300)
        const inspection = await queue.inspect()
        expect(inspection).toMatchObject({
          depth: 2,
          maxDepth: 50,
          classes: {
            critical: { waiting: 0, delayed: 0, leased: 0, oldestAgeMs: null },
            high: { waiting: 0, delayed: 0, leased: 2, oldestAgeMs: null },
            medium: { waiting: 1, leased: 0 },
            low: { waiting: 1, leased: 0 },
          },
        })
        expect(inspection.classes.low.oldestAgeMs).toBeGreaterThanOrEqual(300)
        expect(inspection.classes.low.oldestAgeMs).toBeLessThan(2_000)
      })

      conforms('subscribers hear of new work, of work whose delay or lease ended, and of what has ended', async () => {
        const { queue, send, claimed, advance, nowMs } = await open()
        let signals: QueueSignal[] = []
        const heard = async (durationMs: number): Promise<QueueSignal[]> => {
          await advance(durationMs)
          const all = [...new Set(signals)]
          signals = []
          return all
        }
        const unsubscribe = queue.subscribe((signal) => signals.push(signal))
        await send('medium')
        expect(await heard(200)).toContain('work')
        await queue.release((await claimed()).lease, { delayMs: 300, reason: 'x', attempted: true })
        expect(await heard(700)).toContain('work')
        await claimed()
        expect(await heard(2_000)).toContain('work')
        await queue.complete((await claimed()).lease)
        await send('medium', { expiresAtMs: nowMs() + 300 })
        expect(await heard(1_500)).toContain('ended')
        unsubscribe()
        await send('medium')
        expect(await heard(200)).toEqual([])
      })

      conforms('an id that not every engine could keep, and a payload that is too large, are refused as invalid', async () => {
        const { queue, nowMs } = await open()
        const at = nowMs()
        const message = { priority: 'low' as const, enqueuedAtMs: at, expiresAtMs: at + 9_000, deadlineMs: at, maxDeliveries: 1 }
        for (const id of ['', 'a\0b', '\udc00']) {
          await expect(queue.enqueue({ ...message, id, payload: null })).rejects.toMatchObject({ name: 'StoreError', fault: 'invalid' })
        }
        await expect(queue.enqueue({ ...message, id: 'op_1', payload: 'x'.repeat(storeLimits.valueBytes) })).rejects.toMatchObject({ name: 'StoreError', fault: 'invalid' })
        expect(await queue.inspect()).toMatchObject({ depth: 0 })
      })

      conforms('a closed queue says so', async () => {
        const { queue } = await open()
        await expect(queue.check()).resolves.toBeUndefined()
        await queue.close()
        await expect(queue.claim(lease)).rejects.toMatchObject({ name: 'StoreError', fault: 'closed' })
        await expect(queue.check()).rejects.toMatchObject({ name: 'StoreError', fault: 'closed' })
        await expect(queue.close()).resolves.toBeUndefined()
      })

      if (engine.modelRuns === 0) return
      conforms('any sequence of calls and waits behaves as the model does', async () => {
        await checkQueueModel(engine)
      }, 120_000)
    })
  })
}
