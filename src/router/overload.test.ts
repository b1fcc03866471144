/**
 * Five times more work than two targets and a server can do, with capacity that answers throttles beyond it: who is answered,
 * and how much of the capacity does useful work. Virtual clock, fixed seeds.
 */
import { describe, expect, it } from 'vitest'
import { defaultBreakerSettings } from '../breaker/breaker.ts'
import { runbookMatrix, type OperationType, type Priority, type Route } from '../operation/matrix.ts'
import type { AttemptRequest } from '../operation/path.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { defaultChanceSettings } from '../routing/chance-policy.ts'
import { defaultConcurrencyLimitSettings } from '../routing/concurrency-limit.ts'
import { noOverrides, type Topology } from '../routing/conditions.ts'
import { estimateSettings } from '../routing/latency-estimates.ts'
import { createEventStream } from '../runtime/event-stream.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createHybridRouter, type RouterSettings } from './hybrid-router.ts'
import { answers, createScriptedPath, fails, type ScriptStep } from './testing/scripted-path.ts'

/** The runbook's requirements scaled down by twenty, so that seconds of virtual time hold many of them. */
const scale = 1 / 20
const matrix = Object.fromEntries(
  Object.entries(runbookMatrix).map(([type, row]) => [type, { ...row, latencyMs: row.latencyMs * scale, hardTimeoutMs: row.hardTimeoutMs * scale }]),
) as unknown as typeof runbookMatrix

const topology: Topology = {
  direct: { carriesMoreThanText: true, repeatable: true, targets: ['frankfurt', 'ireland'] },
  mcp: { carriesMoreThanText: true, repeatable: true, targets: ['ops'] },
}

const settings: RouterSettings = {
  matrix,
  overrides: noOverrides,
  prices: { currency: 'USD', asOf: '2026-01-01', source: 'test', models: {} },
  inFlightOperations: 2_000,
  reservedForEmergencies: 20,
  waitingPlaces: 1_000,
  retainedDecisions: 10,
  chance: defaultChanceSettings,
  retryShare: 0.1,
  targets: { breaker: defaultBreakerSettings, limiter: defaultConcurrencyLimitSettings, estimates: estimateSettings(matrix) },
}

const slotsPerTarget = 10
const serviceMs = 60
const mix: readonly (readonly [OperationType, number])[] = [
  ['emergency', 0.02],
  ['infrastructure', 0.08],
  ['meta_monitor', 0.1],
  ['implementation', 0.1],
  ['kiro_communication', 0.2],
  ['standard_analysis', 0.2],
  ['background_task', 0.3],
]

interface Tally {
  arrived: number
  inTime: number
}

function overload(seed: number, load: number, seconds: number) {
  const clock = createVirtualClock()
  const random = createSeededRandom(seed)
  const busy: Record<string, number> = {}
  let attempts = 0
  const serve = (request: AttemptRequest): readonly ScriptStep[] => {
    const { target } = request
    if ((busy[target] ?? 0) >= slotsPerTarget) return fails({ kind: 'throttled', retryable: true, message: 'Too many requests' }, 2)
    busy[target] = (busy[target] ?? 0) + 1
    // Between half and one and a half of the service time.
    const tookMs = serviceMs * (0.5 + random.next())
    clock.schedule(clock.monotonicMs() + tookMs - 0.001, () => {
      busy[target] = (busy[target] ?? 0) - 1
    })
    return answers('done', tookMs)
  }
  const path = (route: Route) => createScriptedPath(route, clock, serve)
  const events = createEventStream<SystemEvent>((error) => {
    throw error
  })
  const parts = { paths: { direct: path('direct'), mcp: path('mcp') }, clock, random, events }
  const router = createHybridRouter({ ...parts, settings: () => settings, topology: () => topology, onInternalError: (error) => expect(error).toBeUndefined() })
  const byType = new Map<OperationType, Tally>()
  const capacityPerMs = (3 * slotsPerTarget) / serviceMs
  const warmMs = 2_000
  const untilMs = warmMs + seconds * 1_000
  let count = 0
  let started = 0
  const arrive = (): void => {
    const nextAtMs = clock.monotonicMs() - Math.log(1 - random.next()) / (load * capacityPerMs)
    if (nextAtMs < untilMs) clock.schedule(nextAtMs, arrive)
    let point = random.next()
    const [type] = mix.find(([, share]) => (point -= share) < 0) ?? ['background_task' as const]
    count += 1
    const { latencyMs, hardTimeoutMs } = matrix[type]
    const operation = operationOf(type, { id: `op_${count}`, arrivedAtMs: clock.monotonicMs(), latencyRequirementMs: latencyMs, hardTimeoutMs })
    const tally = byType.get(type) ?? { arrived: 0, inTime: 0 }
    byType.set(type, tally)
    const counted = clock.monotonicMs() >= warmMs
    router.run(operation, {
      onDecision() {},
      onAttempt() {},
      onEvent() {},
      onResult(result) {
        if (!counted) return
        tally.arrived += 1
        if (result.slaMet) tally.inTime += 1
        if (result.attempts.length > 0) started += 1
        attempts += result.attempts.length
      },
    })
  }
  arrive()
  clock.advance(untilMs + 10_000)
  const answered = [...byType.values()].reduce((sum, { inTime }) => sum + inTime, 0)
  const share = (type: OperationType): number => (byType.get(type)?.inTime ?? 0) / Math.max(1, byType.get(type)?.arrived ?? 0)
  return { byType, share, goodput: answered / (capacityPerMs * seconds * 1_000), attemptsPerStarted: attempts / Math.max(1, started), router, clock }
}

/** What an all-knowing scheduler would answer of each class: the highest first, as far as the capacity goes. */
function oracleShares(load: number): ReadonlyMap<Priority, number> {
  const shares = new Map<Priority, number>()
  let left = 1 / load
  for (const priority of ['critical', 'high', 'medium', 'low'] as const) {
    const demand = mix.filter(([type]) => runbookMatrix[type].priority === priority).reduce((sum, [, share]) => sum + share, 0)
    shares.set(priority, Math.min(1, left / demand))
    left = Math.max(0, left - demand)
  }
  return shares
}

const weights: Readonly<Record<Priority, number>> = { critical: 8, high: 4, medium: 2, low: 1 }

describe('five times more work than there is capacity for', () => {
  it.each([11, 12])('does useful work with nearly all of the capacity, for the most urgent first (seed %i)', (seed) => {
    const { share, goodput, byType, attemptsPerStarted, router, clock } = overload(seed, 5, 3)
    expect(share('emergency')).toBeGreaterThanOrEqual(0.99)
    expect(goodput).toBeGreaterThanOrEqual(0.85)
    const oracle = oracleShares(5)
    let wanted = 0
    let reached = 0
    for (const [type, { arrived, inTime }] of byType) {
      const { priority } = runbookMatrix[type]
      wanted += weights[priority] * arrived * (oracle.get(priority) ?? 0)
      reached += weights[priority] * inTime
    }
    expect(reached / wanted).toBeGreaterThanOrEqual(0.9)
    expect(attemptsPerStarted).toBeLessThanOrEqual(1.35)
    expect(router.inFlight()).toBe(0)
    expect(router.waiting()).toBe(0)
    expect(clock.pending()).toBe(0)
  })

  it('sheds nothing and hedges hardly at seven tenths of the capacity', () => {
    const { byType, attemptsPerStarted, router } = overload(21, 0.7, 10)
    for (const [, { arrived, inTime }] of byType) expect(inTime / arrived).toBeGreaterThanOrEqual(0.99)
    expect(attemptsPerStarted).toBeLessThanOrEqual(1.02)
    expect(router.breakers().reduce((trips, breaker) => trips + breaker.trips, 0)).toBe(0)
  })
})
