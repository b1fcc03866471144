import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admission, atInstant, closedBreaker, defaultBreakerSettings as settings, onOutcome, onStart, rampShare, resetBreaker, type BreakerState } from './breaker.ts'

type Outcome = 'succeeded' | 'failed' | 'neutral'

function after(outcomes: readonly Outcome[], everyMs = 10, from: BreakerState = closedBreaker(), startMs = 0): { state: BreakerState; nowMs: number } {
  let state = from
  let nowMs = startMs
  for (const outcome of outcomes) {
    state = onOutcome(onStart(state, nowMs, settings), outcome, nowMs, settings)
    nowMs += everyMs
  }
  return { state, nowMs }
}

const repeat = (outcome: Outcome, count: number): Outcome[] => Array.from({ length: count }, () => outcome)

describe('a closed breaker', () => {
  it.each<[string, readonly Outcome[], number, 'closed' | 'open']>([
    ['three failures in a row trip it: the target is gone, however few calls there were', repeat('failed', 3), 10, 'open'],
    ['two failures in a row do not: they happen to a good target', repeat('failed', 2), 10, 'closed'],
    ['a success between starts the row again', ['failed', 'failed', 'succeeded', 'failed', 'failed'], 10, 'closed'],
    ['three failures in a row, each longer apart than the window, are not one event', repeat('failed', 3), settings.windowMs + 1, 'closed'],
    ['half of twenty calls failing trips it, without a row of three', Array.from({ length: 10 }, (): Outcome[] => ['succeeded', 'failed']).flat(), 10, 'open'],
    ['half of eighteen calls is too few to judge', Array.from({ length: 9 }, (): Outcome[] => ['succeeded', 'failed']).flat(), 10, 'closed'],
    ['throttles and cancellations say nothing', repeat('neutral', 100), 10, 'closed'],
  ])('%s', (_rationale, outcomes, everyMs, phase) => {
    expect(after(outcomes, everyMs).state.phase).toBe(phase)
  })
})

describe('an open breaker', () => {
  const tripped = after(repeat('failed', 3), 0).state

  it('sends calls elsewhere until its rest ends, then lets one probe through at a time', () => {
    expect(admission(tripped, settings.restMs - 1, settings, 0)).toEqual({ kind: 'elsewhere', untilMs: settings.restMs })
    expect(admission(tripped, settings.restMs, settings, 0).kind).toBe('probe')
    const probing = onStart(tripped, settings.restMs, settings)
    expect(admission(probing, settings.restMs, settings, 0).kind).toBe('elsewhere')
  })

  it('rests twice as long after every probe that fails, up to the bound', () => {
    let state = tripped
    let nowMs = 0
    const rests: number[] = []
    for (let trips = 0; trips < 8; trips += 1) {
      if (state.phase !== 'open') throw new Error(`expected open, got ${state.phase}`)
      rests.push(state.untilMs - nowMs)
      nowMs = state.untilMs
      state = onOutcome(onStart(state, nowMs, settings), 'failed', nowMs, settings)
    }
    expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  })

  it('a cancelled probe gives its place back', () => {
    const probing = onStart(tripped, settings.restMs, settings)
    const cancelled = onOutcome(probing, 'neutral', settings.restMs + 1, settings)
    expect(admission(cancelled, settings.restMs + 1, settings, 0).kind).toBe('probe')
  })

  it('comes back by a ramp after the probes succeeded, and counts one recovery when the ramp is over', () => {
    const { state, nowMs } = after(repeat('succeeded', settings.probeSuccesses), 1, tripped, settings.restMs)
    expect(state.phase).toBe('ramping')
    expect(admission(state, nowMs, settings, 0.05).kind).toBe('pass')
    expect(admission(state, nowMs, settings, 0.5).kind).toBe('elsewhere')
    expect(admission(state, nowMs + settings.rampMs, settings, 0.999).kind).toBe('pass')
    const closed = atInstant(state, nowMs + settings.rampMs, settings)
    expect(closed).toMatchObject({ phase: 'closed', trips: 1, recoveries: 1, tripsInARow: 0 })
  })

  it('opens again when it fails in the ramp, and then rests longer', () => {
    const ramping = after(repeat('succeeded', settings.probeSuccesses), 1, tripped, settings.restMs)
    const again = after(repeat('failed', settings.consecutiveFailures), 0, ramping.state, ramping.nowMs).state
    expect(again).toMatchObject({ phase: 'open', untilMs: ramping.nowMs + 2 * settings.restMs })
  })

  it('is closed by an operator’s reset, which keeps the history', () => {
    expect(resetBreaker(tripped)).toMatchObject({ phase: 'closed', trips: 1, failuresInARow: 0 })
    expect(admission(resetBreaker(tripped), 0, settings, 0.999).kind).toBe('pass')
  })
})

describe('any breaker', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom<Outcome>('succeeded', 'failed', 'neutral'), fc.integer({ min: 0, max: 20_000 })), { maxLength: 80 })

  it('recovers by itself: after the longest rest, successes alone bring it back to closed', () => {
    fc.assert(
      fc.property(steps, (history) => {
        let state = closedBreaker()
        let nowMs = 0
        for (const [outcome, waitMs] of history) {
          nowMs += waitMs
          state = onOutcome(onStart(state, nowMs, settings), outcome, nowMs, settings)
        }
        nowMs += settings.longestRestMs
        for (let call = 0; call < settings.probeSuccesses; call += 1) {
          expect(admission(state, nowMs, settings, 0).kind).not.toBe('elsewhere')
          state = onOutcome(onStart(state, nowMs, settings), 'succeeded', nowMs, settings)
        }
        expect(admission(state, nowMs + settings.rampMs, settings, 0.999).kind).toBe('pass')
      }),
    )
  })

  it('never has more recoveries than trips, and never a rest beyond the bound', () => {
    fc.assert(
      fc.property(steps, (history) => {
        let state = closedBreaker()
        let nowMs = 0
        for (const [outcome, waitMs] of history) {
          nowMs += waitMs
          state = onOutcome(onStart(state, nowMs, settings), outcome, nowMs, settings)
          expect(state.recoveries).toBeLessThanOrEqual(state.trips)
          if (state.phase === 'open') expect(state.untilMs - nowMs).toBeLessThanOrEqual(settings.longestRestMs)
          if (state.phase === 'half_open') expect(state.probesInFlight).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })

  it('ramps only upward', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 20_000 }), (a, b) => {
        expect(rampShare(0, Math.min(a, b), settings)).toBeLessThanOrEqual(rampShare(0, Math.max(a, b), settings))
      }),
    )
    expect(rampShare(0, settings.rampMs, settings)).toBe(1)
  })
})
