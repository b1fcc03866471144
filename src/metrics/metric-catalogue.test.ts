import { describe, expect, it } from 'vitest'
import { EventCounter } from './event-counter.ts'
import { metricCatalogue, metricNamespaces, type MetricsFacts } from './metric-catalogue.ts'
import { Tally } from './tally.ts'
import { eventsOf, type Happening } from './testing/happenings.ts'

const quiet: MetricsFacts = { systemHealth: null, components: {}, queue: null, activeAlerts: null, cacheHitRate: null }
const facts: MetricsFacts = {
  systemHealth: 'degraded',
  components: { 'mcp-router': 'critical', 'hybrid-router': 'healthy', 'health-checker': null },
  queue: { depth: 3, oldestAgeMs: 120 },
  activeAlerts: { critical: 1, high: 0, medium: 0, low: 0 },
  cacheHitRate: 0.5,
}

function tallyOf(...happenings: readonly Partial<Happening>[]): Tally {
  const tally = new Tally()
  const counter = new EventCounter()
  for (const happening of happenings) {
    const whole: Happening = { operation: 'emergency', route: 'direct', target: 'frankfurt', status: 'succeeded', slaMet: true, fallbackUsed: false, hedged: false, totalMs: 100, fault: null, gapMs: 0, ...happening }
    for (const event of eventsOf(whole, 0)) counter.count(tally, event)
  }
  return tally
}

function values(name: string, window: Tally, given: MetricsFacts = quiet): readonly unknown[] {
  return metricCatalogue.find((metric) => metric.name === name)?.values(window, given).map(({ dimensions, value }) => [dimensions, value]) ?? ['not in the catalogue']
}

describe('the catalogue', () => {
  /** The runbook, section "Monitoring". */
  const named = [
    'SystemHealth ComponentHealth HealthCheckSuccessRate DirectBedrockLatency McpLatency P50Latency P95Latency P99Latency TimeToFirstToken',
    'RoutingEfficiency OptimalRoutingRate FallbackRate RoutedOperations HedgedOperations SlaAttainment ErrorRate SuccessRate ThrottledRequests',
    'CircuitBreakerTrips CircuitBreakerRecoveries HitRate QueueDepth QueueAge AlertResponseTime ActiveAlerts InputTokens OutputTokens EstimatedCost Heartbeat',
  ].flatMap((line) => line.split(' '))

  it('has every metric that the runbook queries, once', () => {
    const names = metricCatalogue.map((metric) => metric.name)
    expect(names).toEqual(expect.arrayContaining(named))
    expect(new Set(names).size).toBe(names.length)
  })

  it('uses every namespace of the runbook', () => {
    expect(new Set(metricCatalogue.map((metric) => metric.namespace))).toEqual(new Set(metricNamespaces))
  })

  it('gives every value the dimensions that it declares', () => {
    const window = tallyOf({}, { operation: 'background_task', route: 'mcp' }, { status: 'failed', route: null, fault: 'throttled' }, { fallbackUsed: true, hedged: true })
    for (const metric of metricCatalogue) {
      for (const { dimensions, value } of metric.values(window, facts)) {
        expect(metric.dimensions.map((names) => names.join()), metric.name).toContain(Object.keys(dimensions).join())
        expect(Number.isFinite(value), metric.name).toBe(true)
      }
    }
  })
})

describe('values', () => {
  it('of a quiet interval are missing where they would be a share of nothing', () => {
    const window = new Tally()
    for (const name of ['ErrorRate', 'SuccessRate', 'FallbackRate', 'RoutingEfficiency', 'SlaAttainment', 'P95Latency', 'TimeToFirstToken', 'HealthCheckSuccessRate', 'HitRate', 'SystemHealth', 'QueueDepth', 'ActiveAlerts']) {
      expect(values(name, window), name).toEqual([])
    }
    expect(values('Heartbeat', window)).toEqual([[{}, 1]])
  })

  it('are percent, and say where', () => {
    const window = tallyOf({}, {}, {}, { status: 'failed', route: null, slaMet: false, fault: 'network' })
    expect(values('ErrorRate', window)).toEqual(expect.arrayContaining([[{}, 25]]))
    expect(values('SuccessRate', window)).toEqual([
      [{ Component: 'direct-bedrock-client' }, 75],
      [{ Route: 'direct' }, 75],
    ])
    expect(values('SlaAttainment', window)).toEqual([[{ OperationType: 'emergency' }, 75]])
    expect(values('DirectBedrockLatency', window)).toEqual([[{ OperationType: 'emergency' }, 100]])
    expect(values('McpLatency', window)).toEqual([])
  })

  it('of health are numbers of which more is better; what is not known is left out', () => {
    const window = new Tally()
    expect(values('SystemHealth', window, facts)).toEqual([[{}, 2]])
    expect(values('ComponentHealth', window, facts)).toEqual([
      [{ Component: 'mcp-router' }, 0],
      [{ Component: 'hybrid-router' }, 3],
    ])
  })
})
