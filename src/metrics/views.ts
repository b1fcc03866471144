/**
 * The JSON views of `/metrics/*`: a window's readings in the words of the runbook. Shares are 0 to 1, durations ms; `null`
 * says that nothing happened of which the figure could be taken.
 */
import type { JsonObject } from '../operation/converse.ts'
import { routes, type Matrix } from '../operation/matrix.ts'
import { keyMetricBounds } from './key-metrics.ts'
import {
  byOperation,
  costBreakdown,
  decisionReasonCounts,
  errorBreakdown,
  errorRate,
  fallbackRate,
  firstTokenOf,
  hedgedOperations,
  latencyOf,
  problemBreakdown,
  refusalBreakdown,
  routingDistribution,
  routingEfficiency,
  slaAttainment,
  successRateOfRoute,
  throttledRequests,
} from './readings.ts'
import type { Tally } from './tally.ts'

export const metricViewNames = ['routing-efficiency', 'performance', 'cache-hit-rate', 'error-breakdown', 'routing-distribution', 'cost-breakdown'] as const
export type MetricViewName = (typeof metricViewNames)[number]

export interface ViewFacts {
  readonly windowMs: number
  readonly matrix: Matrix
  readonly currency: string
  /** Null without a budget. */
  readonly budgetPerDay: number | null
  readonly budgetUsed: number | null
  /** Null without a cache layer. */
  readonly cache: { readonly hits: number; readonly misses: number } | null
}

export function metricView(name: MetricViewName, window: Tally, facts: ViewFacts): JsonObject {
  switch (name) {
    case 'routing-efficiency': {
      const { target, warning, critical } = keyMetricBounds.routingEfficiency
      return { ...routingEfficiency(window), decisions: window.sum('decisions'), target, warning, critical }
    }
    case 'performance':
      return performance(window, facts)
    case 'cache-hit-rate': {
      const { cache } = facts
      if (cache === null) return { enabled: false, hitRate: null, hits: 0, misses: 0, message: 'There is no cache layer in this version.' }
      const all = cache.hits + cache.misses
      return { enabled: true, hitRate: all === 0 ? null : cache.hits / all, ...cache, message: 'Of the answers that may be cached.' }
    }
    case 'error-breakdown':
      return {
        errorRate: errorRate(window),
        operations: window.sum('operations'),
        faults: errorBreakdown(window).map((row) => ({ component: row.route === 'direct' ? 'direct-bedrock-client' : 'mcp-router', ...row })),
        faultsByKind: sumBy(errorBreakdown(window), (row) => row.kind),
        problems: problemBreakdown(window).map((row) => ({ ...row })),
        refusals: refusalBreakdown(window).map((row) => ({ ...row })),
        throttledRequests: throttledRequests(window),
        loginFailures: window.sum('login_failures'),
      }
    case 'routing-distribution': {
      const distribution = routingDistribution(window)
      const all = window.sum('operations')
      return {
        operations: all,
        byRoute: distribution.byRoute,
        shareByRoute: Object.fromEntries(Object.entries(distribution.byRoute).map(([route, count]) => [route, all === 0 ? null : count / all])),
        byOperation: distribution.byOperation,
        decisions: decisionReasonCounts(window).map((row) => ({ ...row })),
        fallbackRate: fallbackRate(window),
        hedgedOperations: hedgedOperations(window),
      }
    }
    case 'cost-breakdown': {
      const { estimated, inputTokens, outputTokens, ...parts } = costBreakdown(window)
      return { currency: facts.currency, estimatedCost: estimated, ...parts, inputTokens, outputTokens, budgetPerDay: facts.budgetPerDay, budgetUsed: facts.budgetUsed }
    }
    default:
      return name satisfies never
  }
}

function performance(window: Tally, { windowMs, matrix }: ViewFacts): JsonObject {
  const all = window.sum('operations')
  return {
    operations: all,
    operationsPerSecond: all / (windowMs / 1_000),
    errorRate: errorRate(window),
    slaAttainment: slaAttainment(window),
    latency: { ...latencyOf(window, {}) },
    timeToFirstToken: { ...firstTokenOf(window, {}) },
    byRoute: Object.fromEntries(
      routes.map((route) => [
        route,
        {
          attempts: window.sum('attempts', { route }),
          successRate: successRateOfRoute(window, route),
          latency: { ...latencyOf(window, { route }) },
          timeToFirstToken: { ...firstTokenOf(window, { route }) },
        },
      ]),
    ),
    byOperation: byOperation((operation) => ({
      operations: window.sum('operations', { operation }),
      latencyRequirementMs: matrix[operation].latencyMs,
      slaAttainment: slaAttainment(window, operation),
      latency: { ...latencyOf(window, { operation }) },
      timeToFirstToken: { ...firstTokenOf(window, { operation }) },
    })),
  }
}

function sumBy<Row extends { readonly count: number }>(rows: readonly Row[], keyOf: (row: Row) => string): JsonObject {
  const sums: Record<string, number> = {}
  for (const row of rows) sums[keyOf(row)] = (sums[keyOf(row)] ?? 0) + row.count
  return sums
}
