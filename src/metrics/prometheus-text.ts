/**
 * The Prometheus text exposition format, version 0.0.4 (prometheus.io, "Exposition formats"), of the totals since the start
 * of the process. Names follow Prometheus' conventions: a prefix, base units (seconds), `_total` for counters.
 */
import type { Labels } from './series-keys.ts'
import type { Tally } from './tally.ts'

export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

export interface Gauge {
  readonly name: string
  readonly help: string
  readonly samples: readonly { readonly labels: Labels; readonly value: number }[]
}

/** What a series of the tally is called outside, and what it means. */
const counterFamilies: Readonly<Record<string, { readonly name: string; readonly help: string }>> = {
  operations: { name: 'hybrid_routing_operations_total', help: 'Operations that ended, by type, route and status.' },
  operation_flags: { name: 'hybrid_routing_operation_flags_total', help: 'Operations that met their requirement, used a fallback or were hedged.' },
  attempts: { name: 'hybrid_routing_attempts_total', help: 'Attempts that ended, by route, target and outcome.' },
  attempt_faults: { name: 'hybrid_routing_attempt_faults_total', help: 'Faults of attempts, by route, target and kind.' },
  refusals: { name: 'hybrid_routing_refusals_total', help: 'Requests refused before an attempt, by code.' },
  tokens: { name: 'hybrid_routing_tokens_total', help: 'Tokens of the answers delivered, by route and direction.' },
  cost: { name: 'hybrid_routing_estimated_cost_total', help: 'Estimated cost in the price table’s currency, by operation.' },
  operation_problems: { name: 'hybrid_routing_operation_problems_total', help: 'Operations that ended without an answer, by type and problem code.' },
  judgements: { name: 'hybrid_routing_judged_decisions_total', help: 'Decisions judged by hindsight, by verdict.' },
  breaker_changes: { name: 'hybrid_routing_breaker_changes_total', help: 'Breakers that opened or closed, by route and target.' },
  health_checks: { name: 'hybrid_routing_health_checks_total', help: 'Health checks, by component and outcome.' },
  health_changes: { name: 'hybrid_routing_health_changes_total', help: 'Changes of a component’s health, by the level that was reached.' },
  alerts: { name: 'hybrid_routing_alerts_total', help: 'Transitions of alerts, by severity.' },
  notifications: { name: 'hybrid_routing_notifications_total', help: 'Notifications that could not be delivered, by notifier.' },
  reloads: { name: 'hybrid_routing_configuration_reloads_total', help: 'Reloads of the configuration, by outcome.' },
  login_failures: { name: 'hybrid_routing_login_failures_total', help: 'Requests without valid credentials.' },
  overflow: { name: 'hybrid_routing_uncounted_series_total', help: 'What fell into no series, because there were too many.' },
  decisions: { name: 'hybrid_routing_decisions_total', help: 'Routing decisions, by route and reason.' },
}

const histogramFamilies: Readonly<Record<string, { readonly name: string; readonly help: string }>> = {
  operation_latency: { name: 'hybrid_routing_operation_latency_seconds', help: 'From arrival until what the operation is judged by.' },
  alert_response: { name: 'hybrid_routing_alert_response_seconds', help: 'From an alert’s raising to its acknowledgement, by severity.' },
  first_token: { name: 'hybrid_routing_time_to_first_token_seconds', help: 'From arrival until the first content.' },
}

/** Upper bounds in ms: powers of two are borders of the histogram's own buckets, so that every count is exact. */
const boundsMs = Array.from({ length: 18 }, (_, index) => 2 ** index)

export function prometheusText(totals: Tally, gauges: readonly Gauge[]): string {
  const lines: string[] = []
  const counters = [...totals.counters()]
  for (const [series, family] of Object.entries(counterFamilies)) {
    const samples = counters.filter((counter) => counter.name === series)
    if (samples.length === 0) continue
    lines.push(`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} counter`)
    for (const sample of samples) lines.push(`${family.name}${labelText(sample.labels)} ${number(sample.value)}`)
  }
  const distributions = [...totals.distributions()]
  for (const [series, family] of Object.entries(histogramFamilies)) {
    const samples = distributions.filter((distribution) => distribution.name === series)
    if (samples.length === 0) continue
    lines.push(`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} histogram`)
    for (const { labels, histogram } of samples) {
      for (const boundMs of boundsMs) lines.push(`${family.name}_bucket${labelText({ ...labels, le: number(boundMs / 1_000) })} ${histogram.countUpTo(boundMs)}`)
      lines.push(`${family.name}_bucket${labelText({ ...labels, le: '+Inf' })} ${histogram.count}`)
      lines.push(`${family.name}_sum${labelText(labels)} ${number(histogram.sum / 1_000)}`)
      lines.push(`${family.name}_count${labelText(labels)} ${histogram.count}`)
    }
  }
  for (const gauge of gauges) {
    if (gauge.samples.length === 0) continue
    lines.push(`# HELP ${gauge.name} ${gauge.help}`, `# TYPE ${gauge.name} gauge`)
    for (const sample of gauge.samples) lines.push(`${gauge.name}${labelText(sample.labels)} ${number(sample.value)}`)
  }
  return `${lines.join('\n')}\n`
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
