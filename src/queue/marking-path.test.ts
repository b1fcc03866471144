import { expect, it } from 'vitest'
import type { Operation } from '../operation/operation.ts'
import type { AttemptEnd } from '../operation/path.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { answers, createScriptedPath, hangs } from '../router/testing/scripted-path.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createMemoryStateStore } from '../store/adapters/memory-state-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { createMarkedPaths } from './adapters/marking-path.ts'
import { queueLimits } from './limits.ts'

function setUp(over: Partial<Operation>, wrap: (state: StateStore) => StateStore = (state) => state) {
  const clock = createVirtualClock()
  const state = wrap(createMemoryStateStore(clock))
  const inner = createScriptedPath('direct', clock, () => (over.id === 'op_hang' ? hangs() : answers('yes', 10)))
  const marks = createMarkedPaths(state, clock)
  const path = marks.around(inner, (operation) => operation.repeatable)
  const operation = operationOf('infrastructure', { id: 'op_1', mode: 'async', repeatable: false, createdAtMs: clock.nowMs(), ...over })
  const ends: AttemptEnd[] = []
  const running = path.start({ operation, number: 1, target: 'frankfurt', streaming: false, deadlineMs: 15_000 }, { onSent: () => undefined, onEvent: () => undefined, onEnd: (end) => ends.push(end) })
  return { clock, inner, marks, ends, running }
}

it('what must not be repeated and outlives its process is marked before it is sent', async () => {
  const { clock, inner, marks, ends } = setUp({})
  expect(inner.requests).toHaveLength(0)
  await clock.advanceAsync(10)
  expect(await marks.has('op_1')).toBe(true)
  expect(ends).toMatchObject([{ outcome: 'succeeded' }])
})

it.each([
  ['may be repeated', { repeatable: true }],
  ['ends with its caller', { mode: 'sync' as const }],
])('what %s is sent in the same turn and leaves no mark', async (_why, over) => {
  const { inner, marks } = setUp(over)
  expect(inner.requests).toHaveLength(1)
  expect(await marks.has('op_1')).toBe(false)
})

it('a keyed operation outlives its process too', async () => {
  const { clock, marks } = setUp({ mode: 'sync', idempotencyKey: 'k' })
  await clock.advanceAsync(10)
  expect(await marks.has('op_1')).toBe(true)
})

it('without a store that answers nothing is sent, and the router hears that it was we who refused', async () => {
  const { clock, inner, ends } = setUp({}, (state) => ({ ...state, put: () => new Promise(() => undefined) }))
  await clock.advanceAsync(queueLimits.enqueueMs)
  expect(inner.requests).toHaveLength(0)
  expect(ends).toMatchObject([{ outcome: 'failed', fault: { kind: 'overloaded', rejected: true } }])
})

it('one that is cancelled before its mark is there is never sent', async () => {
  const { clock, inner, ends, running } = setUp({})
  running.cancel()
  await clock.advanceAsync(100)
  expect(inner.requests).toHaveLength(0)
  expect(ends).toMatchObject([{ outcome: 'cancelled' }])
})

it('one that is cancelled afterwards is cancelled at its target', async () => {
  const { clock, inner, ends, running } = setUp({ id: 'op_hang' })
  await clock.advanceAsync(10)
  running.cancel()
  expect(inner.cancelled).toHaveLength(1)
  expect(ends).toHaveLength(1)
})
