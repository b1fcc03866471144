import { describe, expect, it } from 'vitest'
import type { ConverseStreamEvent } from '../operation/converse.ts'
import type { Fault } from '../operation/fault.ts'
import { runbookMatrix, type Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { Path } from '../operation/path.ts'
import type { OperationResult } from '../operation/result.ts'
import type { AttemptNotice, OperationObserver } from '../operation/runner.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { defaultBreakerSettings } from '../breaker/breaker.ts'
import { defaultChanceSettings } from '../routing/chance-policy.ts'
import { defaultConcurrencyLimitSettings } from '../routing/concurrency-limit.ts'
import { noOverrides, type Topology } from '../routing/conditions.ts'
import { estimateSettings } from '../routing/latency-estimates.ts'
import { createEventStream } from '../runtime/event-stream.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createHybridRouter, type RouterSettings } from './hybrid-router.ts'
import { answers, createScriptedPath, delta, fails, hangs, streams, type Script } from './testing/scripted-path.ts'

const throttled: Fault = { kind: 'throttled', retryable: true, message: 'Too many requests', retryAfterMs: 400 }
const overloaded: Fault = { kind: 'overloaded', retryable: true, message: 'No capacity' }
const expired: Fault = { kind: 'auth', retryable: false, message: 'The AWS credentials have expired' }
const reset: Fault = { kind: 'network', retryable: true, message: 'The connection was reset' }

const bothRoutes: Topology = {
  direct: { carriesMoreThanText: true, repeatable: true, targets: ['frankfurt', 'ireland'] },
  mcp: { carriesMoreThanText: true, repeatable: true, targets: ['ops'] },
}
const directOnly: Topology = { ...bothRoutes, mcp: { carriesMoreThanText: true, repeatable: true, targets: [] } }

const settings: RouterSettings = {
  matrix: runbookMatrix,
  overrides: noOverrides,
  prices: {
    currency: 'USD',
    asOf: '2026-01-01',
    source: 'test',
    models: { 'model.scripted': { inputPerMillion: 1, outputPerMillion: 10 } },
  },
  inFlightOperations: 10,
  reservedForEmergencies: 2,
  waitingPlaces: 5,
  retainedDecisions: 100,
  chance: defaultChanceSettings,
  retryShare: 0.1,
  targets: { breaker: defaultBreakerSettings, limiter: defaultConcurrencyLimitSettings, estimates: estimateSettings(runbookMatrix) },
}

interface Heard extends OperationObserver {
  readonly notices: AttemptNotice[]
  readonly events: ConverseStreamEvent[]
  readonly results: OperationResult[]
  readonly decisions: unknown[]
  text(): string
  result(): OperationResult
}

function listen(): Heard {
  const notices: AttemptNotice[] = []
  const events: ConverseStreamEvent[] = []
  const results: OperationResult[] = []
  const decisions: unknown[] = []
  return {
    notices,
    events,
    results,
    decisions,
    onDecision: (decision) => decisions.push(decision),
    onAttempt: (notice) => notices.push(notice),
    onEvent: (event) => events.push(event),
    onResult: (result) => results.push(result),
    text: () => events.map((event) => (event.type === 'contentBlockDelta' ? (event.payload.delta.text ?? '') : '')).join(''),
    result() {
      expect(results).toHaveLength(1)
      const [result] = results
      if (result === undefined) throw new Error('no result')
      return result
    },
  }
}

function setUp(script: { direct?: Script; mcp?: Script; endsAfterCancel?: boolean }, topology: Topology = bothRoutes, changes: Partial<RouterSettings> = {}) {
  const clock = createVirtualClock()
  const errors: unknown[] = []
  const published: SystemEvent[] = []
  const events = createEventStream<SystemEvent>((error) => errors.push(error))
  events.subscribe((event) => published.push(event))
  const direct = createScriptedPath('direct', clock, script.direct ?? (() => answers('direct answer', 100)), script.endsAfterCancel)
  const mcp = createScriptedPath('mcp', clock, script.mcp ?? (() => answers('mcp answer', 100)))
  const router = createHybridRouter({
    paths: { direct, mcp },
    clock,
    random: createSeededRandom(1),
    events,
    settings: () => ({ ...settings, ...changes }),
    topology: () => topology,
    onInternalError: (error) => errors.push(error),
  })
  const run = (operation: Operation) => {
    const heard = listen()
    const running = router.run({ ...operation, arrivedAtMs: clock.monotonicMs() }, heard)
    return { heard, running }
  }
  return { clock, router, direct, mcp, errors, published, run }
}

describe('the Hybrid Router', () => {
  it('answers an infrastructure operation directly', () => {
    const { clock, run, published, router } = setUp({})
    const { heard } = run(operationOf('infrastructure'))
    clock.advance(100)
    const result = heard.result()
    expect(result).toMatchObject({ status: 'succeeded', route: 'direct', target: 'frankfurt', fallbackUsed: false, hedged: false, slaMet: true })
    expect(result.output?.text).toBe('direct answer')
    expect(result.decision?.reason).toBe('matrix')
    expect(result.attempts).toEqual([{ number: 1, route: 'direct', target: 'frankfurt', reason: 'first', startMs: 0, durationMs: 100, outcome: 'succeeded' }])
    expect(result.latency).toEqual({ totalMs: 100, timeToFirstTokenMs: null, queuedMs: 0, overheadMs: 0, basis: 'completion' })
    expect(result.cost).toEqual({ currency: 'USD', estimated: (10 + 13 * 10) / 1e6, includesEstimates: false })
    expect(published.map((event) => event.type)).toEqual(['routing_decision', 'attempt_started', 'attempt_ended', 'operation_ended', 'decision_judged'])
    expect(router.inFlight()).toBe(0)
    expect(clock.pending()).toBe(0)
  })

  it('takes the fallback of an MCP operation until a server is configured, and says so', () => {
    const { clock, run, mcp } = setUp({}, directOnly)
    const { heard } = run(operationOf('standard_analysis'))
    clock.advance(100)
    expect(heard.result()).toMatchObject({ route: 'direct', fallbackUsed: true, decision: { reason: 'primary_not_configured' } })
    expect(mcp.requests).toHaveLength(0)
  })

  it('goes to another target and then to the other route when targets fail', () => {
    const { clock, run } = setUp({ direct: () => fails(overloaded, 50) })
    const { heard } = run(operationOf('infrastructure'))
    clock.advance(1_000)
    const result = heard.result()
    expect(result.attempts.map(({ target, reason, outcome }) => [target, reason, outcome])).toEqual([
      ['frankfurt', 'first', 'failed'],
      ['ireland', 'retry', 'failed'],
      ['ops', 'fallback', 'succeeded'],
    ])
    expect(result).toMatchObject({ route: 'mcp', fallbackUsed: true })
    expect(heard.notices.map((notice) => notice.reason)).toEqual(['retry', 'fallback'])
    expect(result.cost.includesEstimates).toBe(true)
  })

  it('leaves the route at once when its credentials have expired', () => {
    const { clock, run } = setUp({ direct: () => fails(expired, 10) })
    const infrastructure = run(operationOf('infrastructure'))
    clock.advance(1_000)
    expect(infrastructure.heard.result().attempts.map(({ route }) => route)).toEqual(['direct', 'mcp'])
  })

  it('an emergency, which has nowhere else to go, outlives credentials that are renewed in time', () => {
    let renewed = false
    const { clock, run } = setUp({ direct: () => (renewed ? answers('here', 10) : fails(expired, 10)) })
    const emergency = run(operationOf('emergency'))
    clock.advance(2_500)
    renewed = true
    clock.advance(1_500)
    expect(emergency.heard.result()).toMatchObject({ status: 'succeeded', slaMet: true })
  })

  it('an emergency tells the operator that the credentials have expired when its attempts are over', () => {
    const { clock, run } = setUp({ direct: () => fails(expired, 10) })
    const emergency = run(operationOf('emergency'))
    clock.advance(5_000)
    const result = emergency.heard.result()
    expect(result.attempts).toHaveLength(8)
    expect(result.error).toMatchObject({ code: 'upstream_error', status: 502, retryable: false })
    expect(result.error?.detail).toContain('credentials have expired')
  })

  it('starts the fallback beside a hanging primary so that the requirement is met', () => {
    const { clock, run, direct } = setUp({ direct: () => hangs() })
    const { heard } = run(operationOf('infrastructure'))
    clock.advance(6_000)
    const result = heard.result()
    expect(result).toMatchObject({ status: 'succeeded', route: 'mcp', slaMet: true })
    expect(result.attempts.map(({ outcome }) => outcome)).toEqual(['cancelled', 'succeeded'])
    expect(direct.running()).toBe(0)
    expect(clock.pending()).toBe(0)
  })

  it.each([false, true])('counts what a loser has used, as an estimate, also when its path tells its end after the operation is over (%s)', (endsAfterCancel) => {
    const { clock, run } = setUp({ direct: () => hangs(), endsAfterCancel })
    const { heard } = run(operationOf('infrastructure'))
    clock.advance(6_000)
    const result = heard.result()
    expect(result).toMatchObject({ status: 'succeeded', route: 'mcp' })
    expect(result.cost).toEqual({ currency: 'USD', estimated: (10 + 10 + 10 * 10) / 1e6, includesEstimates: true })
  })

  it('helps a hanging emergency from the other target of the direct route', () => {
    const { clock, run, mcp } = setUp({ direct: ({ target }) => (target === 'frankfurt' ? hangs() : answers('here', 300)) })
    const { heard } = run(operationOf('emergency'))
    clock.advance(3_500)
    expect(heard.result()).toMatchObject({ target: 'ireland', hedged: true, slaMet: true })
    expect(mcp.requests).toHaveLength(0)
  })

  it('answers 504 at the hard timeout and says where the time went', () => {
    const { clock, run, direct } = setUp({ direct: () => hangs(), mcp: () => hangs() })
    const { heard } = run(operationOf('infrastructure'))
    clock.advance(14_999)
    expect(heard.results).toHaveLength(0)
    clock.advance(1)
    const result = heard.result()
    expect(result).toMatchObject({ status: 'failed', slaMet: false, error: { code: 'deadline_exceeded', status: 504 } })
    expect(result.error?.detail).toContain('direct/frankfurt after 15000 ms')
    expect(result.attempts.map(({ outcome }) => outcome)).toEqual(['timed_out', 'timed_out'])
    expect(direct.running()).toBe(0)
    expect(clock.pending()).toBe(0)
  })

  it('delivers an answer after the requirement with slaMet false', () => {
    const { clock, run } = setUp({ direct: () => answers('late', 12_000), mcp: () => hangs() })
    const { heard } = run(operationOf('infrastructure'))
    clock.advance(12_000)
    expect(heard.result()).toMatchObject({ status: 'succeeded', slaMet: false })
  })

  it('waits as long as a throttling target asks, and tells the caller the soonest return when that is too long', () => {
    const once = setUp({ direct: ({ target, number }) => (number === 1 ? fails(throttled, 10) : answers(target, 10)) }, { ...directOnly, direct: { ...directOnly.direct, targets: ['frankfurt'] } })
    const first = once.run(operationOf('infrastructure'))
    once.clock.advance(409)
    expect(once.direct.requests).toHaveLength(1)
    once.clock.advance(2_000)
    expect(first.heard.result().attempts.map(({ outcome }) => outcome)).toEqual(['throttled', 'succeeded'])
    expect(first.heard.result().latency.overheadMs).toBe(0)

    const long = setUp({ direct: () => fails({ ...throttled, retryAfterMs: 30_000 }, 10) }, directOnly)
    const second = long.run(operationOf('infrastructure'))
    long.clock.advance(100)
    expect(second.heard.result().error).toMatchObject({ code: 'upstream_throttled', status: 503, retryable: true, retryAfterMs: 29_990 })
    const next = long.run(operationOf('infrastructure'))
    expect(next.heard.result()).toMatchObject({ attempts: [], error: { code: 'upstream_throttled' } })
    // An emergency is not refused for what others have used up.
    const emergency = long.run(operationOf('emergency'))
    expect(emergency.heard.results).toHaveLength(0)
    expect(long.direct.requests.at(-1)?.operation.type).toBe('emergency')
  })

  it('starts nothing that could not answer any more, and tells that the time is up', () => {
    // Nobody is helped before it fails: the other target is untried, and too late.
    const { clock, run, direct } = setUp({ direct: () => fails(overloaded, 14_800) }, directOnly, { chance: { ...defaultChanceSettings, aggressiveness: 0 } })
    const { heard } = run(operationOf('infrastructure'))
    clock.advance(14_800)
    expect(heard.result()).toMatchObject({ error: { code: 'deadline_exceeded' }, latency: { totalMs: 14_800 } })
    expect(direct.requests).toHaveLength(1)
  })

  it('says when to come back where no route can be used', () => {
    const { run } = setUp({}, { direct: { ...directOnly.direct, targets: [] }, mcp: directOnly.mcp })
    expect(run(operationOf('infrastructure')).heard.result()).toMatchObject({
      route: null,
      decision: { route: null, reason: 'no_route' },
      error: { code: 'no_route_available', status: 503, retryAfterMs: 1_000 },
    })
  })

  it('does not try elsewhere what was refused as wrong', () => {
    const { clock, run, direct } = setUp({ direct: () => fails({ kind: 'validation', retryable: false, message: 'messages.0: too long' }, 10) })
    const { heard } = run(operationOf('infrastructure'))
    clock.advance(1_000)
    expect(heard.result().error).toMatchObject({ code: 'invalid_request', status: 400, detail: 'messages.0: too long' })
    expect(direct.requests).toHaveLength(1)
  })

  it('never repeats what must not be repeated once it was sent', () => {
    const lost = setUp({ direct: () => fails(reset, 10) })
    const { heard } = lost.run(operationOf('infrastructure', { repeatable: false }))
    lost.clock.advance(20_000)
    expect(heard.result().error).toMatchObject({ code: 'outcome_unknown', status: 502, retryable: false })
    expect(lost.direct.requests.length + lost.mcp.requests.length).toBe(1)

    const refused = setUp({ direct: ({ target }) => (target === 'frankfurt' ? fails(throttled, 10) : answers('once', 10)) })
    const second = refused.run(operationOf('infrastructure', { repeatable: false }))
    refused.clock.advance(1_000)
    expect(second.heard.result()).toMatchObject({ status: 'succeeded', target: 'ireland' })

    const hanging = setUp({ direct: () => hangs() })
    const third = hanging.run(operationOf('infrastructure', { repeatable: false }))
    hanging.clock.advance(20_000)
    expect(third.heard.result().error?.code).toBe('outcome_unknown')
    expect(hanging.mcp.requests).toHaveLength(0)
  })

  it('takes back what was not sent yet before it goes elsewhere, where it must not be repeated', () => {
    const { clock, run, direct } = setUp({ direct: () => [] })
    const { heard } = run(operationOf('infrastructure', { repeatable: false }))
    clock.advance(6_000)
    expect(direct.cancelled).toEqual(['op_infrastructure/1'])
    expect(heard.result()).toMatchObject({ status: 'succeeded', route: 'mcp' })
  })

  it('cancels every attempt when the caller is gone', () => {
    const { clock, run, direct, mcp } = setUp({ direct: () => hangs(), mcp: () => hangs() })
    const { heard, running } = run(operationOf('infrastructure'))
    clock.advance(6_000)
    expect(running.snapshot()).toMatchObject({ status: 'running', completedAt: null })
    running.cancel('caller_gone')
    running.cancel('requested')
    expect(heard.result().status).toBe('cancelled')
    expect(direct.running() + mcp.running()).toBe(0)
    expect(clock.pending()).toBe(0)
  })
})

describe('streams', () => {
  const stream = (type: 'infrastructure' | 'emergency', changes: Partial<Operation> = {}) => operationOf(type, { mode: 'stream', ...changes })

  it('are judged at first content and may run on after the hard timeout', () => {
    const words = Array.from({ length: 30 }, (_, index) => `w${index} `)
    const { clock, run } = setUp({ direct: () => streams(words, 200, 1_000) })
    const { heard } = run(stream('infrastructure'))
    clock.advance(199)
    expect(heard.events).toHaveLength(0)
    clock.advance(40_000)
    expect(heard.text()).toBe(words.join(''))
    expect(heard.events[0]?.type).toBe('messageStart')
    expect(heard.result()).toMatchObject({ status: 'succeeded', slaMet: true, latency: { timeToFirstTokenMs: 200, basis: 'first_content' } })
    expect(clock.pending()).toBe(0)
  })

  it('fall back silently before first content', () => {
    const { clock, run } = setUp({ direct: () => fails(overloaded, 20), mcp: () => streams(['a', 'b'], 10, 10) })
    const { heard } = run(stream('infrastructure'))
    clock.advance(1_000)
    expect(heard.text()).toBe('ab')
    expect(heard.notices.every((notice) => !notice.restart)).toBe(true)
  })

  it('start anew elsewhere when they break, with a notice before the new text', () => {
    const broken: Script = () => [...streams(['lost '], 10, 10).slice(0, 3), { atMs: 50, do: 'fail', fault: reset }]
    const { clock, run } = setUp({ direct: ({ target }) => (target === 'frankfurt' ? broken({} as never) : streams(['new ', 'text'], 10, 10)) })
    const { heard } = run(stream('emergency'))
    clock.advance(1_000)
    expect(heard.notices).toEqual([{ number: 2, route: 'direct', target: 'ireland', reason: 'restart', restart: true }])
    expect(heard.text()).toBe('lost new text')
    expect(heard.result()).toMatchObject({ status: 'succeeded', target: 'ireland', output: { text: 'new text' } })
  })

  it('start anew when they stall, and end with an error when nothing is left', () => {
    const stalls: Script = () => [
      { atMs: 0, do: 'send' },
      { atMs: 10, do: 'event', event: delta('some') },
    ]
    const { clock, run, direct } = setUp({ direct: stalls }, { ...directOnly, direct: { ...directOnly.direct, targets: ['frankfurt'] } })
    const { heard } = run(stream('emergency', { streamSilenceMs: 1_000, repeatable: false }))
    clock.advance(1_009)
    expect(heard.results).toHaveLength(0)
    clock.advance(1)
    expect(heard.result().error?.code).toBe('outcome_unknown')
    expect(direct.running()).toBe(0)

    const two = setUp({ direct: (request) => (request.target === 'frankfurt' ? stalls(request) : streams(['all'], 10, 10)) })
    const second = two.run(stream('emergency', { streamSilenceMs: 1_000 }))
    two.clock.advance(1_100)
    expect(second.heard.result()).toMatchObject({ status: 'succeeded', output: { text: 'all' } })
    expect(second.heard.result().attempts[0]).toMatchObject({ outcome: 'timed_out', error: { kind: 'timeout' } })
  })

  it('let only one of two attempts speak', () => {
    const { clock, run, direct } = setUp({ direct: () => streams(['slow'], 6_000, 1), mcp: () => streams(['q', 'u', 'i', 'ck'], 4, 1) })
    const { heard } = run(stream('infrastructure'))
    clock.advance(10_000)
    expect(heard.text()).toBe('quick')
    expect(direct.cancelled).toEqual(['op_infrastructure/1'])
  })
})

describe('what must not harm', () => {
  it('a path that throws, ends twice or speaks after its end', () => {
    const bad: Path = {
      route: 'direct',
      start({ target }, listener) {
        if (target === 'frankfurt') throw new Error('a bug')
        const spend = { modelId: null, usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 }, estimated: false }
        const answer = { message: { role: 'assistant' as const, content: [{ text: 'ok' }] }, stopReason: 'end_turn', usage: spend.usage }
        listener.onSent()
        listener.onEvent(delta('o'))
        listener.onEnd({ outcome: 'succeeded', answer, spend })
        listener.onEnd({ outcome: 'failed', fault: reset, spend })
        listener.onEvent(delta('late'))
        return {
          cancel() {
            throw new Error('another bug')
          },
        }
      },
    }
    const clock = createVirtualClock()
    const errors: unknown[] = []
    const router = createHybridRouter({
      paths: { direct: bad },
      clock,
      random: createSeededRandom(1),
      events: createEventStream<SystemEvent>(() => {}),
      settings: () => settings,
      topology: () => directOnly,
      onInternalError: (error) => errors.push(error),
    })
    const heard = listen()
    router.run(operationOf('emergency', { mode: 'stream' }), heard)
    expect(heard.result()).toMatchObject({ status: 'succeeded', target: 'ireland' })
    expect(heard.text()).toBe('o')
    expect(errors).toHaveLength(1)
    expect(clock.pending()).toBe(0)
  })

  it('a path that streams where nobody asked for events', () => {
    const clock = createVirtualClock()
    const loud: Path = {
      route: 'direct',
      start(_request, listener) {
        for (let count = 0; count < 1_000; count += 1) listener.onEvent(delta('x'))
        return { cancel() {} }
      },
    }
    const heard = listen()
    const published: SystemEvent[] = []
    const events = createEventStream<SystemEvent>(() => {})
    events.subscribe((event) => published.push(event))
    const loudRouter = createHybridRouter({
      paths: { direct: loud },
      clock,
      random: createSeededRandom(1),
      events,
      settings: () => settings,
      topology: () => directOnly,
      onInternalError: () => {},
    })
    loudRouter.run(operationOf('emergency'), heard)
    clock.advance(10_000)
    expect(heard.events).toHaveLength(0)
    expect(published.map((event) => event.type)).not.toContain('attempt_first_content')
    expect(heard.result().error?.code).toBe('deadline_exceeded')
  })

  it('an observer that throws', () => {
    const { clock, router, errors } = setUp({})
    const heard = listen()
    const throwing: OperationObserver = {
      ...heard,
      onDecision() {
        throw new Error('a reader’s bug')
      },
    }
    router.run(operationOf('infrastructure'), throwing)
    clock.advance(100)
    expect(heard.result().status).toBe('succeeded')
    expect(errors).toHaveLength(1)
  })
})

describe('places', () => {
  it('are refused when taken, but for those kept for emergencies, and are free again afterwards', () => {
    const { clock, run, router, published } = setUp({})
    for (let count = 0; count < 8; count += 1) run(operationOf('infrastructure'))
    const refused = run(operationOf('infrastructure'))
    expect(refused.heard.result()).toMatchObject({ status: 'failed', attempts: [], error: { code: 'overloaded', status: 503, retryAfterMs: 1_000 } })
    expect(published.filter((event) => event.type === 'operation_refused')).toHaveLength(1)
    const emergency = run(operationOf('emergency'))
    expect(emergency.heard.results).toHaveLength(0)
    clock.advance(100)
    expect(router.inFlight()).toBe(0)
    const later = run(operationOf('infrastructure'))
    clock.advance(100)
    expect(later.heard.result().status).toBe('succeeded')
  })

  it('are all free after a drain, and a closed router cancels and refuses', async () => {
    const { clock, run, router } = setUp({ direct: () => hangs() })
    const { heard } = run(operationOf('emergency'))
    const drained = router.drain()
    router.close()
    await drained
    expect(heard.result()).toMatchObject({ status: 'cancelled' })
    expect(run(operationOf('emergency')).heard.result().error?.code).toBe('maintenance')
    expect(clock.pending()).toBe(0)
  })

  it('a target that was overtaken three times rests, and is asked again afterwards', () => {
    const { clock, run, direct, published, router } = setUp({ direct: ({ target }) => (target === 'frankfurt' ? hangs() : answers('here', 10)) })
    for (let count = 0; count < 3; count += 1) run(operationOf('emergency'))
    clock.advance(2_600)
    expect(published.filter((event) => event.type === 'breaker_tripped')).toMatchObject([{ route: 'direct', target: 'frankfurt' }])
    expect(router.breakers().map(({ target, phase, trips }) => [target, phase, trips])).toEqual([['frankfurt', 'open', 1], ['ireland', 'closed', 0], ['ops', 'closed', 0]])
    run(operationOf('emergency'))
    expect(direct.requests.at(-1)?.target).toBe('ireland')
    clock.advance(5_000)
    run(operationOf('infrastructure'))
    expect(direct.requests.at(-1)?.target).toBe('frankfurt')
    // Nobody makes an emergency the probe, and one probe at a time is enough.
    run(operationOf('emergency'))
    run(operationOf('infrastructure'))
    expect(direct.requests.slice(-2).map(({ target }) => target)).toEqual(['ireland', 'ireland'])
  })

  it('an operator closes a breaker, or switches them all off', () => {
    const { clock, run, direct, router } = setUp({ direct: ({ target }) => (target === 'frankfurt' ? hangs() : answers('here', 10)) })
    for (let count = 0; count < 3; count += 1) run(operationOf('emergency'))
    clock.advance(3_500)
    expect(router.resetBreakers({ target: 'ireland' })).toBe(0)
    expect(router.resetBreakers({ target: 'frankfurt' })).toBe(1)
    run(operationOf('emergency'))
    expect(direct.requests.at(-1)?.target).toBe('frankfurt')
    for (let count = 0; count < 3; count += 1) run(operationOf('emergency'))
    clock.advance(3_500)
    router.enableBreakers(false)
    run(operationOf('emergency'))
    expect(direct.requests.at(-1)?.target).toBe('frankfurt')
  })
})

describe('the operators', () => {
  const ended = { untilMs: 10_000 }

  it('maintain: everything but emergencies is sent away until the end', () => {
    const { clock, run } = setUp({}, bothRoutes, { overrides: { ...noOverrides, maintenance: ended } })
    expect(run(operationOf('infrastructure')).heard.result()).toMatchObject({ attempts: [], error: { code: 'maintenance', status: 503, retryAfterMs: 10_000 } })
    const emergency = run(operationOf('emergency'))
    clock.advance(100)
    expect(emergency.heard.result().status).toBe('succeeded')
    clock.advance(9_900)
    const later = run(operationOf('infrastructure'))
    clock.advance(100)
    expect(later.heard.result().status).toBe('succeeded')
  })

  it('declare an emergency: medium and low operations give way when half of the places are taken', () => {
    const { run } = setUp({ direct: () => hangs(), mcp: () => hangs() }, bothRoutes, { overrides: { ...noOverrides, emergencyMode: ended } })
    for (let count = 0; count < 4; count += 1) expect(run(operationOf('standard_analysis')).heard.results).toHaveLength(0)
    expect(run(operationOf('background_task')).heard.result().error).toMatchObject({ code: 'overloaded', retryAfterMs: 1_000 })
    expect(run(operationOf('infrastructure')).heard.results).toHaveLength(0)
  })
})

describe('room', () => {
  const tooMany: Fault = { kind: 'throttled', retryable: true, message: 'Too many requests' }
  const one: Topology = { direct: { ...directOnly.direct, targets: ['frankfurt'] }, mcp: directOnly.mcp }

  /** A target that takes two at a time, for a second each. */
  function twoAtATime() {
    let busy = 0
    const set = setUp(
      {
        direct: () => {
          if (busy >= 2) return fails(tooMany, 1)
          busy += 1
          set.clock.schedule(set.clock.monotonicMs() + 999, () => {
            busy -= 1
          })
          return answers('done', 1_000)
        },
      },
      one,
    )
    return set
  }

  it('is waited for in the order of urgency, and no longer than the requirement can be met', () => {
    const { clock, run, router } = twoAtATime()
    const order: string[] = []
    const follow = (name: string, operation: Operation) => {
      const { heard } = run({ ...operation, id: name })
      return { heard, note: () => heard.results.length > 0 && !order.includes(name) && order.push(name) }
    }
    // The third finds out that two are all.
    const all = ['a', 'b', 'c'].map((name) => follow(name, operationOf('infrastructure')))
    clock.advance(10)
    all.push(follow('low', operationOf('background_task')), follow('high', operationOf('implementation')), follow('high too', operationOf('implementation')), follow('emergency', operationOf('emergency')))
    expect(router.waiting()).toBeGreaterThanOrEqual(4)
    for (let turn = 0; turn < 80; turn += 1) {
      clock.advance(100)
      for (const each of all) each.note()
    }
    expect(order.slice(0, 2)).toEqual(['a', 'b'])
    expect(order.indexOf('emergency')).toBeLessThan(order.indexOf('high'))
    expect(order.indexOf('high')).toBeLessThan(order.indexOf('low'))
    expect(order.indexOf('high too')).toBeLessThan(order.indexOf('low'))
    for (const { heard } of all) expect(heard.result().status).toBe('succeeded')
    expect(clock.pending()).toBe(0)
  })

  it('on one route is not left empty by those who wait for the other, and goes to the most urgent who may have it', () => {
    const busy = { direct: 0, mcp: 0 }
    const oneAtATime = (route: Route) => (): ReturnType<typeof answers> => {
      if (busy[route] >= 1) return fails(tooMany, 1)
      busy[route] += 1
      set.clock.schedule(set.clock.monotonicMs() + 999, () => {
        busy[route] -= 1
      })
      return answers('done', 1_000)
    }
    const set = setUp({ direct: oneAtATime('direct'), mcp: oneAtATime('mcp') }, { direct: one.direct, mcp: bothRoutes.mcp }, { inFlightOperations: 100, waitingPlaces: 50 })
    const { clock, run } = set
    // The first is taken, the second goes to the other route, the third finds out that one each is all.
    const [, , third] = ['a', 'b', 'c'].map((id) => run(operationOf('infrastructure', { id })))
    clock.advance(10)
    for (let count = 0; count < 6; count += 1) run(operationOf('emergency', { id: `emergency ${count}` }))
    const humble = run(operationOf('standard_analysis', { id: 'humble' }))
    clock.advance(1_000)
    expect(third?.running.snapshot().attempts.at(-1)).toMatchObject({ route: 'mcp', startMs: expect.closeTo(1_002, -1) })
    expect(humble.running.snapshot().attempts).toEqual([])
  })

  it('that does not come in time is refused with the time to come back, and nothing is left waiting', () => {
    const { clock, run, router } = twoAtATime()
    for (let count = 0; count < 3; count += 1) run(operationOf('infrastructure'))
    clock.advance(10)
    const hurried = run(operationOf('implementation', { latencyRequirementMs: 500, hardTimeoutMs: 900 }))
    clock.advance(500)
    expect(hurried.heard.result()).toMatchObject({ attempts: [], error: { code: 'overloaded', status: 503 } })
    clock.advance(5_000)
    expect(router.waiting()).toBe(0)
    expect(clock.pending()).toBe(0)
  })
})

describe('the record of decisions', () => {
  it('says of each what became of it and whether it was right, and how many were', () => {
    const { clock, run, router } = setUp({ direct: () => answers('late', 12_000), mcp: () => hangs() }, bothRoutes, { chance: { ...defaultChanceSettings, aggressiveness: 0 } })
    run(operationOf('infrastructure'))
    clock.advance(12_000)
    const quick = run(operationOf('standard_analysis'))
    quick.running.cancel('requested')
    const [cancelled, late] = router.decisions(10)
    expect(late).toMatchObject({ operation: 'infrastructure', status: 'succeeded', slaMet: false, latencyMs: 12_000, decision: { reason: 'matrix' }, hindsight: { optimal: null } })
    expect(cancelled).toMatchObject({ status: 'cancelled', hindsight: { optimal: null, basis: 'the operation was cancelled' } })
    expect(router.efficiency(60_000).overall).toEqual({ optimalShare: null, judgedShare: 0, decisions: 2 })
    expect(router.proposeThresholds({ mode: 'balanced', targetEfficiency: null })).toMatchObject({ records: 1, proposed: null })
  })

  it('finds a decision wrong when the other route answered in time by its own traffic', () => {
    const { clock, run, router, published } = setUp({ direct: () => answers('late', 12_000) }, bothRoutes, { chance: { ...defaultChanceSettings, aggressiveness: 0 }, inFlightOperations: 100 })
    for (let count = 0; count < 20; count += 1) run(operationOf('standard_analysis'))
    run(operationOf('infrastructure'))
    clock.advance(12_000)
    expect(router.decisions(1)[0]).toMatchObject({ operation: 'infrastructure', hindsight: { optimal: false, regretMs: 11_900 } })
    expect(published.filter((event) => event.type === 'decision_judged' && event.optimal === false)).toHaveLength(1)
  })
})
