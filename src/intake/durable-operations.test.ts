import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runbookMatrix } from '../operation/matrix.ts'
import { isFinal, type OperationResult } from '../operation/result.ts'
import { queueLimits } from '../queue/limits.ts'
import { createDeadLetters } from './adapters/dead-letters.ts'
import { bindingKey, fingerprint } from './adapters/fingerprint.ts'
import { createIdempotencyKeys } from './adapters/idempotency-keys.ts'
import type { OperationEvent } from './operation-event.ts'
import { keyed, quick, setUpInstances as setUp } from './testing/instances.ts'
import type { Step } from './testing/scripted-runner.ts'
import type { Ticket } from './ticket.ts'

const reader = { tenant: null }
const settled = (ticket: Ticket): Promise<OperationResult> => new Promise((resolve) => ticket.whenSettled(resolve))
const hanging: readonly Step[] = []

describe('an asynchronous operation', () => {
  it('is in the queue before its caller is told, and runs when a worker is free', async () => {
    const { clock, queue, instance, draft } = setUp()
    const one = instance('one')
    const ticket = await one.intake.submit(draft())
    expect(ticket.current().status).toBe('queued')
    expect(await queue.inspect()).toMatchObject({ depth: 1 })
    one.begin()
    await clock.advanceAsync(50)
    expect(await one.intake.get(reader, ticket.id)).toMatchObject({ status: 'running' })
    await clock.advanceAsync(50)
    expect(await one.intake.get(reader, ticket.id)).toMatchObject({ status: 'succeeded', output: { text: 'Hi' } })
    expect(await queue.inspect()).toMatchObject({ depth: 0, unreported: 0 })
    expect(one.intake.counts().running).toBe(0)
  })

  it('submitted here and carried out there is read, followed and listed here', async () => {
    const { clock, instance, draft } = setUp()
    const here = instance('here', quick, 0)
    const there = instance('there')
    here.begin()
    const { id } = await here.intake.submit(draft())
    const events: OperationEvent[] = []
    const follower = await here.intake.follow(reader, id, 0, () => events.push(...follower.read(1_000)))
    there.begin()
    await clock.advanceAsync(50)
    expect(await here.intake.get(reader, id)).toMatchObject({ status: 'running' })
    await clock.advanceAsync(450)
    expect(events.map(({ type, id: number }) => [type, number])).toEqual([['decision', 1], ['text', 2], ['result', 3]])
    const again = await here.intake.follow(reader, id, 2, () => undefined)
    expect(again.read(1_000)).toMatchObject([{ type: 'result', id: 3 }])
    const { operations } = await here.intake.list(reader, { filter: {}, limit: 10 })
    expect(operations.map(({ status }) => status)).toEqual(['succeeded'])
  })

  it('that waits beyond its hard timeout ends as expired, on record and told', async () => {
    const { clock, queue, instance, draft } = setUp()
    const one = instance('one', quick, 0)
    one.begin()
    const { id } = await one.intake.submit(draft({ callbackUrl: 'https://example.com/' }))
    await clock.advanceAsync(15_100)
    expect(await one.intake.get(reader, id)).toMatchObject({ status: 'expired', reason: 'hard_timeout', error: { code: 'deadline_exceeded' } })
    expect(one.published.filter(({ type }) => type === 'operation_ended')).toHaveLength(1)
    expect((await queue.inspect()).unreported).toBe(0)
  })

  it('that meets a full router waits for room instead of failing', async () => {
    const { clock, instance, draft } = setUp()
    const one = instance('one', [{ afterMs: 0, fail: 'overloaded' }])
    one.begin()
    const { id } = await one.intake.submit(draft({ type: 'background_task' }))
    await clock.advanceAsync(5_000)
    expect(isFinal((await one.intake.get(reader, id)).status)).toBe(false)
    expect(one.runner.started.length).toBeGreaterThan(5)
    await one.intake.cancel(reader, id)
    expect(await one.intake.get(reader, id)).toMatchObject({ status: 'cancelled' })
  })

  it('that goes back into the queue tells nothing final to whoever follows it or waits for it, and the rest when it is carried out', async () => {
    const { clock, instance, draft } = setUp()
    const script: Step[] = [{ afterMs: 300, fail: 'overloaded' }]
    const one = instance('one', script)
    one.begin()
    const ticket = await one.intake.submit(draft(keyed))
    await clock.advanceAsync(50)
    const events: OperationEvent[] = []
    const follower = await one.intake.follow(reader, ticket.id, 0, () => events.push(...follower.read(1_000)))
    events.push(...follower.read(1_000))
    expect(events.map(({ type, id }) => [type, id])).toEqual([['decision', 1]])
    const repeat = await one.intake.submit(draft({ ...keyed, mode: 'sync' }))
    const results: OperationResult[] = []
    repeat.whenSettled((result) => results.push(result))
    await clock.advanceAsync(300)
    expect(await one.intake.get(reader, ticket.id)).toMatchObject({ status: 'queued' })
    script.splice(0, 1, ...quick)
    await clock.advanceAsync(2_000)
    expect(events.map(({ type, id }) => [type, id])).toEqual([['decision', 1], ['decision', 2], ['text', 3], ['result', 4]])
    expect(follower.done).toBe(true)
    expect(results).toMatchObject([{ id: ticket.id, status: 'succeeded', output: { text: 'Hi' } }])
    expect(one.intake.counts().running).toBe(0)
  })

  it('whose lease is taken over tells nothing final at the one that lost it', async () => {
    const { clock, instance, draft, queue } = setUp()
    // Its lease is over, as when the process stood still for longer than that.
    const slow = instance('slow', [{ afterMs: 20_000, succeed: true }], 8, { ...queue, extend: () => Promise.resolve({ kind: 'lost' }) })
    slow.begin()
    const { id } = await slow.intake.submit(draft({ type: 'background_task' }))
    await clock.advanceAsync(50)
    const events: OperationEvent[] = []
    const follower = await slow.intake.follow(reader, id, 0, () => events.push(...follower.read(1_000)))
    events.push(...follower.read(1_000))
    await clock.advanceAsync(6_000)
    expect(slow.runner.cancelled).toMatchObject([{ id, reason: 'shutdown' }])
    expect(events.filter(({ type }) => type === 'error' || type === 'result')).toEqual([])
    void slow.work.close()
    instance('quicker').begin()
    await clock.advanceAsync(20_000)
    expect(events.at(-1)).toMatchObject({ type: 'result', result: { id, status: 'succeeded', output: { text: 'Hi' } } })
    expect(follower.done).toBe(true)
  })

  it('whose worker dies is taken over within its lease and answered once', async () => {
    const { clock, callbacks, instance, draft } = setUp()
    const one = instance('one', hanging)
    const two = instance('two')
    one.begin()
    const { id } = await one.intake.submit(draft({ type: 'background_task', callbackUrl: 'https://example.com/' }))
    await clock.advanceAsync(10)
    one.die()
    two.begin()
    await clock.advanceAsync(2 * queueLimits.leaseMs)
    expect(await two.intake.get(reader, id)).toMatchObject({ status: 'succeeded' })
    expect(callbacks).toEqual([id])
  })

  it('that must not be repeated and may have been sent by a worker that died ends with its outcome unknown', async () => {
    const { clock, sent, instance, draft } = setUp()
    const one = instance('one', hanging)
    const two = instance('two')
    one.begin()
    const { id } = await one.intake.submit(draft({ type: 'background_task', repeatable: false }))
    await clock.advanceAsync(10)
    sent.add(id)
    one.die()
    two.begin()
    await clock.advanceAsync(2 * queueLimits.leaseMs)
    expect(await two.intake.get(reader, id)).toMatchObject({ status: 'failed', error: { code: 'outcome_unknown' } })
    expect(two.runner.started).toEqual([])
  })

  it('that no worker survives ends as failed and is found among the dead letters, from where it can be tried again', async () => {
    const { clock, queue, sent, instance, draft } = setUp()
    let id = ''
    for (let crash = 0; crash < queueLimits.deliveries; crash += 1) {
      const one = instance(`one ${crash}`, hanging)
      one.begin()
      if (crash === 0) ({ id } = await one.intake.submit(draft({ type: 'background_task' })))
      await clock.advanceAsync(10)
      one.die()
      await clock.advanceAsync(queueLimits.leaseMs)
    }
    const last = instance('last')
    last.begin()
    await clock.advanceAsync(queueLimits.leaseMs)
    expect(last.runner.started).toEqual([])
    expect(await last.intake.get(reader, id)).toMatchObject({ status: 'failed', error: { code: 'internal_error', retryable: false } })
    const letters = createDeadLetters({ queue, records: last.intake.records, clock, wasSent: (its) => Promise.resolve(sent.has(its)) })
    expect(await letters.list(10, undefined)).toMatchObject([{ id, kind: 'operation', operationId: id, deliveries: queueLimits.deliveries }])
    sent.add(id)
    await expect(letters.retry(id)).rejects.toMatchObject({ code: 'conflict' })
    sent.delete(id)
    await letters.retry(id)
    await clock.advanceAsync(1_000)
    expect(await last.intake.get(reader, id)).toMatchObject({ status: 'succeeded' })
    expect(await letters.list(10, undefined)).toEqual([])
    await expect(letters.drop(id)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('that is cut off by the stop of the service goes on in the next one', async () => {
    const { clock, instance, draft } = setUp()
    const one = instance('one', hanging)
    one.begin()
    const { id } = await one.intake.submit(draft({ type: 'background_task' }))
    await clock.advanceAsync(10)
    one.intake.stop()
    await clock.advanceAsync(10)
    one.die()
    const two = instance('two')
    expect(await two.intake.get(reader, id)).toMatchObject({ status: 'queued' })
    two.begin()
    await clock.advanceAsync(1_000)
    expect(await two.intake.get(reader, id)).toMatchObject({ status: 'succeeded' })
  })
})

describe('a keyed operation whose process is gone', () => {
  it('is resumed by another one, and the same key brings its answer', async () => {
    const { clock, instance, draft } = setUp()
    const one = instance('one', hanging)
    const two = instance('two')
    one.begin()
    const first = await one.intake.submit(draft({ ...keyed, mode: 'sync', type: 'background_task' }))
    await clock.advanceAsync(10)
    one.die()
    two.begin()
    const again = two.intake.submit(draft({ ...keyed, mode: 'sync', type: 'background_task' }))
    await clock.advanceAsync(10_000)
    expect(await settled(await again)).toMatchObject({ id: first.id, status: 'succeeded' })
    expect(two.runner.started).toHaveLength(1)
  })

  it('that died between binding the key and noting the start is taken up under its own id, long before its hard timeout', async () => {
    const { clock, state, instance, draft } = setUp()
    const endsByMs = clock.nowMs() + runbookMatrix.infrastructure.hardTimeoutMs
    await createIdempotencyKeys(state).bind(bindingKey(null, 'k'), { operationId: 'op_bound', fingerprint: fingerprint('body'), endsByMs }, clock.nowMs() + 86_400_000)
    const two = instance('two')
    two.begin()
    let result: OperationResult | undefined
    void Promise.resolve(two.intake.submit(draft({ ...keyed, mode: 'sync' }))).then((ticket) => ticket.whenSettled((end) => (result = end)))
    await clock.advanceAsync(5_000)
    expect(result).toMatchObject({ id: 'op_bound', status: 'succeeded' })
    expect(Date.parse(result?.createdAt ?? '') + runbookMatrix.infrastructure.hardTimeoutMs).toBe(endsByMs)
  })

  it('can be read and cancelled on another instance while it runs', async () => {
    const { clock, instance, draft } = setUp()
    const [one, two] = [instance('one', hanging), instance('two')]
    one.begin()
    two.begin()
    const ticket = await one.intake.submit(draft({ ...keyed, mode: 'sync' }))
    await clock.advanceAsync(10)
    expect(await two.intake.get(reader, ticket.id)).toMatchObject({ status: 'running' })
    expect(await two.intake.cancel(reader, ticket.id)).toMatchObject({ status: 'cancelled' })
    await clock.advanceAsync(10)
    expect(one.runner.cancelled).toEqual([{ id: ticket.id, reason: 'requested' }])
    expect(await settled(ticket)).toMatchObject({ status: 'cancelled' })
  })
})

describe('the caller of an operation without a key whose process is gone', () => {
  it('is told by the record that it expired, and why', async () => {
    const { clock, instance, draft } = setUp()
    const [one, two] = [instance('one', hanging), instance('two')]
    one.begin()
    const ticket = await one.intake.submit(draft({ mode: 'sync' }))
    await clock.advanceAsync(10)
    const [operation] = one.runner.started
    if (operation === undefined) throw new Error('it was not started')
    one.die()
    await two.intake.durable.orphaned({ operation, cause: 'caller_gone', begun: false })
    expect(await two.intake.get(reader, ticket.id)).toMatchObject({ status: 'expired', reason: 'caller_gone' })
  })
})

describe('cancel against complete', () => {
  it('whoever is first wins, on every instance, for good', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 250 }), fc.integer({ min: 0, max: 250 }), fc.boolean(), fc.boolean(), async (doneAfterMs, cancelAfterMs, cancelHere, isKeyed) => {
        const { clock, instance, draft } = setUp()
        const script: readonly Step[] = [{ afterMs: doneAfterMs, succeed: true }]
        const [here, there] = [instance('here', script, isKeyed ? 8 : 0), instance('there', script)]
        here.begin()
        there.begin()
        const ticket = await here.intake.submit(draft(isKeyed ? { ...keyed, mode: 'sync' } : {}))
        await clock.advanceAsync(cancelAfterMs)
        const answer = await (cancelHere ? here : there).intake.cancel(reader, ticket.id)
        await clock.advanceAsync(2_000)
        const states = [answer, await here.intake.get(reader, ticket.id), await there.intake.get(reader, ticket.id), ...(isKeyed ? [await settled(ticket)] : [])].map(({ status }) => status)
        expect(new Set(states).size).toBe(1)
        expect(states.every(isFinal)).toBe(true)
        if (cancelAfterMs + 1 < doneAfterMs) expect(states[0]).toBe('cancelled')
        if (cancelAfterMs > doneAfterMs + 1) expect(states[0]).toBe('succeeded')
        expect(here.intake.counts().running + there.intake.counts().running).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})
