import { describe, expect, it } from 'vitest'
import { runbookMatrix } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { createMachine, step } from '../routing/attempt-machine.ts'
import type { MachineEvent, MachineState } from '../routing/machine-protocol.ts'
import { planRoute } from '../routing/decide-route.ts'
import { candidateOf, conditionsOf, routeOf, rulesOf } from '../routing/testing/routing-fixtures.ts'
import { resultOf, type ResultParts } from './operation-result.ts'

const conditions = conditionsOf()

function after(operation: Operation, events: readonly (readonly [number, MachineEvent])[], world = conditions): MachineState {
  let state = createMachine(operation, planRoute(operation, runbookMatrix, world, operation.arrivedAtMs), rulesOf())
  for (const [nowMs, event] of events) state = step(state, event, { nowMs, random: 0.5, conditions: world }, [])
  return state
}

function partsOf(state: MachineState, changes: Partial<ResultParts>): ResultParts {
  return {
    run: state.run,
    status: 'succeeded',
    winner: null,
    answer: null,
    problem: null,
    spends: [],
    attemptQueuedMs: 0,
    prices: { currency: 'USD', asOf: '2026-01-01', source: 'test', models: {} },
    takenAtMs: 0,
    nowMs: 0,
    createdAt: '2026-01-01T08:00:00.000Z',
    completedAt: null,
    ...changes,
  }
}

describe('the times of a result', () => {
  it('overhead is what neither queue nor attempts nor backoff account for', () => {
    const state = after(operationOf('infrastructure'), [
      [0.7, { type: 'admitted' }],
      [100.7, { type: 'attempt_failed', number: 1, fault: { kind: 'network', retryable: true, message: 'x' } }],
      [300.7, { type: 'attempt_succeeded', number: 2 }],
    ])
    const { latency } = resultOf(partsOf(state, { takenAtMs: 0.5, nowMs: 301 }))
    expect(latency.totalMs).toBe(301)
    expect(latency.overheadMs).toBeCloseTo(0.7 + 0.3)
  })

  it('a wait for a target that asked for one is backoff, not overhead', () => {
    const throttled = conditionsOf({ direct: routeOf([candidateOf('frankfurt', { throttledUntilMs: 400 })]), mcp: routeOf([]) })
    const state = after(
      operationOf('infrastructure'),
      [
        [0.5, { type: 'admitted' }],
        [400, { type: 'timer' }],
        [500, { type: 'attempt_succeeded', number: 1 }],
      ],
      throttled,
    )
    expect(resultOf(partsOf(state, { takenAtMs: 0.5, nowMs: 500 })).latency.overheadMs).toBeCloseTo(0.5)
  })

  it('an asynchronous operation was queued until the router took it', () => {
    const state = after(operationOf('background_task', { mode: 'async' }), [
      [5_000, { type: 'admitted' }],
      [6_000, { type: 'attempt_succeeded', number: 1 }],
    ])
    const { latency } = resultOf(partsOf(state, { takenAtMs: 5_000, nowMs: 6_000 }))
    expect(latency).toMatchObject({ queuedMs: 5_000, overheadMs: 0, totalMs: 6_000 })
  })
})
