import { describe, expect, it } from 'vitest'
import type { Operation } from '../operation/operation.ts'
import type { AttemptEnd, AttemptListener, RunningAttempt } from '../operation/path.ts'
import type { Priority } from '../operation/matrix.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { answers, createScriptedPath, fails, hangs, streams, type Script } from '../router/testing/scripted-path.ts'
import { createVirtualClock, type VirtualClock } from '../runtime/virtual-clock.ts'
import { createMemoryMessageQueue } from '../store/adapters/memory-message-queue.ts'
import type { MessageQueue } from '../store/message-queue.ts'
import { createRelayHub, type RelayHub } from '../store/testing/relay-hub.ts'
import { createQueuedPath, type Orphan } from './adapters/queued-path.ts'
import { createDispatcher, type WorkHandler } from './dispatcher.ts'
import { queueLimits } from './limits.ts'

const none: WorkHandler<never> = { work: () => Promise.resolve({ kind: 'done' }), ended: () => Promise.resolve() }

/** One process: a dispatcher, the MCP path over the queue, and a scripted server. */
function processOn(clock: VirtualClock, queue: MessageQueue, hub: RelayHub, name: string, script: Script, slots = 8) {
  const inner = createScriptedPath('mcp', clock, script)
  const errors: unknown[] = []
  const orphans: Orphan[] = []
  const dispatcher = createDispatcher({ queue, clock, workerId: name, slots: () => slots, onInternalError: (error) => errors.push(error) })
  const path = createQueuedPath({
    inner,
    dispatcher,
    relay: hub.join(name),
    clock,
    isRepeatable: (operation) => operation.repeatable,
    orphaned(orphan) {
      orphans.push(orphan)
      return Promise.resolve()
    },
  })
  const begin = (): void => dispatcher.begin({ attempt: path.handler, operation: none, callback: none })
  return { inner, errors, orphans, dispatcher, path, begin }
}

function setUp(script: Script, slots?: number, wrap: (queue: MessageQueue) => MessageQueue = (queue) => queue, maxDepth = 100) {
  const clock = createVirtualClock()
  const hub = createRelayHub()
  const inside = createMemoryMessageQueue(clock, { maxDepth, reservedClaimEvery: 0 })
  const queue = wrap(inside)
  const one = processOn(clock, queue, hub, 'one', script, slots)
  one.begin()
  return { clock, hub, queue: inside, one, another: (name: string, its: Script = script) => processOn(clock, queue, hub, name, its) }
}

interface Asked {
  readonly running: RunningAttempt
  readonly ends: AttemptEnd[]
  readonly texts: string[]
  sent: number
}

let ids = 0

function ask(clock: VirtualClock, path: { start(request: never, listener: AttemptListener): RunningAttempt }, over: Partial<Operation> = {}): Asked {
  ids += 1
  const operation = operationOf('standard_analysis', { id: `op_${ids}`, arrivedAtMs: clock.monotonicMs(), createdAtMs: clock.nowMs(), ...over })
  const asked = { ends: [] as AttemptEnd[], texts: [] as string[], sent: 0 }
  const request = { operation, number: 1, target: 'ops', streaming: operation.mode === 'stream', deadlineMs: clock.monotonicMs() + operation.hardTimeoutMs }
  const running = path.start(request as never, {
    onSent: () => (asked.sent += 1),
    onEvent: (event) => {
      if (event.type === 'contentBlockDelta') asked.texts.push(event.payload.delta.text ?? '')
    },
    onEnd: (end) => asked.ends.push(end),
  })
  return Object.assign(asked, { running })
}

const anyAnswer = (): ReturnType<Script> => answers('yes', 100)

describe('an attempt on the MCP path as a message', () => {
  it('is carried out and leaves the queue empty', async () => {
    const { clock, one, queue } = setUp(anyAnswer)
    const asked = ask(clock, one.path)
    await clock.advanceAsync(100)
    expect(asked.ends).toMatchObject([{ outcome: 'succeeded', queuedMs: 0 }])
    expect(asked.sent).toBe(1)
    expect(await queue.inspect()).toMatchObject({ depth: 0, classes: { medium: { leased: 0 } } })
    expect(one.path.waiting()).toBe(0)
  })

  it('waits for a free worker in the order of priority, then of deadline, and says for how long', async () => {
    const { clock, one } = setUp(anyAnswer, 1)
    const first = ask(clock, one.path)
    await clock.advanceAsync(0)
    const order: [Priority, number][] = [['low', 30_000], ['medium', 20_000], ['medium', 10_000], ['critical', 30_000]]
    const waiting = order.map(([priority, latencyRequirementMs]) => ask(clock, one.path, { priority, latencyRequirementMs }))
    await clock.advanceAsync(600)
    expect(one.inner.requests.slice(1).map(({ operation }) => [operation.priority, operation.latencyRequirementMs])).toEqual([order[3], order[2], order[1], order[0]])
    expect(first.ends).toHaveLength(1)
    expect(waiting.map(({ ends }) => ends[0]?.queuedMs)).toEqual([400, 300, 200, 100])
  })

  it('that is cancelled while it waits is never sent', async () => {
    const { clock, one, queue } = setUp(anyAnswer, 1)
    ask(clock, one.path)
    await clock.advanceAsync(0)
    const waiting = ask(clock, one.path)
    await clock.advanceAsync(10)
    waiting.running.cancel()
    expect(waiting.ends).toMatchObject([{ outcome: 'cancelled' }])
    await clock.advanceAsync(1_000)
    expect(one.inner.requests).toHaveLength(1)
    expect(await queue.inspect()).toMatchObject({ depth: 0 })
  })

  it('that is cancelled before the queue has taken it is never sent', async () => {
    const { clock, one, queue } = setUp(anyAnswer, 0)
    ask(clock, one.path).running.cancel()
    await clock.advanceAsync(1_000)
    expect(await queue.inspect()).toMatchObject({ depth: 0 })
  })

  it('that is cancelled while it is carried out is cancelled at the server', async () => {
    const { clock, one } = setUp(hangs)
    const asked = ask(clock, one.path)
    await clock.advanceAsync(10)
    asked.running.cancel()
    expect(one.inner.cancelled).toHaveLength(1)
    expect(asked.ends).toMatchObject([{ outcome: 'cancelled' }])
    await clock.advanceAsync(0)
    expect(one.dispatcher.busy()).toBe(0)
  })

  it('keeps its lease for as long as it takes', async () => {
    const { clock, one } = setUp(() => answers('late', 4 * queueLimits.leaseMs))
    const asked = ask(clock, one.path, { hardTimeoutMs: 300_000 })
    await clock.advanceAsync(4 * queueLimits.leaseMs)
    expect(asked.ends).toMatchObject([{ outcome: 'succeeded' }])
    expect(one.inner.requests).toHaveLength(1)
  })

  it('of an operation that is a leased message itself is not queued again', async () => {
    const { clock, one, queue } = setUp(anyAnswer)
    let wasQueued = 1
    one.dispatcher.begin({
      attempt: one.path.handler,
      callback: none,
      operation: {
        async work({ operation }) {
          const asked = ask(clock, one.path, operation)
          wasQueued = (await queue.inspect()).depth
          expect(asked.ends).toEqual([])
          return { kind: 'done' }
        },
        ended: () => Promise.resolve(),
      },
    })
    const operation = { id: 'op_leased', type: 'standard_analysis', createdAtMs: clock.nowMs(), hardTimeoutMs: 1_000, converse: {} }
    await one.dispatcher.enqueue({ id: 'op_leased', priority: 'low', payload: { kind: 'operation', operation, binding: null, resumed: false }, enqueuedAtMs: clock.nowMs(), expiresAtMs: clock.nowMs() + 1_000, deadlineMs: clock.nowMs(), maxDeliveries: 1 })
    await clock.advanceAsync(200)
    expect(wasQueued).toBe(0)
    expect(one.inner.requests.map(({ operation: { id } }) => id)).toEqual(['op_leased'])
  })
})

describe('a queue in trouble', () => {
  it('that hangs refuses the attempt within a second, so that the fallback is taken, and nothing is sent later', async () => {
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    const { clock, one, queue } = setUp(anyAnswer, 8, (inside) => ({ ...inside, enqueue: (message) => held.then(() => inside.enqueue(message)) }))
    const asked = ask(clock, one.path)
    await clock.advanceAsync(queueLimits.enqueueMs)
    expect(asked.ends).toMatchObject([{ outcome: 'failed', fault: { kind: 'overloaded', rejected: true } }])
    release()
    await clock.advanceAsync(1_000)
    expect(one.inner.requests).toHaveLength(0)
    expect(await queue.inspect()).toMatchObject({ depth: 0 })
  })

  it('that is full refuses the attempt and says when to come back', async () => {
    const { clock, one } = setUp(anyAnswer, 0, (queue) => queue, 2)
    ask(clock, one.path)
    await clock.advanceAsync(0)
    const refused = ask(clock, one.path)
    await clock.advanceAsync(0)
    expect(refused.ends).toMatchObject([{ outcome: 'failed', fault: { kind: 'overloaded', rejected: true, retryAfterMs: expect.any(Number) } }])
  })

  it('that fails a claim is asked again after a rest, and what waits is carried out', async () => {
    let failures = 3
    const { clock, one } = setUp(anyAnswer, 8, (inside) => ({
      ...inside,
      claim: (request) => {
        failures -= 1
        return failures >= 0 ? Promise.reject(new Error('away')) : inside.claim(request)
      },
    }))
    const asked = ask(clock, one.path)
    await clock.advanceAsync(5 * queueLimits.retryMs)
    expect(asked.ends).toMatchObject([{ outcome: 'succeeded' }])
    expect(one.errors.length).toBeGreaterThan(0)
  })

  it('an attempt that waits until its deadline ends as a timeout', async () => {
    const { clock, one, queue } = setUp(anyAnswer, 0)
    const asked = ask(clock, one.path, { hardTimeoutMs: 5_000 })
    await clock.advanceAsync(5_100)
    expect(asked.ends).toMatchObject([{ outcome: 'failed', fault: { kind: 'timeout', rejected: true } }])
    expect(await queue.inspect()).toMatchObject({ depth: 0, unreported: 0 })
  })
})

describe('several processes on one queue', () => {
  it('another one carries the attempt out, and its caller hears everything', async () => {
    const { clock, one, another } = setUp(hangs, 0)
    const two = another('two', () => streams(['a', 'b', 'c'], 50, 10))
    two.begin()
    const asked = ask(clock, one.path, { mode: 'stream' })
    await clock.advanceAsync(200)
    expect(asked.texts).toEqual(['a', 'b', 'c'])
    expect(asked.sent).toBe(1)
    expect(asked.ends).toMatchObject([{ outcome: 'succeeded' }])
    expect(one.inner.requests).toHaveLength(0)
  })

  it('a failure there is the failure here', async () => {
    const { clock, one, another } = setUp(hangs, 0)
    another('two', () => fails({ kind: 'throttled', retryable: true, message: 'busy' }, 50)).begin()
    const asked = ask(clock, one.path)
    await clock.advanceAsync(200)
    expect(asked.ends).toMatchObject([{ outcome: 'failed', fault: { kind: 'throttled' } }])
  })

  it('the deadline there is what is left of it', async () => {
    const { clock, one, another } = setUp(hangs, 0)
    const two = another('two', hangs)
    ask(clock, one.path, { hardTimeoutMs: 10_000 })
    await clock.advanceAsync(4_000)
    two.begin()
    await clock.advanceAsync(0)
    const [request] = two.inner.requests
    expect(request?.deadlineMs).toBe(10_000)
    expect((request?.operation.arrivedAtMs ?? 0) + (request?.operation.hardTimeoutMs ?? 0)).toBe(10_000)
  })

  it('a cancel reaches the call there', async () => {
    const { clock, one, another } = setUp(hangs, 0)
    const two = another('two', hangs)
    two.begin()
    const asked = ask(clock, one.path)
    await clock.advanceAsync(10)
    asked.running.cancel()
    await clock.advanceAsync(10)
    expect(two.inner.cancelled).toHaveLength(1)
    expect(asked.ends).toMatchObject([{ outcome: 'cancelled' }])
  })

  it('the message of a caller whose process is gone is reported and not sent', async () => {
    const { clock, hub, one, another } = setUp(hangs, 0)
    ask(clock, one.path)
    await clock.advanceAsync(10)
    hub.die('one')
    const two = another('two')
    two.begin()
    await clock.advanceAsync(10)
    expect(two.orphans).toMatchObject([{ cause: 'caller_gone', begun: false }])
    expect(two.inner.requests).toHaveLength(0)
  })

  it('what must not be repeated is not sent a second time by whoever takes it over', async () => {
    const { clock, hub, one, another } = setUp(hangs, 0)
    const three = another('three', hangs)
    three.begin()
    ask(clock, one.path, { repeatable: false, hardTimeoutMs: 120_000 })
    await clock.advanceAsync(10)
    expect(three.inner.requests).toHaveLength(1)
    const closing = Promise.all([one.dispatcher.close(), three.dispatcher.close()])
    await clock.advanceAsync(queueLimits.closeMs)
    await closing
    hub.die('three')
    hub.die('one')
    const two = another('two')
    two.begin()
    await clock.advanceAsync(3 * queueLimits.leaseMs)
    expect(two.inner.requests).toHaveLength(0)
    expect(two.orphans).toMatchObject([{ cause: 'dead', begun: true }])
  })
})
