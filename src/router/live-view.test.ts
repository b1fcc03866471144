import { describe, expect, it } from 'vitest'
import type { Fault } from '../operation/fault.ts'
import type { Candidate } from '../routing/conditions.ts'
import { noOverrides } from '../routing/conditions.ts'
import { createLiveView, viewLimits, type LiveView, type Topology } from './live-view.ts'

const topology: Topology = {
  direct: { carriesMoreThanText: true, repeatable: true, targets: ['frankfurt', 'ireland'] },
  mcp: { carriesMoreThanText: false, repeatable: false, targets: ['ops'] },
}
const broken: Fault = { kind: 'network', retryable: true, message: 'reset' }

function seen(view: LiveView, target: string, nowMs: number): Candidate {
  const candidate = view.conditions(topology, noOverrides, nowMs).direct.candidates.find(({ id }) => id === target)
  if (candidate === undefined) throw new Error(`no ${target}`)
  return candidate
}

function fail(view: LiveView, target: string, fault: Fault, nowMs: number): void {
  view.onStarted('direct', target)
  view.onFailed('direct', target, fault, nowMs)
}

function answer(view: LiveView, target: string, latencyMs: number, nowMs: number): void {
  view.onStarted('direct', target)
  view.onAnswered('direct', target, latencyMs, nowMs)
}

describe('the live view', () => {
  it('counts what is in flight', () => {
    const view = createLiveView()
    view.onStarted('direct', 'frankfurt')
    view.onStarted('direct', 'frankfurt')
    expect(seen(view, 'frankfurt', 0).inFlight).toBe(2)
    view.onCancelled('direct', 'frankfurt', false, 1)
    view.onFailed('direct', 'frankfurt', broken, 1)
    expect(seen(view, 'frankfurt', 1).inFlight).toBe(0)
  })

  it('lets a target rest after three failures in a row, for a while', () => {
    const view = createLiveView()
    fail(view, 'frankfurt', broken, 10)
    fail(view, 'frankfurt', broken, 20)
    expect(seen(view, 'frankfurt', 20).usable).toBe(true)
    fail(view, 'frankfurt', broken, 30)
    expect(seen(view, 'frankfurt', 30)).toMatchObject({ usable: false, unusableReason: 'failing', lastFailureMs: 30 })
    expect(seen(view, 'frankfurt', 30 + viewLimits.restMs)).toMatchObject({ usable: true, unusableReason: null })
    expect(seen(view, 'ireland', 30).usable).toBe(true)
  })

  it('forgets failures with an answer between them', () => {
    const view = createLiveView()
    fail(view, 'frankfurt', broken, 10)
    fail(view, 'frankfurt', broken, 20)
    answer(view, 'frankfurt', 100, 25)
    fail(view, 'frankfurt', broken, 30)
    expect(seen(view, 'frankfurt', 30).usable).toBe(true)
  })

  it('does not hold against a target what belongs to the request, a throttle, or our own refusal', () => {
    const view = createLiveView()
    const harmless: readonly Fault[] = [
      { kind: 'validation', retryable: false, message: 'x' },
      { kind: 'model_error', retryable: true, message: 'x' },
      { kind: 'throttled', retryable: true, message: 'x' },
      { kind: 'overloaded', retryable: true, message: 'x', rejected: true },
    ]
    for (const fault of harmless) for (let count = 0; count < 3; count += 1) fail(view, 'frankfurt', fault, 10)
    expect(seen(view, 'frankfurt', 10).usable).toBe(true)
  })

  it('counts being overtaken as a failure, being cancelled otherwise not', () => {
    const view = createLiveView()
    for (let count = 0; count < 3; count += 1) {
      view.onStarted('direct', 'frankfurt')
      view.onCancelled('direct', 'frankfurt', true, 10)
      view.onStarted('direct', 'ireland')
      view.onCancelled('direct', 'ireland', false, 10)
    }
    expect(seen(view, 'frankfurt', 10).usable).toBe(false)
    expect(seen(view, 'ireland', 10).usable).toBe(true)
  })

  it('obeys Retry-After, but not for a day', () => {
    const view = createLiveView()
    fail(view, 'frankfurt', { kind: 'throttled', retryable: true, message: 'x', retryAfterMs: 700 }, 100)
    expect(seen(view, 'frankfurt', 100).throttledUntilMs).toBe(800)
    fail(view, 'frankfurt', { kind: 'throttled', retryable: true, message: 'x', retryAfterMs: 86_400_000 }, 100)
    expect(seen(view, 'frankfurt', 100).throttledUntilMs).toBe(100 + viewLimits.longestThrottleMs)
  })

  it('sees a target as slow beside a quick one, until that was long ago', () => {
    const view = createLiveView()
    for (let count = 0; count < viewLimits.slowSamples; count += 1) {
      answer(view, 'frankfurt', 900, count)
      expect(seen(view, 'frankfurt', count).slow).toBe(false)
    }
    for (let count = 0; count < viewLimits.slowSamples; count += 1) answer(view, 'ireland', 300, count)
    expect(seen(view, 'frankfurt', 10).slow).toBe(true)
    expect(seen(view, 'ireland', 10).slow).toBe(false)
    expect(seen(view, 'frankfurt', 11 + viewLimits.measuredWithinMs).slow).toBe(false)
  })

  it('shares what it knows of a target between operations with different candidates', () => {
    const view = createLiveView()
    for (let count = 0; count < 3; count += 1) fail(view, 'frankfurt', broken, 10)
    const other: Topology = { ...topology, direct: { ...topology.direct, targets: ['frankfurt'] } }
    expect(view.conditions(other, noOverrides, 10).direct.candidates.map(({ id, usable }) => [id, usable])).toEqual([['frankfurt', false]])
    expect(view.conditions(topology, noOverrides, 10).mcp).toMatchObject({ carriesMoreThanText: false, repeatable: false })
  })
})
