/**
 * `hybrid-routing health`: how a running service is, as the on-call engineer reads it first: the system in one line, a table
 * of the components with the worst on top, and the key metrics of the last 24 hours beside what they should be. The exit code
 * is 1 when a load balancer would send no work there.
 */
import { createServiceClient } from './service-client.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'

export interface HealthCommandOptions {
  readonly json: boolean
  readonly url: string
}

/** What the tables show; the service says more. */
interface ShownComponent {
  readonly status: string
  readonly message: string
  readonly responseTime: number | null
  readonly since: string
  readonly details: { readonly enabled: boolean }
}

interface ShownHealth {
  readonly status: string
  readonly timestamp: string
  readonly uptime: number
  readonly version: string
  readonly components: Readonly<Record<string, ShownComponent>>
  readonly alerts: readonly unknown[]
  readonly overrides: readonly unknown[]
}

interface ShownMetric {
  readonly title: string
  readonly unit: 'share' | 'ms'
  readonly value: number | null
  readonly level: string
  readonly target: number
  readonly action: string
}

/** The status of a service that is not well; its body says how it is all the same. */
const unavailable = 503
const worstFirst = ['critical', 'unhealthy', 'degraded', 'healthy', 'unknown', 'off']

export async function healthCommand(options: HealthCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const client = createServiceClient(options.url, terminal)
  const health = (await client.getJson('/health/detailed', [unavailable])) as ShownHealth
  if (typeof health.status !== 'string' || typeof health.components !== 'object') throw new CommandFailure(`${options.url} answered, but not as this service does: is the URL right?`)
  const code = health.status === 'healthy' || health.status === 'degraded' ? exitCode.done : exitCode.failed
  if (options.json) {
    terminal.out(`${JSON.stringify(health, null, 2)}\n`)
    return code
  }
  const { keyMetrics } = (await client.getJson('/health/metrics')) as { readonly keyMetrics: readonly ShownMetric[] }
  terminal.out(`${headline(health)}\n\n${componentTable(health)}\n\n${metricTable(keyMetrics)}\n`)
  return code
}

function headline(health: ShownHealth): string {
  const { status, version, alerts, overrides } = health
  const levers = overrides.length === 0 ? '' : `, ${overrides.length} ${overrides.length === 1 ? 'lever' : 'levers'} in force`
  return `${status}: version ${version}, up ${span(health.uptime)}, ${alerts.length === 0 ? 'no' : alerts.length} active ${alerts.length === 1 ? 'alert' : 'alerts'}${levers}`
}

export function componentTable(health: Pick<ShownHealth, 'components' | 'timestamp'>): string {
  const nowMs = Date.parse(health.timestamp)
  const rows = Object.entries(health.components)
    .map(([name, component]) => ({ name, ...component, status: component.details.enabled ? component.status : 'off' }))
    .sort((a, b) => worstFirst.indexOf(a.status) - worstFirst.indexOf(b.status))
    .map(({ name, status, message, responseTime, since }) => [name, status, status === 'off' ? '' : span((nowMs - Date.parse(since)) / 1_000), responseTime === null ? '' : `${Math.round(responseTime)} ms`, message])
  return table(['component', 'status', 'for', 'answers in', 'why'], rows)
}

export function metricTable(metrics: readonly ShownMetric[]): string {
  const rows = metrics.map(({ title, unit, value, level, target, action }) => [
    title,
    value === null ? 'no data' : figure(value, unit),
    figure(target, unit),
    level === 'unknown' ? '' : level,
    level === 'warning' || level === 'critical' ? action : '',
  ])
  return table(['last 24 hours', 'now', 'target', 'level', 'what to do'], rows)
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)))
  return [heads, ...rows].map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n')
}

function figure(value: number, unit: 'share' | 'ms'): string {
  if (unit === 'share') return `${Number((value * 100).toFixed(1))} %`
  return value < 1_000 ? `${Math.round(value)} ms` : `${Number((value / 1_000).toFixed(1))} s`
}

function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole >= 86_400) return `${Math.floor(whole / 86_400)} d ${Math.floor(whole / 3_600) % 24} h`
  if (whole >= 3_600) return `${Math.floor(whole / 3_600)} h ${Math.floor(whole / 60) % 60} min`
  return whole >= 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole} s`
}
