/**
 * The runbook's key metrics as readings of a window's tally. Shares are 0 to 1; `null` says that nothing happened of which a
 * share could be taken, which is neither good nor bad.
 *
 * What counts as an error is what a caller of a sound request did not get: `failed` and `expired`, but not what the caller
 * cancelled, nor a request that was wrong: one that a model refuses as invalid ends as `failed` with the caller's code, and a
 * caller that repeats its mistake must not page anybody.
 */
import { operationTypes, routes, type OperationType, type Route } from '../operation/matrix.ts'
import { isCallersMistake, problemCodes } from '../operation/problem.ts'
import type { AlertSeverity } from '../operation/alert-facts.ts'
import type { ExponentialHistogram } from './exponential-histogram.ts'
import type { Tally } from './tally.ts'

const callersMistakes = problemCodes.filter(isCallersMistake)

export interface Percentiles {
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

export function latencyOf(window: Tally, labels: { readonly operation?: OperationType; readonly route?: Route }): Percentiles {
  return percentilesOf(window.distribution('operation_latency', labels))
}

function percentilesOf(distribution: ExponentialHistogram): Percentiles {
  return { p50: distribution.quantile(0.5), p95: distribution.quantile(0.95), p99: distribution.quantile(0.99) }
}

export function firstTokenOf(window: Tally, labels: { readonly operation?: OperationType; readonly route?: Route }): Percentiles {
  return percentilesOf(window.distribution('first_token', labels))
}

export function latencyByOperation(window: Tally): Readonly<Record<OperationType, Percentiles>> {
  return byOperation((operation) => latencyOf(window, { operation }))
}

export function errorRate(window: Tally): number | null {
  const { succeeded, wrong } = endings(window, {})
  return share(wrong, succeeded + wrong)
}

/** How many operations the error rate speaks of as failed: one of one on a quiet night is chance, not a rate. */
export function failedOperations(window: Tally): number {
  return endings(window, {}).wrong
}

/** The estimated cost of the window as a share of the budget for as long; null without a budget. */
export function budgetUsed(window: Tally, budget: number | null): number | null {
  return budget === null ? null : costBreakdown(window).estimated / budget
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
    byOperation: byOperation((operation) => perRoute({ operation })),
  }
}

/** Faults by kind within route and target: what the "High error rate" procedure reads first. */
export function errorBreakdown(window: Tally): readonly { readonly route: string; readonly target: string; readonly kind: string; readonly count: number }[] {
  return rowsOf(window, 'attempt_faults', ({ route = '', target = '', kind = '' }) => ({ route, target, kind }))
}

export function throttledRequests(window: Tally): number {
  return window.sum('attempts', { outcome: 'throttled' })
}

export function costBreakdown(window: Tally): {
  readonly estimated: number
  readonly byOperation: Readonly<Record<OperationType, number>>
  readonly byRoute: Readonly<Record<Route | 'none', number>>
  readonly inputTokens: number
  readonly outputTokens: number
} {
  const ofRoute = (route: Route | 'none'): number => window.sum('cost', { route })
  return {
    estimated: window.sum('cost'),
    byOperation: byOperation((operation) => window.sum('cost', { operation })),
    byRoute: { direct: ofRoute('direct'), mcp: ofRoute('mcp'), none: ofRoute('none') },
    inputTokens: window.sum('tokens', { direction: 'input' }),
    outputTokens: window.sum('tokens', { direction: 'output' }),
  }
}

export function byOperation<Value>(valueOf: (operation: OperationType) => Value): Readonly<Record<OperationType, Value>> {
  return Object.fromEntries(operationTypes.map((operation) => [operation, valueOf(operation)])) as Record<OperationType, Value>
}

export function latencyByRoute(window: Tally): Readonly<Record<Route, Percentiles>> {
  return Object.fromEntries(routes.map((route) => [route, latencyOf(window, { route })])) as Record<Route, Percentiles>
}

/** What hindsight said of the decisions (public contract, part 3): where it could not know, the decision is left out. */
export function routingEfficiency(window: Tally): {
  readonly efficiency: number | null
  readonly optimal: number
  readonly notOptimal: number
  readonly unknown: number
  readonly judgedShare: number | null
} {
  const optimal = window.sum('judgements', { verdict: 'optimal' })
  const notOptimal = window.sum('judgements', { verdict: 'not_optimal' })
  const unknown = window.sum('judgements', { verdict: 'unknown' })
  return { efficiency: share(optimal, optimal + notOptimal), optimal, notOptimal, unknown, judgedShare: share(optimal + notOptimal, optimal + notOptimal + unknown) }
}

export function healthCheckSuccessRate(window: Tally): number | null {
  return share(window.sum('health_checks', { outcome: 'ok' }), window.sum('health_checks'))
}

/** The mean from an alert's raising to its acknowledgement, ms; of those that were acknowledged in the window. */
export function alertResponseMs(window: Tally, severity: AlertSeverity = 'critical'): number | null {
  const times = window.distribution('alert_response', { severity })
  return times.count === 0 ? null : times.sum / times.count
}

export function hedgedOperations(window: Tally): number {
  return window.sum('operation_flags', { flag: 'hedged' })
}

/** What callers were told that did not get an answer. */
export function problemBreakdown(window: Tally): readonly { readonly operation: string; readonly code: string; readonly count: number }[] {
  return rowsOf(window, 'operation_problems', ({ operation = '', code = '' }) => ({ operation, code }))
}

/** What was refused before it became an operation's attempt. */
export function refusalBreakdown(window: Tally): readonly { readonly code: string; readonly count: number }[] {
  return rowsOf(window, 'refusals', ({ code = '' }) => ({ code }))
}

export function decisionReasonCounts(window: Tally): readonly { readonly route: string; readonly reason: string; readonly count: number }[] {
  return rowsOf(window, 'decisions', ({ route = '', reason = '' }) => ({ route, reason }))
}

function rowsOf<Row>(window: Tally, series: string, toRow: (labels: Partial<Record<'operation' | 'code' | 'route' | 'target' | 'kind' | 'reason', string>>) => Row): readonly (Row & { readonly count: number })[] {
  return [...window.counters()]
    .filter(({ name }) => name === series)
    .map(({ labels, value }) => ({ ...toRow(labels), count: value }))
    .sort((a, b) => b.count - a.count)
}

function endings(window: Tally, labels: { readonly operation?: OperationType }): { readonly succeeded: number; readonly wrong: number } {
  const count = (status: string): number => window.sum('operations', { ...labels, status })
  const mistakes = callersMistakes.reduce((sum, code) => sum + window.sum('operation_problems', { ...labels, code }), 0)
  return { succeeded: count('succeeded'), wrong: count('failed') + count('expired') - mistakes }
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}
