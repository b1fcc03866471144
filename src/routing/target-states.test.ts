import { describe, expect, it } from 'vitest'
import { defaultBreakerSettings } from '../breaker/breaker.ts'
import type { Fault } from '../operation/fault.ts'
import { runbookMatrix } from '../operation/matrix.ts'
import { defaultConcurrencyLimitSettings } from './concurrency-limit.ts'
import { noOverrides, type Candidate, type Topology } from './conditions.ts'
import { estimateSettings } from './latency-estimates.ts'
import { slowness } from './target-record.ts'
import { crowdedForMs, longestThrottleMs, TargetStates, type AttemptSubject } from './target-states.ts'

const topology: Topology = {
  direct: { carriesMoreThanText: true, repeatable: true, targets: ['frankfurt', 'ireland'] },
  mcp: { carriesMoreThanText: false, repeatable: false, targets: ['ops'] },
}
const settings = { breaker: defaultBreakerSettings, limiter: defaultConcurrencyLimitSettings, estimates: estimateSettings(runbookMatrix) }
const broken: Fault = { kind: 'network', retryable: true, message: 'reset' }
const throttled: Fault = { kind: 'throttled', retryable: true, message: 'x' }
const on = (target: string, changes: Partial<AttemptSubject> = {}): AttemptSubject => ({ route: 'direct', target, type: 'infrastructure', basis: 'completion', ...changes })

function seen(states: TargetStates, target: string, nowMs: number, chance = 0.99): Candidate {
  const candidate = states.conditions(topology, noOverrides, nowMs, chance).direct.candidates.find(({ id }) => id === target)
  if (candidate === undefined) throw new Error(`no ${target}`)
  return candidate
}

function fail(states: TargetStates, target: string, fault: Fault, nowMs: number, times = 1): void {
  for (let count = 0; count < times; count += 1) {
    const among = states.onStarted('direct', target, nowMs)
    states.onFailed(on(target), fault, 5, among, nowMs)
  }
}

function answer(states: TargetStates, subject: AttemptSubject, tookMs: number, nowMs: number): void {
  states.onStarted(subject.route, subject.target, nowMs)
  states.onAnswered(subject, { tookMs, firstContentMs: null, outputTokens: 50 }, nowMs)
}

describe('the view of the targets', () => {
  it('counts what is in flight, whatever its end', () => {
    const states = new TargetStates(settings)
    for (let count = 0; count < 3; count += 1) states.onStarted('direct', 'frankfurt', 0)
    expect(seen(states, 'frankfurt', 0).inFlight).toBe(3)
    states.onCancelled(on('frankfurt'), false, 1, 1)
    states.onFailed(on('frankfurt'), broken, 1, 3, 1)
    states.onAnswered(on('frankfurt'), { tookMs: 1, firstContentMs: null, outputTokens: 1 }, 1)
    expect(seen(states, 'frankfurt', 1).inFlight).toBe(0)
  })

  it('rests a target whose breaker has opened, probes it afterwards, and tells trips and recoveries once', () => {
    const states = new TargetStates(settings)
    fail(states, 'frankfurt', broken, 10, 3)
    expect(states.takeChanges()).toEqual([{ route: 'direct', target: 'frankfurt', change: 'tripped' }])
    expect(states.takeChanges()).toEqual([])
    expect(seen(states, 'frankfurt', 10)).toMatchObject({ usable: false, unusableReason: 'breaker_open', probing: false, lastFailureMs: 10 })
    const restedMs = 10 + defaultBreakerSettings.restMs
    expect(seen(states, 'frankfurt', restedMs)).toMatchObject({ usable: true, probing: true })
    states.onStarted('direct', 'frankfurt', restedMs)
    expect(seen(states, 'frankfurt', restedMs)).toMatchObject({ usable: false })
    states.onAnswered(on('frankfurt'), { tookMs: 50, firstContentMs: null, outputTokens: 1 }, restedMs)
    answer(states, on('frankfurt'), 50, restedMs)
    answer(states, on('frankfurt'), 50, restedMs + defaultBreakerSettings.rampMs)
    expect(states.takeChanges()).toEqual([{ route: 'direct', target: 'frankfurt', change: 'recovered' }])
    expect(seen(states, 'ireland', 10).usable).toBe(true)
  })

  it('does not hold against a target what belongs to the request, a throttle, or our own refusal', () => {
    const states = new TargetStates(settings)
    const harmless: readonly Fault[] = [
      { kind: 'validation', retryable: false, message: 'x' },
      { kind: 'model_error', retryable: true, message: 'x' },
      throttled,
      { kind: 'overloaded', retryable: true, message: 'x', rejected: true },
    ]
    for (const fault of harmless) fail(states, 'frankfurt', fault, 10, 3)
    expect(seen(states, 'frankfurt', 10).usable).toBe(true)
  })

  it('counts being overtaken as a failure, being cancelled otherwise not', () => {
    const states = new TargetStates(settings)
    for (const [target, overdue] of [['frankfurt', true], ['ireland', false]] as const) {
      for (let count = 0; count < 3; count += 1) {
        states.onStarted('direct', target, 10)
        states.onCancelled(on(target), overdue, 5_000, 10)
      }
    }
    expect(seen(states, 'frankfurt', 10).usable).toBe(false)
    expect(seen(states, 'ireland', 10).usable).toBe(true)
  })

  it('obeys Retry-After, but not for a day', () => {
    const states = new TargetStates(settings)
    fail(states, 'frankfurt', { ...throttled, retryAfterMs: 700 }, 100)
    expect(seen(states, 'frankfurt', 100)).toMatchObject({ throttledUntilMs: 800, lastThrottledMs: 100 })
    fail(states, 'frankfurt', { ...throttled, retryAfterMs: 86_400_000 }, 100)
    expect(seen(states, 'frankfurt', 100).throttledUntilMs).toBe(100 + longestThrottleMs)
  })

  it('learns how much a target takes from what was in flight when it was too much', () => {
    const states = new TargetStates(settings)
    expect(seen(states, 'frankfurt', 0).limit).toBe(Number.POSITIVE_INFINITY)
    let among = 0
    for (let count = 0; count < 10; count += 1) among = states.onStarted('direct', 'frankfurt', 0)
    // Before the refusal arrives, another one has ended.
    states.onAnswered(on('frankfurt'), { tookMs: 4, firstContentMs: null, outputTokens: 1 }, 4)
    states.onFailed(on('frankfurt'), throttled, 5, among, 5)
    expect(seen(states, 'frankfurt', 5).limit).toBeCloseTo(9, 6)
    expect(states.breakers(5)[0]).toMatchObject({ target: 'frankfurt', phase: 'closed', inFlight: 8 })
  })

  it('has room on a route as long as one of its targets has a place', () => {
    const states = new TargetStates(settings)
    let among = 0
    for (let count = 0; count < 3; count += 1) among = states.onStarted('direct', 'frankfurt', 0)
    expect(states.hasRoom('direct', 0)).toBe(true)
    states.onFailed(on('frankfurt'), throttled, 5, among, 5)
    expect(states.hasRoom('direct', 5)).toBe(false)
    fail(states, 'ireland', { ...throttled, retryAfterMs: 100 }, 5)
    expect(states.hasRoom('direct', 104)).toBe(false)
    expect(states.hasRoom('direct', 105)).toBe(true)
    fail(states, 'ireland', broken, 200, 3)
    expect(states.hasRoom('direct', 200)).toBe(false)
    expect(states.hasRoom('direct', 200 + defaultBreakerSettings.restMs)).toBe(true)
    states.setDown('direct', 'ireland', true)
    expect(states.hasRoom('direct', 200 + defaultBreakerSettings.restMs)).toBe(false)
    expect(states.hasRoom('mcp', 0)).toBe(false)
  })

  it('sees a target as slow beside a quick one, by what is usual for the work it got, until that was long ago', () => {
    const states = new TargetStates(settings)
    for (let count = 0; count < 60; count += 1) answer(states, on('ireland'), 300, count)
    // Long work, but no slower than it is anywhere.
    for (let count = 0; count < 60; count += 1) answer(states, on('ireland', { type: 'background_task' }), 6_000, count)
    expect(seen(states, 'ireland', 60).slow).toBe(false)
    for (let count = 0; count < slowness.samples; count += 1) answer(states, on('frankfurt'), 900, 60)
    expect(seen(states, 'frankfurt', 60).slow).toBe(true)
    expect(seen(states, 'ireland', 60).slow).toBe(false)
    expect(seen(states, 'frankfurt', 61 + slowness.withinMs).slow).toBe(false)
  })

  it('tries a target later that throttles most of what it is sent', () => {
    const states = new TargetStates(settings)
    fail(states, 'frankfurt', throttled, 10, 5)
    expect(seen(states, 'frankfurt', 10).slow).toBe(true)
    expect(seen(states, 'frankfurt', 10 + slowness.throttledWithinMs).slow).toBe(false)
  })

  it('is crowded for a while after work had to wait', () => {
    const states = new TargetStates(settings)
    expect(states.conditions(topology, noOverrides, 0, 0).crowded).toBe(false)
    states.onCrowded(0)
    expect(states.conditions(topology, noOverrides, crowdedForMs - 1, 0).crowded).toBe(true)
    expect(states.conditions(topology, noOverrides, crowdedForMs, 0).crowded).toBe(false)
  })

  it('shares what it knows of a target between operations, and an operator resets or switches off by route or target', () => {
    const states = new TargetStates(settings)
    fail(states, 'frankfurt', broken, 10, 3)
    const other: Topology = { ...topology, direct: { ...topology.direct, targets: ['frankfurt'] } }
    expect(states.conditions(other, noOverrides, 10, 0).direct.candidates.map(({ usable }) => usable)).toEqual([false])
    expect(states.conditions(topology, noOverrides, 10, 0).mcp).toMatchObject({ carriesMoreThanText: false, repeatable: false })
    states.enableBreakers(false, { route: 'mcp' })
    expect(seen(states, 'frankfurt', 10).usable).toBe(false)
    states.enableBreakers(false, { target: 'frankfurt' })
    expect(seen(states, 'frankfurt', 10).usable).toBe(true)
    states.enableBreakers(true)
    expect(states.resetBreakers({ target: 'ireland' })).toBe(0)
    expect(states.resetBreakers()).toBe(1)
    expect(seen(states, 'frankfurt', 10).usable).toBe(true)
    expect(states.breakers(10).find(({ target }) => target === 'frankfurt')).toMatchObject({ phase: 'closed', trips: 1 })
  })
})
