/**
 * From readings to what a rule's condition says of each component at this tick: it is there, it is not, or nothing is known
 * (`null`), with the figure in words for the alert's message.
 *
 * The source is the runbook's rule table. Latency of several operations on one route is one measurement of that route's
 * component, and the worst counts: an alert is per rule and component. It must not know time: how long a condition has to
 * be there is `tick-window.ts`.
 */
import { alertLimits } from './limits.ts'
import { healthRanks, type CompleteReadings, type HealthLevel } from './readings.ts'
import type { AlertRule, Condition, FigureReading } from './rules.ts'

export interface Measurement {
  readonly component: string
  readonly there: boolean | null
  readonly says: string
}

/** Which component carries a route: where a route's latency is looked for. */
const routeComponents = { direct: 'direct-bedrock-client', mcp: 'mcp-router' } as const
/** Where a rule without a component belongs: the part that every operation passes. */
const fallbackComponent = 'hybrid-router'

export function measure(rule: AlertRule, readings: CompleteReadings): readonly Measurement[] {
  const { condition, component } = rule
  if (condition.reading === 'component_health') {
    return Object.entries(readings.components)
      .filter(([name]) => component === null || component === name)
      .map(([name, reading]) => ({
        component: name,
        there: reachesLevel(reading.level, condition.atLeast),
        says: `${name} is ${reading.level}${reading.message === null || reading.message === '' ? '' : `: ${reading.message}`}`,
      }))
  }
  if (condition.reading === 'system_health') {
    const level = readings.systemHealth ?? 'unknown'
    return [{ component: component ?? fallbackComponent, there: reachesLevel(level, condition.atLeast), says: systemWords(level, readings) }]
  }
  if (condition.reading === 'latency_to_target') return latencyByRoute(condition, component, readings)
  const figure = figureOf(condition.reading, readings)
  return [{ component: component ?? fallbackComponent, there: crosses(figure.value, condition), says: `${figure.says}${boundWords(condition, figure.isShare)}` }]
}

function reachesLevel(level: HealthLevel, atLeast: (typeof healthRanks)[number]): boolean | null {
  return level === 'unknown' ? null : healthRanks.indexOf(level) >= healthRanks.indexOf(atLeast)
}

function systemWords(level: HealthLevel, readings: CompleteReadings): string {
  const critical = Object.entries(readings.components).flatMap(([name, reading]) => (reading.level === 'critical' ? [name] : []))
  return `the system is ${level}${critical.length === 0 ? '' : `; critical: ${critical.join(', ')}`}`
}

function crosses(value: number | null, condition: Condition): boolean | null {
  if (value === null || !Number.isFinite(value)) return null
  if ('above' in condition) return value > condition.above
  return 'below' in condition && value < condition.below
}

function latencyByRoute(condition: Condition, component: string | null, readings: CompleteReadings): readonly Measurement[] {
  return (['direct', 'mcp'] as const).flatMap((route) => {
    const name = routeComponents[route]
    const ofRoute = readings.latency.filter((reading) => reading.route === route)
    if (ofRoute.length === 0 || (component !== null && component !== name)) return []
    const known = ofRoute.filter((reading) => reading.p95Ms !== null)
    const slow = known.filter((reading) => crosses((reading.p95Ms ?? 0) / reading.targetMs, condition) === true)
    const words = (slow.length > 0 ? slow : known).map((reading) => `${reading.operation} ${seconds(reading.p95Ms ?? 0)} against ${seconds(reading.targetMs)}`)
    return [{ component: name, there: known.length === 0 ? null : slow.length > 0, says: `P95 on the route ${route}: ${words.join(', ') || 'unknown'}` }]
  })
}

interface Figure {
  readonly value: number | null
  readonly says: string
  readonly isShare: boolean
}

function figureOf(reading: Exclude<FigureReading, 'latency_to_target'>, readings: CompleteReadings): Figure {
  switch (reading) {
    case 'error_rate':
      return errorFigure(readings)
    case 'routing_efficiency':
      return shareFigure('routing efficiency', readings.routingEfficiency)
    case 'fallback_rate':
      return shareFigure('fallback rate', readings.fallbackRate)
    case 'budget_used':
      return shareFigure('budget used', readings.budgetUsed)
    case 'health_check_success_rate':
      return shareFigure('health check success rate', readings.healthCheckSuccessRate)
    case 'cache_hit_rate':
      return shareFigure('cache hit rate', readings.cacheHitRate)
    case 'queue_age_to_requirement':
      return queueFigure(readings)
    case 'notifiers_failing': {
      const failing = readings.notifiers.filter((notifier) => notifier.failing === true)
      const isKnown = failing.length > 0 || readings.notifiers.every((notifier) => notifier.failing !== null)
      return { value: isKnown ? failing.length : null, says: `receivers that cannot be notified: ${failing.map((notifier) => notifier.name).join(', ') || 'none'}`, isShare: false }
    }
    case 'configuration_rejected':
      return {
        value: readings.configurationRejected === null ? null : Number(readings.configurationRejected),
        says: readings.configurationRejected === true ? 'the changed configuration was refused' : 'the configuration is in force',
        isShare: false,
      }
    default:
      return reading satisfies never
  }
}

function errorFigure(readings: CompleteReadings): Figure {
  const { errorRate, failedOperations } = readings
  const isChance = errorRate !== null && failedOperations !== undefined && failedOperations < alertLimits.leastFailures
  return isChance ? { value: 0, says: `error rate ${percent(errorRate)} of too few failures`, isShare: true } : shareFigure('error rate', errorRate)
}

function queueFigure(readings: CompleteReadings): Figure {
  if (readings.queue === null) return { value: null, says: 'the age of the queue is unknown', isShare: false }
  let worst = 0
  let says = 'nothing waits in the queue'
  for (const { oldestAgeMs, requirementMs } of readings.queue) {
    if (oldestAgeMs === null || requirementMs <= 0) continue
    const ratio = oldestAgeMs / requirementMs
    if (ratio <= worst) continue
    worst = ratio
    says = `the oldest message waits for ${seconds(oldestAgeMs)}, its requirement is ${seconds(requirementMs)}`
  }
  const isKnown = readings.queue.length === 0 || readings.queue.some((reading) => reading.oldestAgeMs !== null)
  return { value: isKnown ? worst : null, says, isShare: false }
}

function shareFigure(name: string, value: number | null): Figure {
  return { value, says: `${name} ${value === null ? 'unknown' : percent(value)}`, isShare: true }
}

function boundWords(condition: Condition, isShare: boolean): string {
  if (!isShare) return ''
  if ('above' in condition) return `, the limit is ${percent(condition.above)}`
  return 'below' in condition ? `, the least is ${percent(condition.below)}` : ''
}

function percent(value: number): string {
  return `${Math.round(value * 1_000) / 10} %`
}

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 100) / 10} s`
}
