/**
 * Help before a failure, as a sheet of situations and as properties. The estimates are fed plain histories; the policy is
 * asked as the attempt machine asks it.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { operationTypes, runbookMatrix, type OperationType, type Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { newRun, type Attempt, type Run } from './attempt-run.ts'
import type { StepFacts } from './attempt-rules.ts'
import { ChancePolicy, defaultChanceSettings, thresholdOf, type ChanceSettings } from './chance-policy.ts'
import { noOverrides, type Conditions } from './conditions.ts'
import { planRoute } from './decide-route.ts'
import { estimateSettings } from './latency-estimates.ts'
import { LatencyForecast } from './latency-forecast.ts'
import { candidateOf, conditionsOf, routeOf, rulesOf } from './testing/routing-fixtures.ts'

const places = ['direct/frankfurt', 'direct/ireland', 'mcp/ops'] as const

interface Situation {
  readonly type?: OperationType
  readonly operation?: Partial<Operation>
  readonly conditions?: Partial<Conditions>
  readonly settings?: Partial<ChanceSettings>
  /** ms that answers took lately, by place; none: cold. */
  readonly usual?: Partial<Record<(typeof places)[number], number>>
  readonly samples?: number
  readonly waitedMs: number
}

function situation(given: Situation): { readonly policy: ChancePolicy; readonly run: Run; readonly attempt: Attempt; readonly facts: StepFacts } {
  const forecast = new LatencyForecast(estimateSettings(runbookMatrix))
  const type = given.type ?? 'infrastructure'
  for (const place of places) {
    const usualMs = given.usual?.[place]
    if (usualMs === undefined) continue
    // A narrow spread around the usual time.
    for (let sample = 0; sample < (given.samples ?? 100); sample += 1) forecast.estimates.onCompleted(place, type, usualMs * (0.8 + (0.4 * (sample % 11)) / 10), null, 50, 0)
  }
  const policy = new ChancePolicy({ ...defaultChanceSettings, ...given.settings }, forecast)
  const operation = operationOf(type, given.operation)
  const conditions = conditionsOf(given.conditions)
  const plan = planRoute(operation, runbookMatrix, conditions, 0)
  const run = newRun(operation, plan, rulesOf({ policy }))
  const attempt: Attempt = {
    number: 1,
    route: plan.decision.route ?? 'direct',
    target: plan.decision.target ?? '',
    reason: 'first',
    startedAtMs: 0,
    repeatable: operation.repeatable,
    sent: true,
    outcome: null,
    endedAtMs: 0,
    fault: null,
    checkAtMs: 0,
    late: false,
    hedging: false,
    overdue: false,
  }
  run.attempts.push(attempt)
  run.running = 1
  return { policy, run, attempt, facts: { nowMs: given.waitedMs, random: 0.5, conditions } }
}

function verdict(given: Situation): string {
  const { policy, run, attempt, facts } = situation(given)
  const answer = policy.onCheck(run, attempt, facts)
  return answer.help ? `${answer.kind} on ${answer.route}/${answer.target}` : 'none'
}

const quick = { 'direct/frankfurt': 400, 'direct/ireland': 400, 'mcp/ops': 900 } as const
const ended = { untilMs: 1_000_000 }

const sheet: readonly (readonly [rationale: string, given: Situation, expected: string])[] = [
  ['an attempt within its usual time is left alone', { usual: quick, waitedMs: 300 }, 'none'],
  ['beyond the tail of its history another target of the route is asked', { usual: quick, waitedMs: 1_300, type: 'implementation' }, 'hedge on direct/ireland'],
  ['where the route has no other target, the tail is cut on the other route', { usual: quick, waitedMs: 3_700, type: 'standard_analysis' }, 'hedge on direct/frankfurt'],
  ['what has not outlived its usual time is not rescued yet, however likely it is to miss: help makes it later as well', { type: 'emergency', usual: { ...quick, 'direct/frankfurt': 1_200 }, waitedMs: 1_000, settings: { hedging: false, aggressiveness: 1 } }, 'none'],
  ['a process that has seen too little has no tail', { usual: quick, samples: 2, waitedMs: 9_000, settings: { rescueThreshold: 1 } }, 'none'],
  ['a short history is waited for with more patience', { usual: quick, samples: 5, waitedMs: 1_200 }, 'none'],
  ['... but not for ever', { usual: quick, samples: 5, waitedMs: 1_600 }, 'hedge on direct/ireland'],
  ['an emergency of which nothing is known has half of its time', { type: 'emergency', waitedMs: 2_400 }, 'none'],
  ['an emergency is helped where there is no room: no limit holds it', { type: 'emergency', waitedMs: 3_500, conditions: { direct: routeOf(['frankfurt', candidateOf('ireland', { limit: 1, inFlight: 1 })]) } }, 'rescue on direct/ireland'],
  ['... but not where work waits for room: it would be refused', { type: 'emergency', waitedMs: 3_500, conditions: { crowded: true, direct: routeOf(['frankfurt', candidateOf('ireland', { limit: 1, inFlight: 1 })]) } }, 'none'],
  ['a resting target helps no emergency whose own target is well', { type: 'emergency', waitedMs: 3_500, conditions: { direct: routeOf(['frankfurt', candidateOf('ireland', { usable: false })]) } }, 'none'],
  ['where its own target rests as well, everything does: that the attempt lives is the end of the outage', { type: 'emergency', waitedMs: 3_500, conditions: { direct: routeOf([candidateOf('frankfurt', { usable: false }), candidateOf('ireland', { usable: false })]) } }, 'rescue on direct/ireland'],
  ['a cold process hedges nothing', { waitedMs: 3_000 }, 'none'],
  ['a cold process rescues what has used most of its time, from what shares least with it', { waitedMs: 6_500 }, 'rescue on mcp/ops'],
  ['an emergency is rescued from another target: no other route is allowed', { type: 'emergency', waitedMs: 3_500 }, 'rescue on direct/ireland'],
  ['nothing is hedged in a crowd', { usual: quick, waitedMs: 1_300, conditions: { crowded: true } }, 'none'],
  ['nothing is hedged where a target was throttled lately', { usual: quick, waitedMs: 1_300, conditions: { direct: routeOf(['frankfurt', candidateOf('ireland', { lastThrottledMs: 0 })]) } }, 'none'],
  ['nothing is hedged in emergency mode', { usual: quick, waitedMs: 1_300, conditions: { overrides: { ...noOverrides, emergencyMode: ended } } }, 'none'],
  ['what must not be repeated is not hedged', { usual: quick, waitedMs: 1_300, operation: { repeatable: false } }, 'none'],
  ['hedging can be switched off', { usual: quick, waitedMs: 1_300, settings: { hedging: false } }, 'none'],
  ['a slow target is no hedge', { usual: quick, waitedMs: 1_300, conditions: { direct: routeOf(['frankfurt', candidateOf('ireland', { slow: true })]) } }, 'none'],
  ['a helper that would be late as well helps nobody', { usual: { ...quick, 'direct/ireland': 9_000, 'mcp/ops': 9_000 }, waitedMs: 9_000, settings: { hedging: false } }, 'none'],
  ['a full or resting helper is not asked', { waitedMs: 6_500, conditions: { direct: routeOf(['frankfurt', candidateOf('ireland', { usable: false })]), mcp: routeOf([candidateOf('ops', { limit: 1, inFlight: 1 })]) } }, 'none'],
  ['at aggressiveness 0 nothing is helped before it fails', { waitedMs: 9_000, settings: { aggressiveness: 0, hedging: false } }, 'none'],
  ['at aggressiveness 1 the slightest risk is enough', { waitedMs: 2_500, settings: { aggressiveness: 1 } }, 'rescue on mcp/ops'],
  ['beyond an operator’s threshold of its route an attempt is helped, however likely it is to make it', { usual: quick, waitedMs: 1_000, settings: { helpAfterMs: { direct: 1_000, mcp: null }, hedging: false } }, 'rescue on mcp/ops'],
  ['the threshold of the other route does not count', { usual: quick, waitedMs: 1_000, settings: { helpAfterMs: { direct: null, mcp: 1_000 }, hedging: false } }, 'none'],
  ['at aggressiveness 0 no threshold counts', { waitedMs: 9_000, settings: { aggressiveness: 0, hedging: false, helpAfterMs: { direct: 1_000, mcp: 1_000 } } }, 'none'],
  ['a lever outranks the configuration', { waitedMs: 2_500, conditions: { overrides: { ...noOverrides, fallbackAggressiveness: { value: 1, untilMs: 1_000_000 } } } }, 'rescue on mcp/ops'],
  ['a lever that has ended does not', { waitedMs: 2_500, conditions: { overrides: { ...noOverrides, fallbackAggressiveness: { value: 1, untilMs: 2_500 } } } }, 'none'],
]

describe('help before a failure', () => {
  it.each(sheet)('%s', (...[, given, expected]) => {
    expect(verdict(given)).toBe(expected)
  })

  it('is looked for first at the instant at which the chance of a miss passes the threshold', () => {
    const { policy, run, attempt, facts } = situation({ waitedMs: 0 })
    const atMs = policy.checkAtMs(run, attempt, facts)
    expect(atMs).toBeGreaterThan(4_000)
    expect(atMs).toBeLessThan(7_000)
    expect(policy.onCheck(run, attempt, { ...facts, nowMs: atMs }).help).toBe(true)
    expect(policy.onCheck(run, attempt, { ...facts, nowMs: atMs * 0.9 })).toMatchObject({ help: false })
  })

  it('is looked for at an operator’s threshold where that comes first', () => {
    const { policy, run, attempt, facts } = situation({ waitedMs: 0, settings: { helpAfterMs: { direct: 2_000, mcp: null } } })
    expect(policy.checkAtMs(run, attempt, facts)).toBe(2_000)
    expect(policy.onCheck(run, attempt, { ...facts, nowMs: 1_500 })).toMatchObject({ help: false, checkAgainAtMs: 2_000 })
    expect(policy.onCheck(run, attempt, { ...facts, nowMs: 2_000 }).help).toBe(true)
  })

  it.each([
    { place: 'direct/frankfurt', surely: false, leastMs: 440, mostMs: 480, why: 'probably: four of five take no longer' },
    { place: 'direct/frankfurt', surely: true, leastMs: 470, mostMs: 500, why: 'nearly surely: hardly any takes longer' },
    { place: 'mcp/ops', surely: true, leastMs: 1_050, mostMs: 1_120, why: 'the other place is slower' },
    { place: 'direct/frankfurt', type: 'meta_monitor', surely: true, leastMs: 470, mostMs: 500, why: 'of a kind that was not seen there the slowest known kind speaks' },
    { place: 'direct/frankfurt', usual: { 'direct/frankfurt': 9_000 }, surely: true, leastMs: 5_000, mostMs: 5_000, why: 'it may wait for half of its time in any case' },
    { place: 'direct/frankfurt', usual: {}, surely: true, leastMs: 0, mostMs: 0, why: 'nothing is known' },
  ] as const)('work that waits is started at $place no later than $leastMs to $mostMs ms before its requirement, since $why', ({ place, surely, leastMs, mostMs, why: _why, ...given }) => {
    const { policy, facts } = situation({ usual: quick, waitedMs: 0, ...given, type: 'infrastructure' })
    const { run } = situation({ waitedMs: 0, type: 'type' in given ? given.type : 'infrastructure' })
    const [route, target] = place.split('/') as [Route, string]
    const beforeMs = run.requiredByMs - policy.latestStartThereMs(run, route, target, surely, facts)
    expect(beforeMs).toBeGreaterThanOrEqual(leastMs)
    expect(beforeMs).toBeLessThanOrEqual(mostMs)
  })

  it('work waits for room until the quickest place would probably be too late, and not for one that rests', () => {
    const { policy, run, facts } = situation({ usual: { ...quick, 'direct/frankfurt': 200 }, waitedMs: 0 })
    expect(10_000 - policy.latestStartMs(run, facts)).toBeLessThan(240)
    const conditions = conditionsOf({ direct: routeOf([candidateOf('frankfurt', { usable: false }), candidateOf('ireland')]) })
    const beforeMs = 10_000 - policy.latestStartMs(run, { ...facts, conditions })
    expect(beforeMs).toBeGreaterThan(440)
    expect(beforeMs).toBeLessThan(480)
  })

  it('is given at the very instant for which it was asked, whenever the attempt began', () => {
    for (let startedAtMs = 0.1; startedAtMs < 5_000; startedAtMs *= 1.37) {
      const { policy, run, attempt, facts } = situation({ type: 'implementation', usual: quick, waitedMs: 0 })
      const began = { ...attempt, startedAtMs }
      const atMs = policy.checkAtMs(run, began, { ...facts, nowMs: startedAtMs })
      expect(policy.onCheck(run, began, { ...facts, nowMs: atMs })).toMatchObject({ help: true, kind: 'hedge' })
    }
  })

  it('is not looked for where nobody could give it', () => {
    const { policy, run, attempt, facts } = situation({ waitedMs: 0, conditions: { direct: routeOf(['frankfurt']), mcp: routeOf([]) } })
    expect(policy.checkAtMs(run, attempt, facts)).toBe(Number.POSITIVE_INFINITY)
  })

  it('lets go what cannot be in time by what was measured, save one in twenty and every emergency', () => {
    const slow = { usual: { 'direct/frankfurt': 14_000 }, waitedMs: 0 }
    const { policy, run, facts } = situation(slow)
    expect(policy.isWorthStarting(run, 'direct', 'frankfurt', 0, facts)).toBe(true)
    expect(policy.isWorthStarting(run, 'direct', 'frankfurt', 12_000, facts)).toBe(false)
    expect(policy.isWorthStarting(run, 'direct', 'frankfurt', 12_000, { ...facts, random: 0.01 })).toBe(true)
    expect(policy.isWorthStarting(run, 'direct', 'ireland', 12_000, facts)).toBe(true)
    const emergency = situation({ ...slow, type: 'emergency' })
    expect(emergency.policy.isWorthStarting(emergency.run, 'direct', 'frankfurt', 9_999, emergency.facts)).toBe(true)
  })

  it('spends no more than its shares, keeps some of it for critical work, and never hedges what must not be repeated', () => {
    const ask = fc.record({ type: fc.constantFrom(...operationTypes), repeatable: fc.boolean(), waitedShare: fc.double({ min: 0, max: 1.2, noNaN: true }), warm: fc.boolean() })
    fc.assert(
      fc.property(fc.array(ask, { minLength: 1, maxLength: 80 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (asks, rescueShare, hedgeShare) => {
        const forecast = new LatencyForecast(estimateSettings(runbookMatrix))
        const policy = new ChancePolicy({ ...defaultChanceSettings, rescueShare, hedgeShare }, forecast)
        let rescues = 0
        let hedges = 0
        asks.forEach(({ type, repeatable, waitedShare, warm }, index) => {
          if (warm) for (let sample = 0; sample < 30; sample += 1) for (const place of places) forecast.estimates.onCompleted(place, type, 100, null, 10, 0)
          policy.earn()
          const { run, attempt, facts } = situation({ type, operation: { repeatable }, waitedMs: 0 })
          const answer = policy.onCheck(run, attempt, { ...facts, nowMs: waitedShare * run.operation.hardTimeoutMs })
          if (!answer.help) {
            expect(answer.checkAgainAtMs).toBeGreaterThan(waitedShare * run.operation.hardTimeoutMs)
            return
          }
          expect(`${answer.route}/${answer.target}`).not.toBe(`${attempt.route}/${attempt.target}`)
          if (type === 'emergency') expect(answer.route).toBe('direct')
          if (answer.kind === 'rescue') rescues += 1
          else {
            hedges += 1
            expect(repeatable).toBe(true)
            // The MCP route has one server here: only from there it goes to the other route.
            expect(answer.route).toBe('direct')
          }
          // What a quiet process has saved up, and the share of what has arrived since.
          expect(rescues).toBeLessThanOrEqual(20 + rescueShare * (index + 1) + 0.01)
          expect(hedges).toBeLessThanOrEqual(10 + hedgeShare * (index + 1) + 0.01)
        })
      }),
      { numRuns: 60 },
    )
  })

  it('follows the aggressiveness from never over the configured threshold to the slightest risk', () => {
    expect(thresholdOf(0.2, 0)).toBe(Number.POSITIVE_INFINITY)
    expect(thresholdOf(0.2, 0.5)).toBeCloseTo(0.2, 9)
    expect(thresholdOf(0.2, 1)).toBeCloseTo(0.01, 9)
    let last = Number.POSITIVE_INFINITY
    for (let step = 1; step <= 20; step += 1) {
      const threshold = thresholdOf(0.2, step / 20)
      expect(threshold).toBeLessThan(last)
      last = threshold
    }
  })
})
