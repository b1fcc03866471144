/**
 * The part of the OpenAPI document that describes health and metrics (public contract, part 6; runbook, "Monitoring").
 */
import { componentNames } from '../health/component-names.ts'
import { healthLevels } from '../health/health-level.ts'
import { keyMetricNames } from '../metrics/key-metrics.ts'
import { windowForm } from '../metrics/metric-window.ts'
import { metricViewNames, type MetricViewName } from '../metrics/views.ts'
import { operationTypes } from '../operation/matrix.ts'

const reference = (name: string): object => ({ $ref: `#/components/schemas/${name}` })
const orNull = (type: string): object => ({ type: [type, 'null'] })
const share = { type: ['number', 'null'], minimum: 0, maximum: 1 }
const jsonOf = (description: string, schema: object): object => ({ description, content: { 'application/json': { schema } } })
const object = (properties: Readonly<Record<string, object>>): object => ({ type: 'object', properties, required: Object.keys(properties) })

const status = { enum: healthLevels }
const instant = { type: 'string', format: 'date-time' }
const percentiles = object({ p50: orNull('number'), p95: orNull('number'), p99: orNull('number') })
const componentMap = { type: 'object', propertyNames: { enum: componentNames }, additionalProperties: reference('Component') }
const summary = object(Object.fromEntries(healthLevels.map((level) => [level, { type: 'integer' }])))

const healthMetrics = object({
  routingEfficiency: share,
  judgedDecisionShare: share,
  healthCheckSuccessRate: share,
  latency: object(Object.fromEntries(operationTypes.map((type) => [type, percentiles]))),
  errorRate: share,
  fallbackRate: share,
  alertResponseTime: { ...orNull('number'), description: 'ms, of critical alerts.' },
  operations: { type: 'integer' },
})

export const monitoringSchemas: Readonly<Record<string, object>> = {
  Component: object({
    status,
    message: { type: 'string' },
    responseTime: { ...orNull('number'), description: 'ms.' },
    lastCheck: { type: ['string', 'null'], format: 'date-time' },
    since: { ...instant, description: 'Since when it is at this level.' },
    details: { type: 'object', description: '`enabled`, `required`, `lastError`, and its `parts` with a status each.' },
  }),
  DetailedHealth: object({
    status,
    timestamp: instant,
    uptime: { type: 'number', description: 'Seconds.' },
    version: { type: 'string' },
    components: componentMap,
    summary,
    metrics: healthMetrics,
    alerts: { type: 'array', items: { type: 'object' } },
    overrides: { type: 'array', items: { type: 'object' } },
  }),
  KeyMetric: object({
    name: { enum: keyMetricNames },
    title: { type: 'string' },
    unit: { enum: ['share', 'ms'] },
    value: orNull('number'),
    level: { enum: ['good', 'warning', 'critical', 'unknown'] },
    target: { type: 'number' },
    warning: { type: 'number' },
    critical: { type: 'number' },
    action: { type: 'string' },
  }),
}

const windowParameter = { name: 'window', in: 'query', schema: { type: 'string', default: '24h' }, description: `How far back: ${windowForm}.` }
const scopeParameter = { name: 'scope', in: 'query', schema: { enum: ['all', 'instance'], default: 'all' }, description: 'All instances of the store, or this one.' }

const viewSummaries: Readonly<Record<MetricViewName, string>> = {
  'routing-efficiency': 'The share of optimal decisions, judged in hindsight',
  performance: 'Latency, time to first token and attainment by operation and route',
  'cache-hit-rate': 'The share of answers from the cache, where there is one',
  'error-breakdown': 'Errors by kind, component, operation and code',
  'routing-distribution': 'Which operations went where, and why',
  'cost-breakdown': 'Estimated cost and tokens by operation and route',
}

interface Described {
  readonly summary: string
  readonly tags: readonly string[]
  readonly parameters?: readonly object[]
  readonly responses: Readonly<Record<string, object>>
}

/** @param problems the answers that every guarded route can give @param notFound what one that looks for a name can give */
export function monitoringPaths(problems: Readonly<Record<string, object>>, notFound: Readonly<Record<string, object>>): Readonly<Record<string, { readonly get: Described }>> {
  const health = (about: Omit<Described, 'tags'>): { readonly get: Described } => ({ get: { tags: ['Health'], ...about } })
  const views = metricViewNames.map((name): [string, { readonly get: Described }] => [
    `/metrics/${name}`,
    {
      get: {
        summary: viewSummaries[name],
        tags: ['Metrics'],
        parameters: [windowParameter, scopeParameter],
        responses: { '200': jsonOf('The figures of the window; shares are 0 to 1, durations ms, `null` where nothing happened.', { type: 'object' }), ...problems },
      },
    },
  ])
  return {
    '/health/detailed': health({
      summary: 'How the system is, with components, metrics, alerts and levers',
      responses: { ...problems, '200': jsonOf('Healthy or degraded.', reference('DetailedHealth')), '503': jsonOf('Not.', reference('DetailedHealth')) },
    }),
    '/health/components': health({ summary: 'Every component', responses: { '200': jsonOf('By name.', object({ status, timestamp: instant, components: componentMap, summary })), ...problems } }),
    '/health/component/{name}': health({
      summary: 'One component',
      parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string' }, description: 'Its name or one of its aliases.' }],
      responses: { '200': jsonOf('As it is.', { allOf: [reference('Component'), object({ name: { enum: componentNames } })] }), ...problems, ...notFound },
    }),
    '/health/metrics': health({
      summary: 'The key metrics, with target and level',
      parameters: [windowParameter, scopeParameter],
      responses: { '200': jsonOf('The figures.', object({ status, timestamp: instant, window: { type: 'string' }, scope: { type: 'string' }, metrics: healthMetrics, keyMetrics: { type: 'array', items: reference('KeyMetric') } })), ...problems },
    }),
    '/health/status': health({ summary: 'The same as a page for a person', responses: { '200': { description: 'The page.', content: { 'text/html': { schema: { type: 'string' } } } }, ...problems } }),
    '/metrics': {
      get: { summary: 'Metrics of this process for Prometheus', tags: ['Metrics'], responses: { '200': { description: 'The text exposition format.', content: { 'text/plain': { schema: { type: 'string' } } } }, ...problems } },
    },
    ...Object.fromEntries(views),
  }
}
