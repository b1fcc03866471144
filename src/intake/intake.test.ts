import { describe, expect, it } from 'vitest'
import { runbookMatrix } from '../operation/matrix.ts'
import type { OperationResult } from '../operation/result.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { createEventStream } from '../runtime/event-stream.ts'
import { createCountingIds } from '../runtime/ids.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createMemoryStateStore } from '../store/adapters/memory-state-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { StoreError } from '../store/store-error.ts'
import { createIntake, type Intake } from './intake.ts'
import type { OperationDraft } from './operation-draft.ts'
import { createDurableWork } from './testing/durable-work.ts'
import { draftAt } from './testing/draft.ts'
import { createScriptedRunner, type Step } from './testing/scripted-runner.ts'
import type { Ticket } from './ticket.ts'

const limits = { inFlightOperations: 10, retainedResults: 3, retainedResultBytes: 1_000_000, retainedResultMs: 86_400_000, idempotencyMs: 86_400_000, eventsPerOperation: 1_000, streamBufferBytes: 100_000 }
const quick: readonly Step[] = [{ afterMs: 100, text: 'Hi' }, { afterMs: 0, succeed: true }]
const reader = { tenant: null }

function setUp(script: readonly Step[] | ((count: number) => readonly Step[]), wrap: (state: StateStore) => StateStore = (state) => state) {
  const clock = createVirtualClock()
  const state = createMemoryStateStore(clock)
  const ids = createCountingIds()
  const published: SystemEvent[] = []
  const events = createEventStream<SystemEvent>((error) => {
    throw error
  })
  events.subscribe((event) => published.push(event))
  let count = 0
  const runner = createScriptedRunner(clock, () => (typeof script === 'function' ? script((count += 1)) : script))
  const settings = () => ({ matrix: runbookMatrix, streamSilenceMs: null, streamMaxMs: 600_000, currency: 'USD', models: new Set(['m-1', 'm-2']), callbacks: false })
  const durable = createDurableWork(clock)
  const another = (): Intake => {
    const { work, relay, wasSent } = durable
    const intake = createIntake({ runner, state: wrap(state), clock, ids, events, limits, settings, work, relay, wasSent })
    durable.begin(intake)
    return intake
  }
  const draft = (changes: Partial<OperationDraft> = {}): OperationDraft => draftAt(clock, changes)
  return { clock, state, runner, published, durable, intake: another(), another, draft }
}

const keyed = (request = 'body', key = 'k'): Partial<OperationDraft> => ({ idempotency: { key, request } })
const settled = (ticket: Ticket): Promise<OperationResult> => new Promise((resolve) => ticket.whenSettled(resolve))

describe('idempotency keys', () => {
  it('of many requests at once exactly one is carried out and all are answered with it', async () => {
    const { clock, intake, runner, draft } = setUp(quick)
    const waiting = Array.from({ length: 20 }, async () => settled(await intake.submit(draft(keyed()))))
    await clock.advanceAsync(100)
    const results = await Promise.all(waiting)
    expect(new Set(results.map(({ id }) => id)).size).toBe(1)
    expect(runner.started).toHaveLength(1)
  })

  it('another body is a conflict', async () => {
    const { intake, draft } = setUp(quick)
    await intake.submit(draft(keyed('one')))
    await expect(intake.submit(draft(keyed('two')))).rejects.toMatchObject({ code: 'conflict' })
  })

  it('the same key of another tenant is another key', async () => {
    const { intake, runner, draft } = setUp(quick)
    await intake.submit(draft({ ...keyed('one'), tenant: 'acme' }))
    await intake.submit(draft({ ...keyed('two'), tenant: 'globex' }))
    expect(runner.started).toHaveLength(2)
  })

  it('a retryable failure releases the key before its caller hears of it', async () => {
    const { clock, intake, runner, draft } = setUp((count) => (count === 1 ? [{ afterMs: 10, fail: 'upstream_throttled' }] : quick))
    const first = settled(await intake.submit(draft(keyed())))
    await clock.advanceAsync(10)
    expect((await first).status).toBe('failed')
    const second = settled(await intake.submit(draft(keyed())))
    await clock.advanceAsync(100)
    expect((await second).status).toBe('succeeded')
    expect(runner.started).toHaveLength(2)
  })

  it('any other end is replayed, for 24 hours', async () => {
    const { clock, intake, runner, draft } = setUp([{ afterMs: 10, fail: 'upstream_error' }])
    const first = settled(await intake.submit(draft(keyed())))
    await clock.advanceAsync(10)
    await clock.advanceAsync(86_400_000 - 100)
    expect(await settled(await intake.submit(draft(keyed())))).toEqual(await first)
    await clock.advanceAsync(200)
    await intake.submit(draft(keyed()))
    expect(runner.started).toHaveLength(2)
  })

  it('a refusal does not bind', async () => {
    const { intake, runner, draft } = setUp([])
    const tickets = await Promise.all(Array.from({ length: 10 }, async () => intake.submit(draft({ type: 'emergency' }))))
    await expect(intake.submit(draft(keyed('one')))).rejects.toMatchObject({ code: 'overloaded' })
    for (const ticket of tickets) ticket.leave()
    await intake.submit(draft(keyed('two')))
    expect(runner.started).toHaveLength(11)
  })

  it('a request that runs in another process is waited for', async () => {
    const { clock, intake, another, runner, draft } = setUp(quick)
    const here = settled(await intake.submit(draft(keyed())))
    const there = Promise.resolve(another().submit(draft(keyed()))).then(settled)
    await clock.advanceAsync(500)
    expect(await there).toEqual(await here)
    expect(runner.started).toHaveLength(1)
  })

  it('what a dead process left is carried out anew after its hard timeout, unless it must not be repeated', async () => {
    const { clock, intake, another, runner, draft } = setUp([])
    await intake.submit(draft(keyed('a', 'repeatable')))
    await intake.submit(draft({ ...keyed('a', 'once'), repeatable: false }))
    const repeated = another().submit(draft(keyed('a', 'repeatable')))
    const lost = another().submit(draft({ ...keyed('a', 'once'), repeatable: false }))
    const refused = expect(lost).rejects.toMatchObject({ code: 'outcome_unknown' })
    await clock.advanceAsync(25_000)
    await repeated
    await refused
    expect(runner.started).toHaveLength(3)
  })
})

describe('without the store', () => {
  const down = (state: StateStore): StateStore => ({ ...state, put: () => Promise.reject(new StoreError('unavailable', 'gone')), get: () => Promise.reject(new StoreError('unavailable', 'gone')) })

  it('unkeyed sync and stream operations are answered, and the loss is counted', async () => {
    const { clock, intake, draft } = setUp(quick, down)
    const tickets = [intake.submit(draft()), intake.submit(draft({ mode: 'stream' }))]
    expect(tickets.some((ticket) => ticket instanceof Promise)).toBe(false)
    const results = tickets.map(async (ticket) => settled(await ticket))
    await clock.advanceAsync(100)
    expect((await Promise.all(results)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded'])
    await clock.advanceAsync(10)
    expect(intake.counts()).toEqual({ running: 0, pendingWrites: 0, lostResults: 2 })
  })

  it.each([{ mode: 'async' as const }, keyed()])('%j is refused as overloaded, and says when to come again', async (over) => {
    const { intake, runner, draft, published } = setUp(quick, down)
    await expect(intake.submit(draft(over))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1_000 })
    expect(runner.started).toEqual([])
    expect(published.map(({ type }) => type)).toEqual(['operation_refused'])
  })

  it('a keyed operation whose result cannot be written is answered all the same', async () => {
    let broken = false
    const { clock, intake, draft } = setUp(quick, (state) => ({ ...state, put: (...put) => (broken ? new Promise(() => undefined) : state.put(...put)) }))
    const result = settled(await intake.submit(draft(keyed())))
    broken = true
    await clock.advanceAsync(1_200)
    expect((await result).status).toBe('succeeded')
  })
})

describe('admission', () => {
  it('the last of the room is for the urgent', () => {
    const { intake, runner, draft } = setUp([])
    const submit = (type: OperationDraft['type']): boolean => {
      try {
        void intake.submit(draft({ type }))
        return true
      } catch {
        return false
      }
    }
    for (let count = 0; count < 8; count += 1) expect(submit('background_task')).toBe(true)
    expect([submit('background_task'), submit('standard_analysis'), submit('standard_analysis'), submit('emergency'), submit('emergency')]).toEqual([false, true, false, true, false])
    expect(runner.started).toHaveLength(10)
  })

  it('a tighter requirement shrinks the hard timeout with it', () => {
    const { intake, draft } = setUp([])
    expect(intake.decide(draft({ latencyMs: 8_000 })).operation).toMatchObject({ latencyRequirementMs: 8_000, hardTimeoutMs: 12_000, priority: 'critical', streamSilenceMs: 8_000 })
  })
})

describe('models', () => {
  it('a callback without a secret to sign it with is refused', () => {
    const { intake, draft } = setUp(quick)
    expect(() => intake.submit(draft({ mode: 'async', callbackUrl: 'https://example.com/' }))).toThrow('callbacks.secret')
  })

  it('a caller chooses among the configured models, and is told which they are', async () => {
    const { intake, draft, published, runner } = setUp([])
    const told = 'modelId: must be one of the configured models: m-1, m-2.'
    for (const over of [{ mode: 'sync' as const }, { mode: 'async' as const }, keyed()]) {
      await expect((async () => intake.submit(draft({ ...over, modelId: 'us.anthropic.other' })))()).rejects.toMatchObject({ code: 'invalid_request', detail: told })
    }
    expect(() => intake.decide(draft({ modelId: 'us.anthropic.other' }))).toThrow(told)
    expect(intake.decide(draft({ modelId: 'm-2' })).operation.modelId).toBe('m-2')
    expect(published.map((event) => event.type)).toEqual(['operation_refused', 'operation_refused', 'operation_refused'])
    expect(runner.started).toEqual([])
  })
})

describe('what is kept', () => {
  it('delivered results give way beyond their number, those that somebody must fetch do not', async () => {
    const { clock, intake, draft, runner } = setUp([{ afterMs: 0, succeed: true }])
    await intake.submit(draft({ mode: 'async' }))
    for (let count = 0; count < 5; count += 1) void intake.submit(draft())
    await clock.advanceAsync(10)
    const { operations } = await intake.list(reader, { filter: {}, limit: 100 })
    const ids = runner.started.map(({ id }) => id)
    expect(operations.map(({ id }) => id)).toEqual([ids[5], ids[4], ids[3], ids[0]])
    await expect(intake.get(reader, ids[1] ?? '')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('an operation that runs and one that is done are in one list', async () => {
    const { clock, intake, draft } = setUp(quick)
    void intake.submit(draft())
    await clock.advanceAsync(100)
    void intake.submit(draft())
    const { operations } = await intake.list(reader, { filter: {}, limit: 100 })
    expect(operations.map(({ status }) => status)).toEqual(['running', 'succeeded'])
    expect((await intake.list(reader, { filter: { status: 'running' }, limit: 100 })).operations).toHaveLength(1)
  })

  it('a caller that leaves cancels what nobody can ask for again, and nothing else', async () => {
    const { intake, runner, draft } = setUp([])
    const tickets = [await intake.submit(draft()), await intake.submit(draft({ mode: 'stream' })), await intake.submit(draft({ mode: 'async' })), await intake.submit(draft(keyed()))]
    for (const ticket of tickets) ticket.leave()
    expect(runner.cancelled.map(({ id }) => id)).toEqual([tickets[0]?.id, tickets[1]?.id])
  })

  it('nothing is left running or scheduled when all is done', async () => {
    const { clock, intake, draft, durable } = setUp(quick)
    for (const over of [{}, { mode: 'stream' as const }, { mode: 'async' as const }, keyed()]) await intake.submit(draft(over))
    await clock.advanceAsync(0)
    intake.beginDrain()
    const idle = intake.idle()
    await clock.advanceAsync(200)
    await idle
    await durable.work.close()
    await durable.queue.close()
    expect(clock.pending()).toBe(0)
    expect(() => intake.submit(draft())).toThrow('stopping')
  })
})
