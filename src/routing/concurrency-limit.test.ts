import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  defaultConcurrencyLimitSettings as settings,
  hasRoom,
  onAttemptEnd,
  onAttemptStart,
  unlimited,
  type ConcurrencyLimit,
  type LimitSignal,
} from './concurrency-limit.ts'

const answered: LimitSignal = { kind: 'answered', slowness: 1, tookMs: 10 }
const slow: LimitSignal = { kind: 'answered', slowness: 4, tookMs: 10 }
const whole: LimitSignal = { kind: 'answered', slowness: null, tookMs: 10 }

function throttled(among: number, startedAtMs = 0, retryAfterMs?: number): LimitSignal {
  return { kind: 'too_much', retryAfterMs, startedAtMs, among }
}

/** As many signals of attempts that follow each other, so that as many are in flight before and after. */
function heard(state: ConcurrencyLimit, signals: readonly LimitSignal[], fromMs: number): ConcurrencyLimit {
  return signals.reduce((before, signal, index) => onAttemptStart(onAttemptEnd(before, signal, fromMs + 20 * index, settings)), state)
}

function withInFlight(count: number, from: ConcurrencyLimit = unlimited): ConcurrencyLimit {
  let state = from
  for (let attempt = 0; attempt < count; attempt += 1) state = onAttemptStart(state)
  return state
}

describe('the concurrency limit of a target', () => {
  it('is none until the target says that there is one', () => {
    expect(hasRoom(withInFlight(5_000), 'background_task', 'low', 0, settings)).toBe(true)
  })

  it('is set by the first throttle from what was in flight', () => {
    expect(onAttemptEnd(withInFlight(100), throttled(100), 0, settings).limit).toBeCloseTo(90, 5)
  })

  it('is set from what was in flight when the attempt was sent, and not from what is left when it is refused', () => {
    // Of three that were there, two have ended before the refusal came: three were too much, and not one.
    expect(onAttemptEnd(withInFlight(1), throttled(3), 0, settings).limit).toBe(2)
  })

  it('decreases once for a volley of throttles that answer the same burst', () => {
    let state = withInFlight(100)
    for (let answer = 0; answer < 50; answer += 1) state = onAttemptEnd(state, throttled(100), 10, settings)
    expect(state.limit).toBeCloseTo(90, 5)
    expect(state.inFlight).toBe(50)
  })

  it('grows by about one place for every round of answers while it is full', () => {
    let state = withInFlight(10, { ...unlimited, limit: 10 })
    for (let answer = 0; answer < 10; answer += 1) state = onAttemptStart(onAttemptEnd(state, answered, 1_000, settings))
    expect(state.limit).toBeGreaterThan(10.9)
    expect(state.limit).toBeLessThan(11.1)
  })

  it('climbs carefully near what was last too much, and quickly again when nothing was for some seconds', () => {
    const near = withInFlight(10, { ...unlimited, limit: 10, ceiling: 11, lastDecreaseAtMs: 0 })
    expect(onAttemptEnd(near, answered, 1_000, settings).limit).toBeCloseTo(10.002, 6)
    expect(onAttemptEnd(near, answered, settings.carefulForMs, settings).limit).toBeCloseTo(10.1, 6)
    expect(onAttemptEnd({ ...near, limit: 8 }, answered, 1_000, settings).limit).toBeCloseTo(8.125, 6)
  })

  it('decreases again only for what was sent after the last decrease', () => {
    const first = onAttemptEnd(withInFlight(100), throttled(100, 0), 10, settings)
    const late = onAttemptEnd(first, throttled(99, 9), 500, settings)
    expect(late.limit).toBe(first.limit)
    expect(onAttemptEnd({ ...late, inFlight: 80 }, throttled(80, 11), 501, settings).limit).toBeLessThan(first.limit ?? 0)
  })

  it('does not fall below what was of use lately: a volley of throttles beside good answers is no reason to stand still', () => {
    const busy = withInFlight(12, { ...unlimited, limit: 12, useful: 12, usefulAtMs: 1_000, lastDecreaseAtMs: 0 })
    expect(onAttemptEnd(busy, throttled(12, 999), 1_000, settings).limit).toBeCloseTo(10.8, 6)
    let state = busy
    for (let volley = 0; volley < 20; volley += 1) state = onAttemptEnd({ ...state, inFlight: 12 }, throttled(12, 1_001 + volley), 1_001 + volley, settings)
    expect(state.limit).toBeGreaterThan(10)
  })

  it('does not grow while it is not felt', () => {
    expect(onAttemptEnd(withInFlight(2, { ...unlimited, limit: 10 }), answered, 0, settings).limit).toBe(10)
  })

  it.each([
    [[slow], false, 'a single slow answer is a tail'],
    [[slow, answered, answered, slow, answered, answered, slow], false, 'now and then one is a tail as well'],
    [[slow, slow, slow, slow], true, 'one after the other is a queue'],
    [[whole, slow, whole, slow, slow, whole, slow, whole, whole], true, 'an answer that came whole says nothing about first content'],
  ] as const)('%#: shrinks a little when first content takes several times its usual time: %s %s, since %s', (...[signals, shrinks]) => {
    const { limit } = heard(withInFlight(10, { ...unlimited, limit: 10, ceiling: 11, lastDecreaseAtMs: 0 }), signals, 1_000)
    if (shrinks) expect(limit).toBeCloseTo(9, 1)
    else expect(limit).toBeGreaterThanOrEqual(10)
  })

  it('of a target with two places does not become one because answers are slow: what is of use stays', () => {
    const { limit } = heard(withInFlight(2, { ...unlimited, limit: 2 }), [slow, slow, slow, slow, slow], 1_000)
    expect(hasRoom({ ...unlimited, limit, inFlight: 1 }, 'background_task', 'low', 1_000, settings)).toBe(true)
  })

  it.each([
    ['background_task', 'low', 91, false, 'the lowest class is shed first'],
    ['background_task', 'low', 90, true, 'it has its share'],
    ['standard_analysis', 'medium', 94, false, 'medium leaves the last places'],
    ['infrastructure', 'critical', 99, true, 'the last places are for critical work'],
    ['infrastructure', 'critical', 100, false, 'which respects the limit too'],
    ['emergency', 'critical', 10_000, true, 'an emergency always passes'],
  ] as const)('%s (%s) with %i of 100 in flight has room: %s, for %s', (...[type, priority, inFlight, expected]) => {
    expect(hasRoom({ ...unlimited, limit: 100, inFlight }, type, priority, 0, settings)).toBe(expected)
  })

  it('waits as long as the target asked, except for emergencies', () => {
    const paused = onAttemptEnd(withInFlight(20), throttled(20, 0, 3_000), 0, settings)
    expect(hasRoom(paused, 'infrastructure', 'critical', 2_999, settings)).toBe(false)
    expect(hasRoom({ ...paused, inFlight: 5 }, 'infrastructure', 'critical', 3_000, settings)).toBe(true)
    expect(hasRoom(paused, 'emergency', 'critical', 0, settings)).toBe(true)
  })

  it('stays within its bounds, counts what is in flight, and leaves every class a place on an idle target', () => {
    const step = fc.oneof(
      fc.constant<'start'>('start'),
      fc.record({ signal: fc.oneof(fc.constantFrom<LimitSignal>(answered, slow, whole, { kind: 'silent' }), fc.integer({ min: 1, max: 200 }).map((among) => throttled(among))), waitMs: fc.nat(1_000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let state = unlimited
        let running = 0
        let nowMs = 0
        for (const each of steps) {
          if (each === 'start') {
            state = onAttemptStart(state)
            running += 1
          } else if (running > 0) {
            nowMs += each.waitMs
            state = onAttemptEnd(state, each.signal, nowMs, settings)
            running -= 1
          }
          expect(state.inFlight).toBe(running)
          if (state.limit !== null) expect(state.limit).toBeGreaterThanOrEqual(settings.lowest)
        }
        expect(hasRoom({ ...state, inFlight: 0 }, 'background_task', 'low', nowMs, settings)).toBe(true)
      }),
    )
  })
})
