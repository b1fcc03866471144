/**
 * The Prometheus text exposition format, version 0.0.4 (prometheus.io, "Exposition formats"), of the totals since the start
 * of the process. Names follow Prometheus' conventions: a prefix, base units (seconds), `_total` for counters.
 */
import type { Labels, Tally } from './tally.ts'

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
  decisions: { name: 'hybrid_routing_decisions_total', help: 'Routing decisions, by route and reason.' },
}

const histogramFamilies: Readonly<Record<string, { readonly name: string; readonly help: string }>> = {
  operation_latency: { name: 'hybrid_routing_operation_latency_seconds', help: 'From arrival until what the operation is judged by.' },
  first_token: { name: 'hybrid_routing_time_to_first_token_seconds', help: 'From arrival until the first content.' },
}

/** Upper bounds in seconds: around the requirements of the matrix, and finer below. */
const bounds = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120]

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
      for (const bound of bounds) lines.push(`${family.name}_bucket${labelText({ ...labels, le: number(bound) })} ${histogram.countUpTo(bound * 1_000)}`)
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
