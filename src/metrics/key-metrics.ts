/**
 * The operators' key metrics as data: what each must be, when it warns, when it is critical, and what the runbook then does.
 * Source: the operators' runbook, "Key metrics". Shares are 0 to 1 and durations ms; the runbook's percent and seconds are
 * converted here and nowhere else.
 *
 * A figure that is not known is `unknown`, which is neither good nor bad: there was no traffic of which it could be taken.
 * Latency is judged by its 95th percentile, as the runbook's alarms do.
 */
import { alertResponseMs, errorRate, fallbackRate, healthCheckSuccessRate, latencyOf, routingEfficiency, successRateOfRoute } from './readings.ts'
import type { Tally } from './tally.ts'

export const keyMetricNames = [
  'routingEfficiency',
  'directLatencyEmergency',
  'directLatencyCritical',
  'mcpLatency',
  'healthCheckSuccessRate',
  'alertResponseTime',
  'errorRate',
  'cacheHitRate',
  'fallbackRate',
  'directSuccessRate',
  'mcpSuccessRate',
  'budgetUsed',
] as const
export type KeyMetricName = (typeof keyMetricNames)[number]

interface Bounds {
  readonly title: string
  readonly unit: 'share' | 'ms'
  /** Whether more is better. */
  readonly better: 'higher' | 'lower'
  readonly target: number
  readonly warning: number
  readonly critical: number
  readonly action: string
}

const minuteMs = 60_000

export const keyMetricBounds: Readonly<Record<KeyMetricName, Bounds>> = {
  routingEfficiency: { title: 'Routing efficiency', unit: 'share', better: 'higher', target: 0.8, warning: 0.8, critical: 0.7, action: 'Review routing decisions.' },
  directLatencyEmergency: { title: 'Direct latency, emergency (p95)', unit: 'ms', better: 'lower', target: 5_000, warning: 5_000, critical: 10_000, action: 'Check Bedrock.' },
  directLatencyCritical: { title: 'Direct latency, critical (p95)', unit: 'ms', better: 'lower', target: 10_000, warning: 10_000, critical: 15_000, action: 'Enable the fallback.' },
  mcpLatency: { title: 'MCP latency (p95)', unit: 'ms', better: 'lower', target: 30_000, warning: 30_000, critical: 60_000, action: 'Check MCP health.' },
  healthCheckSuccessRate: { title: 'Health check success rate', unit: 'share', better: 'higher', target: 0.99, warning: 0.99, critical: 0.95, action: 'Check component health.' },
  alertResponseTime: { title: 'Alert response time (critical alerts)', unit: 'ms', better: 'lower', target: 5 * minuteMs, warning: 5 * minuteMs, critical: 15 * minuteMs, action: 'Escalate to on-call.' },
  errorRate: { title: 'Error rate', unit: 'share', better: 'lower', target: 0.01, warning: 0.01, critical: 0.05, action: 'Investigate errors.' },
  cacheHitRate: { title: 'Cache hit rate', unit: 'share', better: 'higher', target: 0.8, warning: 0.8, critical: 0.7, action: 'Optimise caching.' },
  fallbackRate: { title: 'Fallback rate', unit: 'share', better: 'lower', target: 0.1, warning: 0.1, critical: 0.2, action: 'Check the primary path.' },
  directSuccessRate: { title: 'Success rate, direct', unit: 'share', better: 'higher', target: 0.95, warning: 0.95, critical: 0.9, action: 'Check breakers and errors.' },
  mcpSuccessRate: { title: 'Success rate, MCP', unit: 'share', better: 'higher', target: 0.95, warning: 0.95, critical: 0.9, action: 'Check breakers and errors.' },
  budgetUsed: { title: 'Budget used', unit: 'share', better: 'lower', target: 0.5, warning: 0.8, critical: 0.95, action: 'Reduce cost.' },
}

export type KeyMetricLevel = 'good' | 'warning' | 'critical' | 'unknown'

export interface KeyMetric extends Bounds {
  readonly name: KeyMetricName
  readonly value: number | null
  readonly level: KeyMetricLevel
}

/** Figures that no event tells. */
export interface KeyMetricFacts {
  /** Null without a cache layer. */
  readonly cacheHitRate: number | null
  /** Null without a budget. */
  readonly budgetUsed: number | null
}

export function keyMetrics(window: Tally, facts: KeyMetricFacts): readonly KeyMetric[] {
  return keyMetricNames.map((name) => {
    const bounds = keyMetricBounds[name]
    const value = valueOf(name, window, facts)
    return { name, ...bounds, value, level: levelOf(bounds, value) }
  })
}

export function levelOf(bounds: Pick<Bounds, 'better' | 'warning' | 'critical'>, value: number | null): KeyMetricLevel {
  if (value === null) return 'unknown'
  const worse = (limit: number): boolean => (bounds.better === 'higher' ? value < limit : value > limit)
  if (worse(bounds.critical)) return 'critical'
  return worse(bounds.warning) ? 'warning' : 'good'
}

function valueOf(name: KeyMetricName, window: Tally, facts: KeyMetricFacts): number | null {
  switch (name) {
    case 'routingEfficiency':
      return routingEfficiency(window).efficiency
    case 'directLatencyEmergency':
      return latencyOf(window, { operation: 'emergency', route: 'direct' }).p95
    case 'directLatencyCritical':
      return latencyOf(window, { operation: 'infrastructure', route: 'direct' }).p95
    case 'mcpLatency':
      return latencyOf(window, { route: 'mcp' }).p95
    case 'healthCheckSuccessRate':
      return healthCheckSuccessRate(window)
    case 'alertResponseTime':
      return alertResponseMs(window)
    case 'errorRate':
      return errorRate(window)
    case 'cacheHitRate':
      return facts.cacheHitRate
    case 'fallbackRate':
      return fallbackRate(window)
    case 'directSuccessRate':
      return successRateOfRoute(window, 'direct')
    case 'mcpSuccessRate':
      return successRateOfRoute(window, 'mcp')
    case 'budgetUsed':
      return facts.budgetUsed
    default:
      return name satisfies never
  }
}
