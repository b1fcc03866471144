import { describe, expect, it } from 'vitest'
import type { AttemptOutcome } from '../operation/result.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { createEventStream, type EventStream } from '../runtime/event-stream.ts'
import { createVirtualClock, type VirtualClock } from '../runtime/virtual-clock.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { startHealthChecker, type HealthChecker } from './health-checker.ts'
import type { Finding, HealthComponent, HealthSubject } from './health-subject.ts'
import type { KnownLevel } from './health-level.ts'

const settings = { intervalMs: 10_000, undecidedIntervalMs: 2_000, timeoutMs: 5_000, worsensAfter: 3, recoversAfter: 5, trustTrafficMs: 60_000, probing: true }
const healthy: Finding = { level: 'healthy', reason: 'It answers', responseTimeMs: 3 }
const down: Finding = { level: 'critical', reason: 'No connection', responseTimeMs: null }

interface World {
  readonly clock: VirtualClock
  readonly events: EventStream<SystemEvent>
  readonly seen: SystemEvent[]
  readonly checker: HealthChecker
  /** By target. */
  readonly probes: Map<string, number>
  readonly answers: Map<string, () => Finding | Promise<Finding>>
  readonly standing: Map<string, { level: KnownLevel; reason: string }>
  targets: string[]
}

/** Switched by tests of the flag. */
let probing = true

type Answers = Readonly<Record<string, () => Finding | Promise<Finding>>>

function world(...targets: string[]): World {
  return worldWith({}, ...targets)
}

/** The first look is taken at once, so what it finds must be there. */
function worldWith(answers: Answers, ...targets: string[]): World {
  probing = true
  const clock = createVirtualClock()
  const events = createEventStream<SystemEvent>((error) => {
    throw error
  })
  const seen: SystemEvent[] = []
  events.subscribe((event) => seen.push(event))
  const made = { clock, events, seen, probes: new Map<string, number>(), answers: new Map(Object.entries(answers)), standing: new Map<string, { level: KnownLevel; reason: string }>(), targets }
  const subject = (target: string): HealthSubject => ({
    id: `direct:${target}`,
    title: target,
    carries: { route: 'direct', target },
    seesLess: true,
    standing: () => made.standing.get(target) ?? null,
    probe: () => {
      made.probes.set(target, (made.probes.get(target) ?? 0) + 1)
      return made.answers.get(target)?.() ?? healthy
    },
  })
  const components = (): readonly HealthComponent[] => [
    { name: 'direct-bedrock-client', what: 'targets', required: true, off: null, subjects: made.targets.map(subject) },
    { name: 'mcp-router', what: 'servers', required: false, off: 'No server is configured.', subjects: [] },
  ]
  const checker = startHealthChecker({ clock, events, settings: () => ({ ...settings, probing }), components })
  return Object.assign(made, { checker })
}

const level = (w: World): string => w.checker.components()[0]?.status ?? ''
const part = (w: World, target: string): string | undefined => w.checker.components()[0]?.subjects.find((one) => one.title === target)?.status

function attempt(w: World, target: string, outcome: AttemptOutcome, count = 1, overtaken = false): void {
  for (let index = 0; index < count; index += 1) {
    const error = outcome === 'failed' ? { error: { kind: 'overloaded', retryable: true, message: 'busy' } as const } : {}
    w.events.publish({ type: 'attempt_ended', atMs: w.clock.nowMs(), operation: operationOf('emergency'), record: { number: 1, route: 'direct', target, reason: 'first', startMs: 0, durationMs: 10, outcome, ...error }, outputTokens: 1, overtaken })
  }
}

describe('without traffic', () => {
  it('a target is known to be well at once, and probed at its interval and no more often', async () => {
    const w = world('a')
    await w.clock.advanceAsync(0)
    expect(level(w)).toBe('healthy')
    await w.clock.advanceAsync(60_000)
    expect(w.probes.get('a')).toBe(7)
  })

  it('a target that goes down is critical within the interval and three closer looks, and recovers after five good ones', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1_000)
    w.answers.set('a', () => down)
    await w.clock.advanceAsync(10_000 + 2 * 2_500)
    expect(level(w)).toBe('critical')
    expect(w.checker.isDown('direct', 'a')).toBe(true)
    expect(w.checker.components()[0]).toMatchObject({ message: 'No connection.', lastError: { message: 'No connection' } })
    w.answers.delete('a')
    await w.clock.advanceAsync(10_000 + 2 * 2_500)
    expect(level(w)).toBe('critical')
    await w.clock.advanceAsync(3 * 2_500)
    expect(level(w)).toBe('healthy')
    expect(w.checker.isDown('direct', 'a')).toBe(false)
    expect(w.seen.filter((event) => event.type === 'health_changed').map((event) => event.to)).toEqual(['healthy', 'critical', 'healthy'])
  })

  it('one of two down degrades the component, with the reason in words and since when', async () => {
    const w = worldWith({ b: () => down }, 'a', 'b')
    await w.clock.advanceAsync(30_000)
    expect(level(w)).toBe('degraded')
    const view = w.checker.components()[0]
    expect(view?.message).toBe('1 of 2 healthy; b is critical: No connection.')
    expect(w.clock.nowMs() - (view?.sinceMs ?? 0)).toBeGreaterThan(20_000)
  })

  it('a target that flaps keeps its level', async () => {
    const w = world('a')
    let calls = 0
    await w.clock.advanceAsync(30_000)
    expect(level(w)).toBe('healthy')
    w.answers.set('a', () => {
      calls += 1
      return calls % 3 === 0 ? healthy : down
    })
    await w.clock.advanceAsync(600_000)
    expect(level(w)).toBe('healthy')
    expect(w.seen.filter((event) => event.type === 'health_changed').length).toBe(1)
  })

  it('with probing switched off a target is left alone, keeps its level, and is probed again when it is switched on', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1_000)
    probing = false
    w.answers.set('a', () => down)
    await w.clock.advanceAsync(600_000)
    expect([w.probes.get('a'), level(w)]).toEqual([1, 'healthy'])
    attempt(w, 'a', 'failed', 5)
    await w.clock.advanceAsync(10_000)
    expect(w.checker.components()[0]?.subjects[0]?.by).toBe('traffic')
    probing = true
    await w.clock.advanceAsync(20_000)
    expect(w.probes.get('a')).toBeGreaterThan(1)
  })

  it('a probe that says nothing neither mends nor breaks', async () => {
    const w = worldWith({ a: () => ({ level: null, reason: 'Throttled', responseTimeMs: null }) }, 'a')
    await w.clock.advanceAsync(60_000)
    expect(level(w)).toBe('unknown')
    expect(w.seen.some((event) => event.type === 'health_checked')).toBe(false)
  })
})

describe('a probe that hangs', () => {
  it('counts as failed in its time, is never doubled, and its late answer changes nothing by itself', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1_000)
    let release: (finding: Finding) => void = () => undefined
    w.answers.set('a', () => new Promise((resolve) => {
      release = resolve
    }))
    await w.clock.advanceAsync(60_000)
    expect(w.probes.get('a')).toBe(2)
    expect(level(w)).toBe('critical')
    expect(w.checker.status()).toMatchObject({ underWay: 1 })
    w.answers.delete('a')
    release(healthy)
    await w.clock.advanceAsync(1)
    expect(level(w)).toBe('critical')
    await w.clock.advanceAsync(60_000)
    expect(level(w)).toBe('healthy')
  })

  it('holds up no other', async () => {
    const w = world('a', 'b')
    w.answers.set('a', () => new Promise(() => undefined))
    await w.clock.advanceAsync(60_000)
    expect([part(w, 'a'), part(w, 'b')]).toEqual(['critical', 'healthy'])
    expect(w.probes.get('b')).toBe(7)
  })

  it('or throws is a failed one', async () => {
    const w = world('a', 'b')
    w.answers.set('a', () => Promise.reject(new Error('no such host')))
    w.answers.set('b', () => {
      throw new Error('a mistake of ours')
    })
    await w.clock.advanceAsync(30_000)
    expect(level(w)).toBe('critical')
    expect(w.checker.components()[0]?.subjects.map((one) => one.message)).toEqual(['no such host', 'a mistake of ours'])
  })
})

describe('traffic', () => {
  it('spares the probe and tells before it', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1)
    for (let second = 0; second < 100; second += 1) {
      attempt(w, 'a', 'succeeded')
      await w.clock.advanceAsync(1_000)
    }
    expect(w.probes.get('a')).toBe(1)
    expect(w.checker.components()[0]?.subjects[0]).toMatchObject({ by: 'traffic', status: 'healthy' })
  })

  it('that fails outranks a control plane that answers', async () => {
    const w = world('a', 'b')
    await w.clock.advanceAsync(1)
    for (let second = 0; second < 30; second += 1) {
      attempt(w, 'a', 'failed', 3)
      attempt(w, 'b', 'succeeded', 3)
      await w.clock.advanceAsync(1_000)
    }
    expect([part(w, 'a'), part(w, 'b'), level(w)]).toEqual(['critical', 'healthy', 'degraded'])
  })

  it('that fails now and then, while probes in between succeed, is a failure all the same, until it is long past', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1)
    for (let minute = 0; minute < 3; minute += 1) {
      attempt(w, 'a', 'failed')
      await w.clock.advanceAsync(30_000)
    }
    expect(w.checker.components()[0]).toMatchObject({ status: 'critical', message: '1 of 1 attempts failed, although a probe was answered.' })
    await w.clock.advanceAsync(25_000)
    expect(level(w)).toBe('critical')
    await w.clock.advanceAsync(25_000)
    // It is tried again, and what is tried tells.
    expect(w.checker.components()[0]).toMatchObject({ status: 'degraded', message: 'A probe is answered, and no operation has been since operations failed.' })
    await w.clock.advanceAsync(180_000)
    expect(level(w)).toBe('degraded')
    await w.clock.advanceAsync(60_000)
    expect(level(w)).toBe('healthy')
  })

  it('that is answered proves a target well that probes alone left in doubt', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1)
    for (let second = 0; second < 20; second += 1) {
      attempt(w, 'a', 'failed')
      await w.clock.advanceAsync(1_000)
    }
    await w.clock.advanceAsync(100_000)
    expect(level(w)).toBe('degraded')
    for (let second = 0; second < 30; second += 1) {
      attempt(w, 'a', 'succeeded')
      await w.clock.advanceAsync(1_000)
    }
    expect(level(w)).toBe('healthy')
  })

  it('that is overtaken by its help all the time shows a target that hangs, although its control plane answers', async () => {
    const w = world('a', 'b')
    await w.clock.advanceAsync(1)
    for (let second = 0; second < 30; second += 1) {
      attempt(w, 'a', 'cancelled', 3, true)
      attempt(w, 'b', 'succeeded', 19)
      attempt(w, 'b', 'cancelled', 1, true)
      await w.clock.advanceAsync(1_000)
    }
    expect([part(w, 'a'), part(w, 'b')]).toEqual(['degraded', 'healthy'])
  })

  it('that callers cancel says nothing', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1)
    for (let second = 0; second < 30; second += 1) {
      attempt(w, 'a', 'cancelled', 3)
      await w.clock.advanceAsync(1_000)
    }
    expect(level(w)).toBe('healthy')
  })

  it('that succeeds again ends it without that wait', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1)
    for (let second = 0; second < 30; second += 1) {
      attempt(w, 'a', 'failed')
      await w.clock.advanceAsync(1_000)
    }
    expect(level(w)).toBe('critical')
    for (let second = 0; second < 30; second += 1) {
      attempt(w, 'a', 'succeeded')
      await w.clock.advanceAsync(1_000)
    }
    expect(level(w)).toBe('healthy')
  })

  it('to targets that nobody watches is not kept', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1)
    attempt(w, 'gone', 'failed', 10)
    await w.clock.advanceAsync(30_000)
    expect(level(w)).toBe('healthy')
  })

  it('ends with an open breaker, which stands against the target while free probes succeed', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1)
    w.standing.set('a', { level: 'unhealthy', reason: 'Its circuit breaker is open' })
    await w.clock.advanceAsync(20_000)
    expect(w.checker.components()[0]).toMatchObject({ status: 'unhealthy', message: 'Its circuit breaker is open.' })
    w.standing.delete('a')
    await w.clock.advanceAsync(30_000)
    expect(level(w)).toBe('healthy')
  })
})

describe('time', () => {
  it('a wall clock that jumps a day neither rushes nor stops the checks', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1_000)
    w.clock.jumpWallClock(86_400_000)
    await w.clock.advanceAsync(30_000)
    expect(w.probes.get('a')).toBe(4)
    w.clock.jumpWallClock(-2 * 86_400_000)
    await w.clock.advanceAsync(30_000)
    expect(w.probes.get('a')).toBe(7)
    expect(level(w)).toBe('healthy')
  })

  it('a stopped checker leaves nothing running', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1_000)
    w.checker.stop()
    expect(w.clock.pending()).toBe(0)
    attempt(w, 'a', 'failed')
    await w.clock.advanceAsync(60_000)
    expect(w.probes.get('a')).toBe(1)
  })
})

describe('a reload', () => {
  it('that adds a target has it watched, and one that removes it forgets it', async () => {
    const w = world('a')
    await w.clock.advanceAsync(1_000)
    w.answers.set('b', () => down)
    w.targets = ['a', 'b']
    await w.clock.advanceAsync(20_000)
    expect(level(w)).toBe('degraded')
    w.targets = ['a']
    await w.clock.advanceAsync(1_000)
    expect([level(w), w.checker.isDown('direct', 'b')]).toEqual(['healthy', false])
  })
})

it('a component that is switched off is listed with the reason and not checked', async () => {
  const w = world('a')
  await w.clock.advanceAsync(1_000)
  expect(w.checker.components()[1]).toMatchObject({ name: 'mcp-router', enabled: false, status: 'unknown', message: 'No server is configured.' })
})

it('asked to check now it does, and answers when all have', async () => {
  const w = world('a', 'b')
  await w.clock.advanceAsync(1_000)
  let done = false
  w.answers.set('b', () => new Promise(() => undefined))
  void w.checker.checkNow('direct-bedrock-client').then(() => {
    done = true
  })
  await w.clock.advanceAsync(4_000)
  expect([w.probes.get('a'), w.probes.get('b'), done]).toEqual([2, 2, false])
  await w.clock.advanceAsync(1_001)
  expect(done).toBe(true)
})
