/**
 * Health in the public contract's spelling (part 6): what `/health/detailed` and its siblings answer. Times are RFC 3339,
 * durations ms, shares 0 to 1.
 */
import type { ComponentView } from '../health/component-view.ts'
import type { HealthLevel } from '../health/health-level.ts'
import { keyMetrics } from '../metrics/key-metrics.ts'
import { alertResponseMs, errorRate, fallbackRate, healthCheckSuccessRate, latencyByOperation, routingEfficiency } from '../metrics/readings.ts'
import type { Tally } from '../metrics/tally.ts'
import type { JsonObject, JsonValue } from '../operation/converse.ts'
import type { Monitoring } from './monitoring.ts'

export function componentJson(view: ComponentView): JsonObject {
  // A component that has no parts is its own only subject.
  const only = view.subjects.length === 1 ? view.subjects[0] : undefined
  const own = only?.id === view.name ? only : undefined
  return {
    status: view.status,
    message: view.message,
    responseTime: rounded(view.responseTimeMs),
    lastCheck: instant(view.lastCheckAtMs),
    since: instant(view.sinceMs),
    details: {
      what: view.what,
      enabled: view.enabled,
      required: view.required,
      lastError: errorJson(view.lastError),
      ...(own === undefined ? { parts: view.subjects.map(partJson) } : own.details),
      ...view.details,
    },
  }
}

function partJson(part: ComponentView['subjects'][number]): JsonObject {
  return {
    name: part.title,
    status: part.status,
    message: part.message,
    responseTime: rounded(part.responseTimeMs),
    lastCheck: instant(part.lastCheckAtMs),
    since: instant(part.sinceMs),
    checkedBy: part.by,
    lastError: errorJson(part.lastError),
    ...part.details,
  }
}

export function componentsJson(views: readonly ComponentView[]): JsonObject {
  return Object.fromEntries(views.map((view) => [view.name, componentJson(view)]))
}

/** How many components are at each level; those that are switched off do not count. */
export function summaryOf(views: readonly ComponentView[]): Readonly<Record<HealthLevel, number>> {
  const counts: Record<HealthLevel, number> = { healthy: 0, degraded: 0, unhealthy: 0, critical: 0, unknown: 0 }
  for (const view of views) if (view.enabled) counts[view.status] += 1
  return counts
}

export function healthMetrics(window: Tally): JsonObject {
  const { efficiency, judgedShare } = routingEfficiency(window)
  return {
    routingEfficiency: efficiency,
    judgedDecisionShare: judgedShare,
    healthCheckSuccessRate: healthCheckSuccessRate(window),
    latency: Object.fromEntries(Object.entries(latencyByOperation(window)).map(([operation, percentiles]) => [operation, { p50: rounded(percentiles.p50), p95: rounded(percentiles.p95), p99: rounded(percentiles.p99) }])),
    errorRate: errorRate(window),
    fallbackRate: fallbackRate(window),
    alertResponseTime: alertResponseMs(window),
    operations: window.sum('operations'),
  }
}

/** The runbook's table with the figures in it. */
export function keyMetricsJson(window: Tally, monitoring: Pick<Monitoring, 'budgetUsed' | 'cache'>): readonly JsonObject[] {
  return keyMetrics(window, keyMetricFacts(monitoring)).map(({ name, title, unit, value, level, target, warning, critical, action }) => ({ name, title, unit, value, level, target, warning, critical, action }))
}

export function keyMetricFacts(monitoring: Pick<Monitoring, 'budgetUsed' | 'cache'>): { readonly cacheHitRate: number | null; readonly budgetUsed: number | null } {
  const cache = monitoring.cache()
  const asked = cache === null ? 0 : cache.hits + cache.misses
  return { cacheHitRate: cache === null || asked === 0 ? null : cache.hits / asked, budgetUsed: monitoring.budgetUsed() }
}

/** Whether a load balancer should send work here (200) or not (503). */
export function servesWork(status: HealthLevel): boolean {
  return status === 'healthy' || status === 'degraded'
}

export function instant(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString()
}

function errorJson(error: ComponentView['lastError']): JsonValue {
  return error === null ? null : { message: error.message, at: instant(error.atMs) }
}

function rounded(valueMs: number | null): number | null {
  return valueMs === null ? null : Math.round(valueMs * 10) / 10
}

