/**
 * Every metric that the operators' runbook names ("Monitoring"), with its CloudWatch namespace, unit and dimensions, what it
 * means, and how its current values are read. Whoever publishes or plots metrics reads this table; no other file states a
 * metric's name.
 *
 * Values come from the tally of the last interval and from facts that no event tells. A metric without a value in the
 * interval (a share of nothing) has none: zero would be a lie, and missing data is something that an alarm can treat.
 * Shares are published in percent, as CloudWatch's unit says; levels of health as numbers, so that they can be plotted.
 */
import { alertSeverities, type AlertSeverity } from '../operation/alert-facts.ts'
import { operationTypes, routes, type Route } from '../operation/matrix.ts'
import { costBreakdown, errorRate, fallbackRate, firstTokenOf, healthCheckSuccessRate, hedgedOperations, latencyOf, routingEfficiency, slaAttainment, successRateOfRoute, throttledRequests } from './readings.ts'
import type { Tally } from './tally.ts'

export const metricNamespaces = ['HybridRouting/Health', 'HybridRouting/Performance', 'HybridRouting/Routing', 'HybridRouting/Errors', 'HybridRouting/Cache', 'HybridRouting/Support', 'HybridRouting/Cost'] as const
export type MetricNamespace = (typeof metricNamespaces)[number]

/** Units of CloudWatch; `None` for what is counted in something else. */
export type MetricUnit = 'Count' | 'Milliseconds' | 'Percent' | 'None'

export interface MetricsFacts {
  /** Null while it is not known. */
  readonly systemHealth: PublishedLevel | null
  /** Of components that are switched on. */
  readonly components: Readonly<Record<string, PublishedLevel | null>>
  /** Null when there is no queue or it cannot be read. */
  readonly queue: { readonly depth: number; readonly oldestAgeMs: number | null } | null
  /** Null when nobody manages alerts. */
  readonly activeAlerts: Readonly<Record<AlertSeverity, number>> | null
  /** Null without a cache layer. */
  readonly cacheHitRate: number | null
}

export type PublishedLevel = 'healthy' | 'degraded' | 'unhealthy' | 'critical'

/** More is better, so that an alarm reads "below 2". */
const levelValues: Readonly<Record<PublishedLevel, number>> = { healthy: 3, degraded: 2, unhealthy: 1, critical: 0 }

export interface MetricValue {
  readonly dimensions: Readonly<Record<string, string>>
  readonly value: number
}

export interface Metric {
  readonly name: string
  readonly namespace: MetricNamespace
  readonly unit: MetricUnit
  /** The sets of dimensions that its values come with; an empty set is the metric over all. */
  readonly dimensions: readonly (readonly string[])[]
  readonly meaning: string
  readonly values: (window: Tally, facts: MetricsFacts) => readonly MetricValue[]
}

const none: readonly MetricValue[] = []
const plain = (value: number | null): readonly MetricValue[] => (value === null ? none : [{ dimensions: {}, value }])
const percent = (share: number | null): number | null => (share === null ? null : share * 100)
const with_ = (dimensions: Readonly<Record<string, string>>, value: number | null): readonly MetricValue[] => (value === null ? none : [{ dimensions, value }])
const level = (of: PublishedLevel | null): number | null => (of === null ? null : levelValues[of])
const latencyByType = (window: Tally, route: Route): readonly MetricValue[] =>
  operationTypes.flatMap((operation) => with_({ OperationType: operation }, meanOf(window.distribution('operation_latency', { operation, route }))))
const latencyByRoute = (window: Tally, quantile: 'p50' | 'p95' | 'p99'): readonly MetricValue[] => routes.flatMap((route) => with_({ Route: route }, latencyOf(window, { route })[quantile]))

function meanOf(distribution: { readonly count: number; readonly sum: number }): number | null {
  return distribution.count === 0 ? null : distribution.sum / distribution.count
}

export const metricCatalogue: readonly Metric[] = [
  {
    name: 'SystemHealth',
    namespace: 'HybridRouting/Health',
    unit: 'None',
    dimensions: [[]],
    meaning: 'The system’s status: 3 healthy, 2 degraded, 1 unhealthy, 0 critical.',
    values: (_window, facts) => plain(level(facts.systemHealth)),
  },
  {
    name: 'ComponentHealth',
    namespace: 'HybridRouting/Health',
    unit: 'None',
    dimensions: [['Component']],
    meaning: 'The status of one component, in the same numbers.',
    values: (_window, facts) => Object.entries(facts.components).flatMap(([component, of]) => with_({ Component: component }, level(of))),
  },
  {
    name: 'HealthCheckSuccessRate',
    namespace: 'HybridRouting/Health',
    unit: 'Percent',
    dimensions: [[]],
    meaning: 'Health checks that succeeded.',
    values: (window) => plain(percent(healthCheckSuccessRate(window))),
  },
  {
    name: 'Heartbeat',
    namespace: 'HybridRouting/Health',
    unit: 'Count',
    dimensions: [[]],
    meaning: 'One for every publication; where it is missing the process is down.',
    values: () => plain(1),
  },
  { name: 'AlertResponseTime', namespace: 'HybridRouting/Health', unit: 'Milliseconds', dimensions: [['Severity']], meaning: 'Mean time from an alert’s raising to its acknowledgement.', values: (window) => alertSeverities.flatMap((severity) => with_({ Severity: severity }, meanOf(window.distribution('alert_response', { severity })))) },
  {
    name: 'ActiveAlerts',
    namespace: 'HybridRouting/Health',
    unit: 'Count',
    dimensions: [['Severity']],
    meaning: 'Alerts that fire or are acknowledged.',
    values: (_window, facts) => alertSeverities.flatMap((severity) => with_({ Severity: severity }, facts.activeAlerts?.[severity] ?? null)),
  },
  { name: 'DirectBedrockLatency', namespace: 'HybridRouting/Performance', unit: 'Milliseconds', dimensions: [['OperationType']], meaning: 'Mean latency of operations answered on the direct route.', values: (window) => latencyByType(window, 'direct') },
  { name: 'McpLatency', namespace: 'HybridRouting/Performance', unit: 'Milliseconds', dimensions: [['OperationType']], meaning: 'Mean latency of operations answered on the MCP route.', values: (window) => latencyByType(window, 'mcp') },
  { name: 'P50Latency', namespace: 'HybridRouting/Performance', unit: 'Milliseconds', dimensions: [['Route']], meaning: 'Median latency of operations.', values: (window) => latencyByRoute(window, 'p50') },
  { name: 'P95Latency', namespace: 'HybridRouting/Performance', unit: 'Milliseconds', dimensions: [['Route']], meaning: '95th percentile of the latency of operations.', values: (window) => latencyByRoute(window, 'p95') },
  { name: 'P99Latency', namespace: 'HybridRouting/Performance', unit: 'Milliseconds', dimensions: [['Route']], meaning: '99th percentile of the latency of operations.', values: (window) => latencyByRoute(window, 'p99') },
  {
    name: 'TimeToFirstToken',
    namespace: 'HybridRouting/Performance',
    unit: 'Milliseconds',
    dimensions: [['Route']],
    meaning: 'Median time to the first content.',
    values: (window) => routes.flatMap((route) => with_({ Route: route }, firstTokenOf(window, { route }).p50)),
  },
  { name: 'QueueDepth', namespace: 'HybridRouting/Performance', unit: 'Count', dimensions: [[]], meaning: 'Messages that wait.', values: (_window, facts) => plain(facts.queue?.depth ?? null) },
  { name: 'QueueAge', namespace: 'HybridRouting/Performance', unit: 'Milliseconds', dimensions: [[]], meaning: 'How long the oldest message has waited.', values: (_window, facts) => plain(facts.queue?.oldestAgeMs ?? null) },
  { name: 'RoutingEfficiency', namespace: 'HybridRouting/Routing', unit: 'Percent', dimensions: [[]], meaning: 'Optimal decisions of those that hindsight could judge.', values: (window) => plain(percent(routingEfficiency(window).efficiency)) },
  {
    name: 'OptimalRoutingRate',
    namespace: 'HybridRouting/Routing',
    unit: 'Percent',
    dimensions: [[]],
    meaning: 'Optimal decisions of all that ended, those that could not be judged included: the lower bound of the efficiency.',
    values: (window) => {
      const { optimal, notOptimal, unknown } = routingEfficiency(window)
      const all = optimal + notOptimal + unknown
      return plain(all === 0 ? null : (optimal / all) * 100)
    },
  },
  { name: 'FallbackRate', namespace: 'HybridRouting/Routing', unit: 'Percent', dimensions: [[]], meaning: 'Operations that used their fallback.', values: (window) => plain(percent(fallbackRate(window))) },
  {
    name: 'RoutedOperations',
    namespace: 'HybridRouting/Routing',
    unit: 'Count',
    dimensions: [['Route', 'OperationType']],
    meaning: 'Operations answered, by route and type.',
    values: (window) => routes.flatMap((route) => operationTypes.flatMap((operation) => counted({ Route: route, OperationType: operation }, window.sum('operations', { route, operation })))),
  },
  { name: 'HedgedOperations', namespace: 'HybridRouting/Routing', unit: 'Count', dimensions: [[]], meaning: 'Operations for which a second attempt was started beside the first.', values: (window) => plain(hedgedOperations(window)) },
  {
    name: 'SlaAttainment',
    namespace: 'HybridRouting/Routing',
    unit: 'Percent',
    dimensions: [['OperationType']],
    meaning: 'Operations answered within their requirement.',
    values: (window) => operationTypes.flatMap((operation) => with_({ OperationType: operation }, percent(slaAttainment(window, operation)))),
  },
  { name: 'ErrorRate', namespace: 'HybridRouting/Errors', unit: 'Percent', dimensions: [[], ['Component'], ['Route']], meaning: 'Operations without an answer; by component and route: attempts that failed.', values: (window) => [...plain(percent(errorRate(window))), ...byRouteAndComponent(window, (share) => 1 - share)] },
  { name: 'SuccessRate', namespace: 'HybridRouting/Errors', unit: 'Percent', dimensions: [['Component'], ['Route']], meaning: 'Attempts that succeeded.', values: (window) => byRouteAndComponent(window, (share) => share) },
  { name: 'ThrottledRequests', namespace: 'HybridRouting/Errors', unit: 'Count', dimensions: [[]], meaning: 'Attempts that an upstream throttled.', values: (window) => plain(throttledRequests(window)) },
  {
    name: 'CircuitBreakerTrips',
    namespace: 'HybridRouting/Errors',
    unit: 'Count',
    dimensions: [[], ['Component']],
    meaning: 'Breakers that opened.',
    values: (window) => breakerChanges(window, 'tripped'),
  },
  { name: 'CircuitBreakerRecoveries', namespace: 'HybridRouting/Errors', unit: 'Count', dimensions: [[], ['Component']], meaning: 'Breakers that closed again.', values: (window) => breakerChanges(window, 'recovered') },
  { name: 'HitRate', namespace: 'HybridRouting/Cache', unit: 'Percent', dimensions: [[]], meaning: 'Answers from the cache, of those that may be cached.', values: (_window, facts) => plain(percent(facts.cacheHitRate)) },
  {
    name: 'SupportOperations',
    namespace: 'HybridRouting/Support',
    unit: 'Count',
    dimensions: [['OperationType']],
    meaning: 'Operations of the support types that ended.',
    values: (window) => supportTypes.flatMap((operation) => counted({ OperationType: operation }, window.sum('operations', { operation }))),
  },
  { name: 'InputTokens', namespace: 'HybridRouting/Cost', unit: 'Count', dimensions: [[]], meaning: 'Tokens read, of the answers delivered.', values: (window) => plain(costBreakdown(window).inputTokens) },
  { name: 'OutputTokens', namespace: 'HybridRouting/Cost', unit: 'Count', dimensions: [[]], meaning: 'Tokens written, of the answers delivered.', values: (window) => plain(costBreakdown(window).outputTokens) },
  { name: 'EstimatedCost', namespace: 'HybridRouting/Cost', unit: 'None', dimensions: [[]], meaning: 'Estimated cost of all attempts, in the price table’s currency.', values: (window) => plain(costBreakdown(window).estimated) },
]

const supportTypes = ['infrastructure', 'meta_monitor', 'implementation', 'kiro_communication'] as const
const componentOfRoute: Readonly<Record<Route, string>> = { direct: 'direct-bedrock-client', mcp: 'mcp-router' }

/** A count without events is left out per dimension: CloudWatch charges for every one that ever had a value. */
function counted(dimensions: Readonly<Record<string, string>>, value: number): readonly MetricValue[] {
  return value === 0 ? none : [{ dimensions, value }]
}

function byRouteAndComponent(window: Tally, from: (successShare: number) => number): readonly MetricValue[] {
  return routes.flatMap((route) => {
    const share = successRateOfRoute(window, route)
    if (share === null) return none
    return [
      { dimensions: { Component: componentOfRoute[route] }, value: from(share) * 100 },
      { dimensions: { Route: route }, value: from(share) * 100 },
    ]
  })
}

function breakerChanges(window: Tally, change: 'tripped' | 'recovered'): readonly MetricValue[] {
  return [
    ...plain(window.sum('breaker_changes', { change })),
    ...routes.flatMap((route) => counted({ Component: componentOfRoute[route] }, window.sum('breaker_changes', { change, route }))),
  ]
}
