/**
 * Properties of the attempt machine under any interleaving: a little world drives it with random outcomes, late and repeated
 * events, and checks after every step what must hold. The seed is printed by fast-check when one fails.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faultKinds, type Fault, type FaultKind } from '../operation/fault.ts'
import { operationTypes, runbookMatrix, type OperationType } from '../operation/matrix.ts'
import type { Operation, OperationMode } from '../operation/operation.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { candidateOf, conditionsOf, plentyOfRetries, routeOf, rulesOf } from './testing/routing-fixtures.ts'
import { createMachine, step } from './attempt-machine.ts'
import type { MachineAction, MachineEvent, MachineState } from './machine-protocol.ts'
import type { Conditions } from './conditions.ts'
import { AttemptBudget } from './attempt-budget.ts'
import { planRoute } from './decide-route.ts'

type Happening =
  | { readonly kind: 'sent' | 'content' | 'success' | 'ended'; readonly pick: number }
  | { readonly kind: 'failure'; readonly pick: number; readonly fault: FaultKind; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'time'; readonly shareOfDeadline: number }
  | { readonly kind: 'wake' | 'shed' }
  | { readonly kind: 'room'; readonly surely: boolean }
  | { readonly kind: 'cancel' }

const pick = fc.nat({ max: 9 })
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 24, arbitrary: fc.record({ kind: fc.constantFrom('sent' as const), pick }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constantFrom('content' as const, 'ended' as const), pick }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('success' as const), pick }) },
  { weight: 24, arbitrary: fc.record({ kind: fc.constant('failure' as const), pick, fault: fc.constantFrom(...faultKinds), retryAfterMs: fc.option(fc.nat({ max: 8_000 }), { nil: undefined }) }) },
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('time' as const), shareOfDeadline: fc.double({ min: 0, max: 0.3, noNaN: true }) }) },
  { weight: 24, arbitrary: fc.constant({ kind: 'wake' as const }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('room' as const), surely: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'shed' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'cancel' as const }) },
)

interface Scenario {
  readonly type: OperationType
  readonly mode: OperationMode
  readonly repeatable: boolean
  readonly mcpRepeatable: boolean
  readonly directTargets: number
  readonly mcpServers: number
  readonly resting: number
  readonly full: number
  readonly random: number
  readonly happenings: readonly Happening[]
}

const scenario: fc.Arbitrary<Scenario> = fc.record({
  type: fc.constantFrom(...operationTypes),
  mode: fc.constantFrom<OperationMode>('sync', 'stream', 'async'),
  repeatable: fc.boolean(),
  mcpRepeatable: fc.boolean(),
  directTargets: fc.nat({ max: 3 }),
  mcpServers: fc.nat({ max: 2 }),
  resting: fc.nat({ max: 31 }),
  full: fc.nat({ max: 31 }),
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
  happenings: fc.array(happening, { maxLength: 60 }),
})

interface Seen {
  readonly number: number
  readonly route: string
  readonly atMs: number
  sent: boolean
  ended: boolean
  refused: boolean
}

const definiteRefusals: readonly FaultKind[] = ['throttled', 'auth', 'access', 'not_found', 'validation', 'quota']

/** The world around one machine: what it was told to do, and what must be true of it. */
class World {
  readonly operation: Operation
  readonly conditions: Conditions
  readonly mcpRepeatable: boolean
  readonly attempts: Seen[] = []
  readonly log: MachineAction[] = []
  readonly finishes: Extract<MachineAction, { readonly type: 'finish' }>[] = []
  state: MachineState
  nowMs = 0
  wakeMs: number | null = null
  speaker: number | null = null
  contentAtMs: number | null = null
  speakers = 0
  roomAwaited = false
  random: number

  constructor(given: Scenario) {
    const rest = (index: number) => ({
      usable: (given.resting & (1 << index)) === 0,
      lastFailureMs: index,
      ...((given.full & (1 << index)) === 0 ? {} : { limit: 4, inFlight: 4 }),
    })
    const direct = Array.from({ length: given.directTargets }, (_, index) => candidateOf(`d${index}`, rest(index)))
    const mcp = Array.from({ length: given.mcpServers }, (_, index) => candidateOf(`m${index}`, rest(index + 3)))
    this.conditions = conditionsOf({ direct: routeOf(direct), mcp: routeOf(mcp, { repeatable: given.mcpRepeatable }) })
    this.mcpRepeatable = given.mcpRepeatable
    this.operation = operationOf(given.type, { mode: given.mode, repeatable: given.repeatable, streamSilenceMs: 2_000, streamMaxMs: 100_000 })
    this.random = given.random
    const plan = planRoute(this.operation, runbookMatrix, this.conditions, 0)
    this.state = createMachine(this.operation, plan, rulesOf())
  }

  endsAtMs(): number {
    return this.contentAtMs === null ? this.operation.hardTimeoutMs : this.contentAtMs + this.operation.streamMaxMs
  }

  feed(event: MachineEvent): void {
    const before = this.attempts.find((attempt) => 'number' in event && attempt.number === event.number)
    const wasRunning = before !== undefined && !before.ended
    if (wasRunning && event.type === 'attempt_sent') {
      // What must not be repeated is sent once, whatever happened to it before.
      if (!this.operation.repeatable) expect(this.attempts.filter((other) => other !== before && other.sent && !other.refused)).toEqual([])
      before.sent = true
    }
    if (wasRunning && (event.type === 'attempt_failed' || event.type === 'attempt_succeeded' || event.type === 'attempt_cancelled')) {
      before.ended = true
      before.refused = event.type === 'attempt_failed' && definiteRefusals.includes(event.fault.kind)
    }
    const wasOver = this.finishes.length > 0
    const actions: MachineAction[] = []
    this.state = step(this.state, event, { nowMs: this.nowMs, random: this.random, conditions: this.conditions }, actions)
    if (wasOver) expect(actions).toEqual([])
    this.log.push(...actions)
    for (const action of actions) this.obey(action)
    if (this.finishes.length === 0 && event.type !== 'progress') {
      expect(this.wakeMs).not.toBeNull()
      expect(this.wakeMs).toBeLessThanOrEqual(this.endsAtMs())
      // Nobody is forgotten: something runs, or something is waited for.
      if (this.attempts.every((attempt) => attempt.ended)) expect(this.state.run.waiting ?? this.state.run.room).not.toBeNull()
    }
  }

  obey(action: MachineAction): void {
    expect(this.finishes).toHaveLength(0)
    switch (action.type) {
      case 'start_attempt': {
        expect(this.nowMs).toBeLessThan(this.endsAtMs())
        expect(action.deadlineMs).toBeLessThanOrEqual(this.endsAtMs())
        expect(action.number).toBe(this.attempts.length + 1)
        if (this.operation.type === 'emergency') expect(action.route).toBe('direct')
        for (const other of this.attempts) {
          const once = !this.operation.repeatable || (other.route === 'mcp' && !this.mcpRepeatable)
          if (once && other.sent) expect(other.refused).toBe(true)
        }
        this.attempts.push({ number: action.number, route: action.route, atMs: this.nowMs, sent: false, ended: false, refused: false })
        expect(this.attempts.filter((attempt) => !attempt.ended).length).toBeLessThanOrEqual(2)
        expect(this.attempts.length).toBeLessThanOrEqual(8)
        return
      }
      case 'cancel_attempt': {
        const attempt = this.attempts[action.number - 1]
        expect(attempt?.ended).toBe(false)
        if (attempt !== undefined) attempt.ended = true
        if (this.speaker === action.number) this.speaker = null
        return
      }
      case 'speak':
        expect(this.operation.mode).toBe('stream')
        // Whoever spoke before is gone, and nobody else runs.
        expect(this.attempts.filter((attempt) => !attempt.ended && attempt.number !== action.number)).toEqual([])
        expect(this.nowMs).toBeLessThan(this.endsAtMs())
        this.contentAtMs ??= this.nowMs
        this.speaker = action.number
        this.speakers += 1
        return
      case 'notify_attempt':
        expect(action.restart).toBe(this.contentAtMs !== null)
        expect(action.restart).toBe(action.reason === 'restart')
        return
      case 'await_room':
        expect(this.roomAwaited).toBe(false)
        this.roomAwaited = true
        return
      case 'leave_room':
        expect(this.roomAwaited).toBe(true)
        this.roomAwaited = false
        return
      case 'wake_at':
        this.wakeMs = action.atMs
        return
      case 'finish':
        this.wakeMs = null
        expect(this.roomAwaited).toBe(false)
        this.finishes.push(action)
        expect(this.attempts.filter((attempt) => !attempt.ended)).toEqual([])
        if (action.status === 'succeeded') expect(this.nowMs).toBeLessThan(this.endsAtMs())
        expect(action.winner !== null).toBe(action.status === 'succeeded')
        expect(action.problem !== null).toBe(action.status === 'failed')
    }
  }

  wake(): void {
    if (this.wakeMs === null) return
    this.nowMs = Math.max(this.nowMs, this.wakeMs)
    this.wakeMs = null
    this.feed({ type: 'timer' })
  }
}

function play(given: Scenario): World {
  const world = new World(given)
  world.feed({ type: 'admitted' })
  for (const event of given.happenings) {
    const number = 'pick' in event ? (event.pick % Math.max(1, world.attempts.length + 1)) + 1 : 0
    switch (event.kind) {
      case 'sent':
        world.feed({ type: 'attempt_sent', number })
        break
      case 'content':
        world.feed({ type: 'first_content', number })
        break
      case 'success':
        world.feed({ type: 'attempt_succeeded', number })
        break
      case 'ended':
        world.feed({ type: 'attempt_cancelled', number })
        break
      case 'failure': {
        const fault: Fault = { kind: event.fault, retryable: event.fault !== 'auth', message: 'x', ...(event.retryAfterMs === undefined ? {} : { retryAfterMs: event.retryAfterMs }) }
        world.feed({ type: 'attempt_failed', number, fault })
        break
      }
      case 'time': {
        // Time passes up to the next wake-up, as a clock that fires its timers would let it.
        const untilMs = world.nowMs + event.shareOfDeadline * world.operation.hardTimeoutMs
        if (world.wakeMs !== null && world.wakeMs <= untilMs) world.wake()
        else world.nowMs = untilMs
        break
      }
      case 'wake':
        world.wake()
        break
      case 'room':
        world.feed({ type: 'room', surely: event.surely })
        break
      case 'shed':
        world.feed({ type: 'shed', retryAfterMs: 1_000 })
        break
      case 'cancel':
        world.feed({ type: 'cancel', reason: 'requested' })
    }
  }
  return world
}

const runs = { numRuns: 1_500 }

describe('the attempt machine, under every interleaving', () => {
  it('keeps its promises in every step, and ends in exactly one final state with no timer left', () => {
    fc.assert(
      fc.property(scenario, (given) => {
        const world = play(given)
        // Left alone from here on, timers alone bring it to its end.
        for (let turn = 0; turn < 500 && world.finishes.length === 0; turn += 1) world.wake()
        expect(world.finishes).toHaveLength(1)
        expect(world.state.phase).toBe('ended')
        expect(world.wakeMs).toBeNull()
        const winners = world.state.run.attempts.filter((attempt) => attempt.outcome === 'succeeded')
        expect(winners.length).toBeLessThanOrEqual(1)
        expect(world.state.run.attempts.every((attempt) => attempt.outcome !== null)).toBe(true)
        expect(world.state.run.running).toBe(0)
      }),
      runs,
    )
  })

  it('gives the same actions for the same events', () => {
    fc.assert(
      fc.property(scenario, (given) => {
        expect(play(given).log).toEqual(play(given).log)
      }),
      { numRuns: 300 },
    )
  })

  it('answers by the hard timeout when nothing is ever heard', () => {
    fc.assert(
      fc.property(scenario, (given) => {
        const world = new World({ ...given, happenings: [] })
        world.feed({ type: 'admitted' })
        for (let turn = 0; turn < 500 && world.finishes.length === 0; turn += 1) world.wake()
        expect(world.nowMs).toBeLessThanOrEqual(world.operation.hardTimeoutMs)
        if (world.attempts.length > 0) expect(world.finishes[0]?.problem?.code).toBe('deadline_exceeded')
        // Neither a breaker nor a limit keeps an emergency from being sent.
        if (given.type === 'emergency' && given.directTargets > 0) expect(world.attempts.length).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
  })
})

interface NextRow {
  readonly rationale: string
  readonly type: OperationType
  readonly fault: FaultKind
  readonly retryable: boolean
  readonly expected: readonly string[]
}

/** Every attempt fails with the same fault: where it goes, one after the other, without waiting. */
const nextSheet: readonly NextRow[] = [
  { rationale: 'quotas are per region: the other target first', type: 'infrastructure', fault: 'throttled', retryable: true, expected: ['d0', 'd1', 'm0'] },
  { rationale: 'all targets share the credentials: the other route first', type: 'infrastructure', fault: 'auth', retryable: false, expected: ['d0', 'm0', 'd1'] },
  { rationale: 'model access is per region', type: 'infrastructure', fault: 'access', retryable: false, expected: ['d0', 'd1', 'm0'] },
  { rationale: 'the request is wrong everywhere', type: 'infrastructure', fault: 'validation', retryable: false, expected: ['d0'] },
  { rationale: 'the same model would fail on the same input', type: 'infrastructure', fault: 'model_error', retryable: true, expected: ['d0', 'm0', 'd1'] },
  { rationale: 'an MCP row falls back to direct', type: 'standard_analysis', fault: 'overloaded', retryable: true, expected: ['m0', 'd0', 'd1'] },
  { rationale: 'an emergency stays direct', type: 'emergency', fault: 'network', retryable: true, expected: ['d0', 'd1'] },
]

describe('after a failure', () => {
  for (const { rationale, type, fault, retryable, expected } of nextSheet) {
    it(`${fault} of ${type}: ${rationale}`, () => {
      const conditions = conditionsOf({ direct: routeOf(['d0', 'd1']), mcp: routeOf(['m0']) })
      const operation = operationOf(type)
      let state = createMachine(operation, planRoute(operation, runbookMatrix, conditions, 0), rulesOf())
      const started: string[] = []
      const facts = { nowMs: 0, random: 0.5, conditions }
      let events: MachineEvent[] = [{ type: 'admitted' }]
      while (events.length > 0) {
        const actions: MachineAction[] = []
        for (const event of events) state = step(state, event, facts, actions)
        events = []
        for (const action of actions) {
          if (action.type !== 'start_attempt') continue
          started.push(action.target)
          events.push({ type: 'attempt_failed', number: action.number, fault: { kind: fault, retryable, message: 'x' } })
        }
      }
      expect(started).toEqual(expected)
    })
  }

  it('a target is tried again only within the budget, and at most twice', () => {
    const conditions = conditionsOf({ direct: routeOf(['d0']), mcp: routeOf([]) })
    const attemptsWith = (retryBudget: AttemptBudget): number => {
      const operation = operationOf('infrastructure')
      let state = createMachine(operation, planRoute(operation, runbookMatrix, conditions, 0), rulesOf({ retryBudget }))
      let nowMs = 0
      let event: MachineEvent = { type: 'admitted' }
      for (let turn = 0; turn < 50 && state.phase !== 'ended'; turn += 1) {
        const actions: MachineAction[] = []
        state = step(state, event, { nowMs, random: 0.5, conditions }, actions)
        const start = actions.find((action) => action.type === 'start_attempt')
        if (start !== undefined) event = { type: 'attempt_failed', number: start.number, fault: { kind: 'network', retryable: true, message: 'x' } }
        else {
          nowMs = state.run.wakeAtMs
          event = { type: 'timer' }
        }
      }
      return state.run.attempts.length
    }
    expect(attemptsWith(plentyOfRetries())).toBe(3)
    expect(attemptsWith(new AttemptBudget(0, 0))).toBe(1)
  })
})
