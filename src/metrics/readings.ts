/**
 * The runbook's key metrics as readings of a window's tally. Shares are 0 to 1; `null` says that nothing happened of which a
 * share could be taken, which is neither good nor bad.
 *
 * What counts as an error is what a caller of a sound request did not get: `failed` and `expired`, but not what the caller
 * cancelled, nor a request that was wrong (`invalid_request` never becomes a failure of ours).
 */
import { operationTypes, routes, type OperationType, type Route } from '../operation/matrix.ts'
import type { Tally } from './tally.ts'

export interface Percentiles {
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

export function latencyOf(window: Tally, labels: { readonly operation?: OperationType; readonly route?: Route }): Percentiles {
  const distribution = window.distribution('operation_latency', labels)
  return { p50: distribution.quantile(0.5), p95: distribution.quantile(0.95), p99: distribution.quantile(0.99) }
}

export function latencyByOperation(window: Tally): Readonly<Record<OperationType, Percentiles>> {
  return Object.fromEntries(operationTypes.map((operation) => [operation, latencyOf(window, { operation })])) as Record<OperationType, Percentiles>
}

export function errorRate(window: Tally): number | null {
  const { succeeded, wrong } = endings(window, {})
  return share(wrong, succeeded + wrong)
}

/** Of the attempts that said something about the route: cancelled ones do not. */
export function successRateOfRoute(window: Tally, route: Route): number | null {
  const succeeded = window.sum('attempts', { route, outcome: 'succeeded' })
  const all = window.sum('attempts', { route }) - window.sum('attempts', { route, outcome: 'cancelled' })
  return share(succeeded, all)
}

export function fallbackRate(window: Tally): number | null {
  return share(window.sum('operation_flags', { flag: 'fallback' }), window.sum('operations'))
}

export function slaAttainment(window: Tally, operation?: OperationType): number | null {
  const labels = operation === undefined ? {} : { operation }
  const { succeeded, wrong } = endings(window, labels)
  return share(window.sum('operation_flags', { ...labels, flag: 'sla_met' }), succeeded + wrong)
}

/** Operations answered per route, and per operation and route. */
export function routingDistribution(window: Tally): {
  readonly byRoute: Readonly<Record<Route | 'none', number>>
  readonly byOperation: Readonly<Record<OperationType, Readonly<Record<Route | 'none', number>>>>
} {
  const perRoute = (labels: { readonly operation?: OperationType }): Record<Route | 'none', number> => ({
    direct: window.sum('operations', { ...labels, route: 'direct' }),
    mcp: window.sum('operations', { ...labels, route: 'mcp' }),
    none: window.sum('operations', { ...labels, route: 'none' }),
  })
  return {
    byRoute: perRoute({}),
    byOperation: Object.fromEntries(operationTypes.map((operation) => [operation, perRoute({ operation })])) as Record<OperationType, Record<Route | 'none', number>>,
  }
}

/** Faults by kind within route and target: what the "High error rate" procedure reads first. */
export function errorBreakdown(window: Tally): readonly { readonly route: string; readonly target: string; readonly kind: string; readonly count: number }[] {
  const rows = []
  for (const { name, labels, value } of window.counters()) {
    if (name !== 'attempt_faults') continue
    rows.push({ route: labels['route'] ?? '', target: labels['target'] ?? '', kind: labels['kind'] ?? '', count: value })
  }
  return rows.sort((a, b) => b.count - a.count || a.kind.localeCompare(b.kind))
}

export function throttledRequests(window: Tally): number {
  return window.sum('attempts', { outcome: 'throttled' })
}

export function costBreakdown(window: Tally): { readonly estimated: number; readonly byOperation: Readonly<Record<OperationType, number>>; readonly inputTokens: number; readonly outputTokens: number } {
  return {
    estimated: window.sum('cost'),
    byOperation: Object.fromEntries(operationTypes.map((operation) => [operation, window.sum('cost', { operation })])) as Record<OperationType, number>,
    inputTokens: window.sum('tokens', { direction: 'input' }),
    outputTokens: window.sum('tokens', { direction: 'output' }),
  }
}

export function latencyByRoute(window: Tally): Readonly<Record<Route, Percentiles>> {
  return Object.fromEntries(routes.map((route) => [route, latencyOf(window, { route })])) as Record<Route, Percentiles>
}

function endings(window: Tally, labels: { readonly operation?: OperationType }): { readonly succeeded: number; readonly wrong: number } {
  const count = (status: string): number => window.sum('operations', { ...labels, status })
  return { succeeded: count('succeeded'), wrong: count('failed') + count('expired') }
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}
