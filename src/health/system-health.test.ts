import { describe, expect, it } from 'vitest'
import { combinedLevel, messageOf } from './component-health.ts'
import { canonicalComponent } from './component-names.ts'
import type { HealthLevel } from './health-level.ts'
import { systemHealth, type CountedComponent, type RowRoutes } from './system-health.ts'
import { observationOf, trafficOf } from './traffic.ts'

const row = (configured: number, usable: number): RowRoutes => ({ type: 'emergency', configured, usable })
const component = (level: HealthLevel, required = false): CountedComponent => ({ level, required })

describe('the system', () => {
  it.each([
    { rows: [row(2, 2)], components: [component('healthy')], is: 'healthy', why: 'everything is' },
    { rows: [row(2, 2)], components: [component('unknown')], is: 'healthy', why: 'nothing is known against what was not checked yet' },
    { rows: [row(2, 2)], components: [component('degraded')], is: 'degraded', why: 'a component is not healthy' },
    { rows: [row(2, 1)], components: [component('critical')], is: 'degraded', why: 'a path is down, every row has another' },
    { rows: [row(2, 2), row(1, 0)], components: [component('healthy')], is: 'critical', why: 'a row has no route left' },
    { rows: [row(0, 0)], components: [], is: 'critical', why: 'a row without any configured route has no usable one' },
    { rows: [row(2, 1)], components: [component('critical', true)], is: 'unhealthy', why: 'a required component is critical' },
    { rows: [row(1, 0)], components: [component('critical', true)], is: 'critical', why: 'the row outranks the component' },
  ])('is $is when $why', ({ rows, components, is }) => {
    expect(systemHealth(rows, components)).toBe(is)
  })
})

describe('a component', () => {
  it.each([
    { parts: ['healthy', 'healthy'], is: 'healthy' },
    { parts: ['healthy', 'critical'], is: 'degraded' },
    { parts: ['degraded', 'critical'], is: 'degraded' },
    { parts: ['unhealthy', 'critical'], is: 'unhealthy' },
    { parts: ['critical', 'critical'], is: 'critical' },
    { parts: ['critical', 'unknown'], is: 'critical' },
    { parts: ['unknown'], is: 'unknown' },
    { parts: [], is: 'unknown' },
  ] as const)('with parts $parts is $is', ({ parts, is }) => {
    expect(combinedLevel(parts)).toBe(is)
  })

  it('says what is wrong in words', () => {
    const parts = [
      { title: 'frankfurt', level: 'healthy', reason: 'eu-central-1 answers' },
      { title: 'ireland', level: 'critical', reason: 'No answer within 5000 ms' },
    ] as const
    expect(messageOf(parts)).toBe('1 of 2 healthy; ireland is critical: No answer within 5000 ms.')
  })

  it.each([
    ['hybrid-router', 'hybrid-router'],
    ['intelligent-router', 'hybrid-router'],
    ['bedrock-client', 'direct-bedrock-client'],
    ['alert-system', 'alert-manager'],
    ['toString', null],
    ['', null],
  ])('called %j is %j', (name, canonical) => {
    expect(canonicalComponent(name)).toBe(canonical)
  })
})

describe('traffic', () => {
  it.each<{ succeeded: number; failed: number; throttled: number; overtaken?: number; says: string | undefined; why: string }>([
    { succeeded: 0, failed: 0, throttled: 0, says: undefined, why: 'no traffic says nothing' },
    { succeeded: 100, failed: 4, throttled: 0, says: 'healthy', why: 'less than one in twenty failed' },
    { succeeded: 95, failed: 5, throttled: 0, says: 'degraded', why: 'one in twenty is the critical error rate' },
    { succeeded: 5, failed: 5, throttled: 0, says: 'unhealthy', why: 'every second one failed' },
    { succeeded: 0, failed: 1, throttled: 0, says: 'critical', why: 'all failed; hysteresis asks for more of the same' },
    { succeeded: 1, failed: 0, throttled: 5, says: 'degraded', why: 'most were throttled' },
    { succeeded: 5, failed: 0, throttled: 1, says: 'healthy', why: 'some throttling is how limits are found' },
    { succeeded: 0, failed: 0, throttled: 0, overtaken: 3, says: 'degraded', why: 'one that hangs fails nothing: it is overtaken' },
    { succeeded: 2, failed: 0, throttled: 0, overtaken: 3, says: 'degraded', why: 'it is overtaken more often than it answers' },
    { succeeded: 19, failed: 0, throttled: 0, overtaken: 1, says: 'healthy', why: 'that some are overtaken is what help is for' },
    { succeeded: 0, failed: 1, throttled: 0, overtaken: 3, says: 'critical', why: 'what was overtaken does not hide that all others failed' },
  ])('of $succeeded good, $failed bad, $throttled throttled, $overtaken overtaken says $says: $why', ({ says, why: _why, overtaken = 0, ...stretch }) => {
    expect(observationOf({ ...stretch, overtaken })?.level).toBe(says)
  })

  it.each([
    { outcome: 'failed', kind: 'network', as: 'failed', why: 'the target did not answer' },
    { outcome: 'timed_out', kind: 'timeout', as: 'failed', why: 'nor in time' },
    { outcome: 'failed', kind: 'validation', as: null, why: 'the request was wrong' },
    { outcome: 'failed', kind: 'model_error', as: null, why: 'the input was too much for the model' },
    { outcome: 'cancelled', kind: undefined, as: null, why: 'a hedge was not needed, or the caller went away' },
    { outcome: 'cancelled', kind: undefined, overtaken: true, as: 'overtaken', why: 'the help that was started for it was quicker' },
    { outcome: 'rejected', kind: 'network', as: null, why: 'we did not ask' },
    { outcome: 'throttled', kind: 'throttled', as: 'throttled', why: 'too much' },
  ] as const)('$outcome by $kind counts as $as: $why', ({ outcome, kind, as, ...more }) => {
    const overtaken = 'overtaken' in more
    expect(trafficOf({ outcome, ...(kind === undefined ? {} : { error: { kind, retryable: false, message: '' } }) }, overtaken)).toBe(as)
  })
})
