/**
 * Where the next attempt goes and when, as sheets: which place with room is taken by one that waited, which target an
 * emergency takes in a storm of throttles, and how the attempts of an emergency are spread over its time.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runbookMatrix, type OperationType, type Route } from '../operation/matrix.ts'
import type { Fault } from '../operation/fault.ts'
import { operationOf } from '../operation/testing/operation.ts'
import type { AttemptOutcome } from '../operation/result.ts'
import { newRun, type Run } from './attempt-run.ts'
import { defaultAttemptLimits, type RescuePolicy, type StepFacts } from './attempt-rules.ts'
import { type Candidate, type Conditions } from './conditions.ts'
import { planRoute } from './decide-route.ts'
import { pickNext, pickRoom } from './next-attempt.ts'
import { candidateOf, conditionsOf, helpAtHalf, routeOf, rulesOf } from './testing/routing-fixtures.ts'

interface Tried {
  readonly route: Route
  readonly target: string
  readonly outcome: AttemptOutcome | null
}

interface Situation {
  readonly type: OperationType
  readonly direct?: readonly Candidate[]
  readonly mcp?: readonly Candidate[]
  readonly tried?: readonly Tried[]
  readonly nowMs?: number
  readonly random?: number
  /** Until when a place is in time, by its id: for sure, and probably. */
  readonly latestMs?: Readonly<Record<string, readonly [surelyMs: number, likelyMs: number]>>
}

const throttled: Fault = { kind: 'throttled', retryable: true, message: 'Too many requests' }
const full = { inFlight: 2, limit: 2 }

function situation(given: Situation): { readonly run: Run; readonly facts: StepFacts } {
  const usual = conditionsOf()
  const conditions: Conditions = { ...usual, direct: given.direct === undefined ? usual.direct : routeOf(given.direct), mcp: given.mcp === undefined ? usual.mcp : routeOf(given.mcp) }
  const policy: RescuePolicy = {
    ...helpAtHalf,
    latestStartThereMs: (work, _route, target, surely) => given.latestMs?.[target]?.[surely ? 0 : 1] ?? work.requiredByMs,
  }
  const operation = operationOf(given.type)
  const run = newRun(operation, planRoute(operation, runbookMatrix, conditions, 0), rulesOf({ policy }))
  for (const { route, target, outcome } of given.tried ?? []) {
    const isRefused = outcome === 'throttled'
    run.attempts.push({ number: run.attempts.length + 1, route, target, reason: 'first', startedAtMs: 0, repeatable: true, sent: true, outcome, endedAtMs: 10, fault: isRefused ? throttled : null, checkAtMs: 0, late: false, hedging: false, overdue: false })
    if (outcome === null) run.running += 1
  }
  return { run, facts: { nowMs: given.nowMs ?? 100, random: given.random ?? 0.5, conditions } }
}

interface RoomRow extends Situation {
  readonly rationale: string
  readonly surely?: boolean
  readonly anywhere?: boolean
  readonly expected: string
}

const roomSheet: readonly RoomRow[] = [
  { rationale: 'the first place of its own route', type: 'infrastructure', expected: 'direct/frankfurt' },
  { rationale: 'the next place, where the first is full', type: 'infrastructure', direct: [candidateOf('frankfurt', full), candidateOf('ireland')], expected: 'direct/ireland' },
  { rationale: 'the other route, where its own is full', type: 'infrastructure', direct: [candidateOf('frankfurt', full)], expected: 'mcp/ops' },
  { rationale: 'not a place where it would hardly be in time, as long as that matters', type: 'infrastructure', direct: [candidateOf('frankfurt', full)], latestMs: { ops: [99, 300] }, surely: true, expected: 'none' },
  { rationale: 'that place after all, where nobody else of its class would be in time', type: 'infrastructure', direct: [candidateOf('frankfurt', full)], latestMs: { ops: [99, 300] }, surely: false, expected: 'mcp/ops' },
  { rationale: 'not a place where it would probably be late: the place is for others', type: 'infrastructure', direct: [candidateOf('frankfurt', full)], latestMs: { ops: [99, 99] }, surely: false, expected: 'none' },
  { rationale: 'a quicker place instead of a slower one that has room as well', type: 'standard_analysis', latestMs: { ops: [99, 99] }, expected: 'direct/frankfurt' },
  { rationale: 'any place, for an emergency: it is late only when it is not answered', type: 'emergency', latestMs: { frankfurt: [99, 99], ireland: [99, 99] }, surely: true, expected: 'direct/frankfurt' },
  { rationale: 'no other route, for an emergency', type: 'emergency', direct: [candidateOf('frankfurt', full)], expected: 'none' },
  { rationale: 'an untried place before one that has refused', type: 'infrastructure', tried: [{ route: 'direct', target: 'frankfurt', outcome: 'throttled' }], expected: 'direct/ireland' },
]

/** An emergency that has waited long enough to be sent whether there is room or not. */
const stormSheet: readonly RoomRow[] = [
  { rationale: 'a target that refuses little keeps its turn', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.4 }), candidateOf('ireland', { throttledShare: 0 })], expected: 'direct/frankfurt' },
  { rationale: 'room where most is refused is no room', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.3 })], expected: 'direct/ireland' },
  { rationale: 'the one that refuses less is taken though it is full', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.3, ...full })], expected: 'direct/ireland' },
  { rationale: 'of several the one that refuses least', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.6 }), candidateOf('paris', { throttledShare: 0.2 })], expected: 'direct/paris' },
  { rationale: 'a difference of some attempts is chance', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.7 })], expected: 'direct/frankfurt' },
  { rationale: 'a target that rests is no way out', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.1, usable: false })], expected: 'direct/frankfurt' },
  { rationale: 'nor is one that asked to be left alone', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.1, throttledUntilMs: 5_000 })], expected: 'direct/frankfurt' },
  { rationale: 'one that still works on it is not sent the same again', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.1 })], tried: [{ route: 'direct', target: 'ireland', outcome: null }], expected: 'direct/frankfurt' },
  { rationale: 'one that refused it before is asked again where it refuses less than an untried one', type: 'emergency', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.3 })], tried: [{ route: 'direct', target: 'ireland', outcome: 'throttled' }], expected: 'direct/ireland' },
  { rationale: 'all others stay with the order of preference: limits and budgets hold them', type: 'infrastructure', direct: [candidateOf('frankfurt', { throttledShare: 0.9 }), candidateOf('ireland', { throttledShare: 0.1 })], expected: 'direct/frankfurt' },
]

function picked({ surely = true, anywhere = false, ...given }: RoomRow): string {
  const { run, facts } = situation(given)
  const pick = pickRoom(run, facts, anywhere, surely, 0)
  return pick === null ? 'none' : `${pick.route}/${pick.target}`
}

describe('who has waited for room takes', () => {
  it.each(roomSheet)('$rationale', (row) => {
    expect(picked(row)).toBe(row.expected)
  })
})

describe('in a storm of throttles', () => {
  it.each(stormSheet)('$rationale', (row) => {
    expect(picked({ anywhere: true, ...row })).toBe(row.expected)
  })
})

describe('the attempts of an emergency', () => {
  const both = [candidateOf('frankfurt'), candidateOf('ireland')]
  const refused = (count: number): readonly Tried[] => Array.from({ length: count }, (_, index) => ({ route: 'direct', target: index % 2 === 0 ? 'frankfurt' : 'ireland', outcome: 'throttled' }))

  /** ms until the next attempt, after so many were refused. */
  function waitMs(attempts: number, nowMs: number, random: number, type: OperationType = 'emergency'): number | null {
    const { run, facts } = situation({ type, direct: both, mcp: [], tried: refused(attempts), nowMs, random })
    const pick = pickNext(run, facts, 'direct', { kind: 'network', retryable: true, message: 'reset' })
    return pick?.kind === 'wait' ? pick.atMs - nowMs : null
  }

  it.each([
    { attempts: 2, nowMs: 200, random: 1, expected: 800, why: 'six are left for 4.8 s' },
    { attempts: 2, nowMs: 200, random: 0, expected: 400, why: 'half of the span is jitter' },
    { attempts: 4, nowMs: 1_000, random: 1, expected: 1_000, why: 'four are left for 4 s' },
    { attempts: 7, nowMs: 4_000, random: 1, expected: 1_000, why: 'the last one takes what is left' },
    { attempts: 4, nowMs: 5_000, random: 1, expected: 1_250, why: 'when the requirement has passed, the hard timeout is what is left' },
  ])('wait for $expected ms after $attempts of them at $nowMs ms: $why', ({ attempts, nowMs, random, expected }) => {
    expect(waitMs(attempts, nowMs, random)).toBeCloseTo(expected, 6)
  })

  it('of all others follow each other within a share of the requirement', () => {
    expect(waitMs(2, 200, 1, 'infrastructure')).toBeLessThanOrEqual(defaultAttemptLimits.backoffShare * runbookMatrix.infrastructure.latencyMs)
  })

  it('last until the requirement has nearly passed, whatever the jitter: an outage that ends within it is survived', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 }), (jitter) => {
        let nowMs = 10
        const startsMs: number[] = []
        for (let attempts = 2; attempts < defaultAttemptLimits.attempts; attempts += 1) {
          nowMs += waitMs(attempts, nowMs, jitter[attempts] ?? 0) ?? 0
          startsMs.push(nowMs)
        }
        const lastMs = startsMs.at(-1) ?? 0
        expect(lastMs).toBeLessThanOrEqual(runbookMatrix.emergency.latencyMs)
        // With the least jitter each waits for half of its share of what is left: 1 - 11/12 * 9/10 * ... * 1/2.
        expect(lastMs).toBeGreaterThan(0.75 * runbookMatrix.emergency.latencyMs)
        for (const [index, atMs] of startsMs.entries()) expect(atMs).toBeGreaterThan(startsMs[index - 1] ?? 0)
      }),
    )
  })
})
