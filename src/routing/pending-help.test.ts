import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fault } from '../operation/fault.ts'
import { runbookMatrix, type OperationType } from '../operation/matrix.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { createMachine, step } from './attempt-machine.ts'
import type { RescuePolicy } from './attempt-rules.ts'
import { planRoute } from './decide-route.ts'
import type { MachineAction, MachineEvent, MachineState } from './machine-protocol.ts'
import { conditionsOf, rulesOf } from './testing/routing-fixtures.ts'

/** Hedges on Ireland after 400 ms, and remembers what it is told. */
function hedging(): RescuePolicy & { readonly ended: boolean[] } {
  const ended: boolean[] = []
  return {
    ended,
    checkAtMs: (_work, attempt) => attempt.startedAtMs + 400,
    onCheck: (work, _attempt, facts) =>
      work.attempts.length === 1 ? { help: true, kind: 'hedge', route: 'direct', target: 'ireland' } : { help: false, checkAgainAtMs: facts.nowMs + 400 },
    onHedgeEnded: (won) => void ended.push(won),
    isWorthStarting: () => true,
    latestStartMs: (work) => work.requiredByMs,
    latestStartThereMs: (work) => work.requiredByMs,
    latestRetryMs: (work) => work.requiredByMs - 1_000,
  }
}

function machine(policy: RescuePolicy, type: OperationType = 'implementation', mode: 'sync' | 'stream' = 'sync') {
  const operation = operationOf(type, { mode })
  const conditions = conditionsOf()
  let state: MachineState = createMachine(operation, planRoute(operation, runbookMatrix, conditions, 0), rulesOf({ policy }))
  return (event: MachineEvent, nowMs: number, random = 0.5): MachineAction[] => {
    const actions: MachineAction[] = []
    state = step(state, event, { nowMs, random, conditions }, actions)
    return actions
  }
}

const starts = (actions: readonly MachineAction[]): number => actions.filter(({ type }) => type === 'start_attempt').length
const wakes = (actions: readonly MachineAction[]): number => actions.flatMap((action) => (action.type === 'wake_at' ? [action.atMs] : [])).at(-1) ?? Number.NaN

describe('a look at a pending attempt', () => {
  it('helps at its instant', () => {
    const feed = machine(hedging())
    expect(wakes(feed({ type: 'admitted' }, 0))).toBe(400)
    expect(starts(feed({ type: 'timer' }, 401))).toBe(1)
  })

  it('that comes late lets in first what arrived while the process was busy', () => {
    const feed = machine(hedging())
    feed({ type: 'admitted' }, 0)
    const late = feed({ type: 'timer' }, 450)
    expect(starts(late)).toBe(0)
    expect(wakes(late)).toBe(451)
    // The answer had been there all the time.
    expect(feed({ type: 'attempt_succeeded', number: 1 }, 450.5)).toContainEqual(expect.objectContaining({ type: 'finish', status: 'succeeded' }))
  })

  it('waits for that once only', () => {
    const feed = machine(hedging())
    feed({ type: 'admitted' }, 0)
    feed({ type: 'timer' }, 450)
    expect(starts(feed({ type: 'timer' }, 520))).toBe(1)
  })
})

describe('the end of a hedge', () => {
  it.each<[rationale: string, mode: 'sync' | 'stream', events: readonly MachineEvent[], told: readonly boolean[]]>([
    ['won, when it answers first', 'sync', [{ type: 'attempt_succeeded', number: 2 }], [true]],
    ['lost, when the first attempt does', 'sync', [{ type: 'attempt_succeeded', number: 1 }], [false]],
    ['lost, when it fails', 'sync', [{ type: 'attempt_failed', number: 2, fault: { kind: 'network', retryable: true, message: 'gone' } }, { type: 'attempt_succeeded', number: 1 }], [false]],
    ['won with its first content, and told once', 'stream', [{ type: 'first_content', number: 2 }, { type: 'attempt_succeeded', number: 2 }], [true]],
    ['lost when the caller goes away', 'sync', [{ type: 'cancel', reason: 'requested' }], [false]],
  ])('is told to the policy: %s', (...[, mode, events, told]) => {
    const policy = hedging()
    const feed = machine(policy, 'implementation', mode)
    feed({ type: 'admitted' }, 0)
    feed({ type: 'timer' }, 400)
    for (const event of events) feed(event, 500)
    expect(policy.ended).toEqual(told)
  })

  it('is not told of attempts that were no hedges', () => {
    const policy = hedging()
    const feed = machine(policy)
    feed({ type: 'admitted' }, 0)
    feed({ type: 'attempt_failed', number: 1, fault: { kind: 'network', retryable: true, message: 'gone' } }, 10)
    feed({ type: 'attempt_succeeded', number: 2 }, 20)
    expect(policy.ended).toEqual([])
  })
})

describe('an emergency in an outage', () => {
  const down: Fault = { kind: 'network', retryable: true, message: 'gone' }
  const expired: Fault = { kind: 'auth', retryable: false, message: 'expired' }

  /** When each attempt starts, where all fail after 20 ms. */
  function startsOf(fault: Fault, randoms: readonly number[]): number[] {
    const feed = machine({ ...hedging(), checkAtMs: () => Number.POSITIVE_INFINITY }, 'emergency')
    const at: number[] = []
    let number = 0
    let nowMs = 0
    let actions = feed({ type: 'admitted' }, nowMs)
    for (let turn = 0; turn < 40 && !actions.some(({ type }) => type === 'finish'); turn += 1) {
      if (starts(actions) > 0) {
        at.push(nowMs)
        number += 1
        nowMs += 20
        actions = feed({ type: 'attempt_failed', number, fault }, nowMs, randoms[number % randoms.length])
      } else {
        nowMs = Math.max(nowMs, wakes(actions))
        actions = feed({ type: 'timer' }, nowMs)
      }
    }
    return at
  }

  it.each([['that refuses connections', down], ['of its credentials, which may be renewed', expired]])('spends its attempts until the last instant that makes sense, closer and closer: one %s', (_name, fault) => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 8 }), (randoms) => {
        const at = startsOf(fault, randoms)
        expect(at).toHaveLength(8)
        // It began at once on both targets; the last instant is 1 s before the end of the requirement.
        expect(at[1]).toBe(20)
        expect(at.at(-1)).toBeGreaterThan(3_900)
        expect(at.at(-1)).toBeLessThanOrEqual(4_001)
        const spaces = at.slice(2).map((startMs, index) => startMs - (at[index + 1] ?? 0))
        expect(spaces.slice(-2).reduce((sum, spaceMs) => sum + spaceMs, 0)).toBeLessThan(spaces.slice(0, 2).reduce((sum, spaceMs) => sum + spaceMs, 0))
      }),
    )
  })
})
