/**
 * `/health/status`: how the system is, for a person who opens it in a browser at night. What is wrong comes first, every
 * level is a word and a colour, every figure stands beside what it should be.
 *
 * The page is one document without a script; its only style is its own, named by its hash in the policy that it is sent
 * with. It loads itself again every few seconds.
 */
import { createHash } from 'node:crypto'
import type { ComponentView } from '../health/component-view.ts'
import { rankOf, type HealthLevel } from '../health/health-level.ts'
import { keyMetrics, type KeyMetric } from '../metrics/key-metrics.ts'
import { latencyByOperation, slaAttainment } from '../metrics/readings.ts'
import type { Tally } from '../metrics/tally.ts'
import { keptForMs } from '../metrics/time-slots.ts'
import type { JsonObject } from '../operation/converse.ts'
import { operationTypes } from '../operation/matrix.ts'
import { pageHeaders } from './answer-headers.ts'
import { keyMetricFacts } from './health-view.ts'
import { escapeHtml } from './html-page.ts'
import type { Monitoring } from './monitoring.ts'

export interface HealthPageFrame {
  readonly status: HealthLevel
  readonly timestamp: string
  /** Seconds. */
  readonly uptime: number
  readonly version: string
}

/** s. Short enough to watch a recovery, long enough to read a line. */
const refreshSeconds = 10

const styles = `
:root{color-scheme:light dark;--good:#1a7f37;--warn:#9a6700;--bad:#bc4c00;--worst:#cf222e;--none:#6e7781}
@media(prefers-color-scheme:dark){:root{--good:#3fb950;--warn:#d29922;--bad:#f0883e;--worst:#f85149;--none:#8b949e}}
body{font:16px/1.5 system-ui,sans-serif;margin:0}
main{max-width:68rem;margin:0 auto;padding:1.5rem}
header{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;align-items:baseline;border-left:.5rem solid var(--none);padding:.25rem 1rem;margin-bottom:1.5rem}
h1{font-size:1.6rem;margin:0}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
small,.dim{opacity:.7}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid color-mix(in srgb,currentColor 18%,transparent)}
th{font-weight:600;font-size:.85rem;opacity:.8}
td.n,th.n{text-align:right;white-space:nowrap}
.tag{display:inline-block;white-space:nowrap;min-width:5.5rem;text-align:center;border-radius:1rem;padding:0 .6rem;font-size:.85rem;font-weight:600;border:1.5px solid var(--none);color:var(--none)}
.healthy,.good{--c:var(--good)}.degraded,.warning,.medium{--c:var(--warn)}.unhealthy,.high{--c:var(--bad)}.critical{--c:var(--worst)}
.tag[class]{border-color:var(--c,var(--none));color:var(--c,var(--none))}
header.healthy,header.degraded,header.unhealthy,header.critical{border-color:var(--c)}
header h1 span{color:var(--c,inherit)}
.off td{opacity:.55}
ul{margin:.25rem 0;padding-left:1.2rem}
.frame{overflow-x:auto}
@media(max-width:45rem){
main{padding:.75rem}
h1{font-size:1.3rem}
table{font-size:.85rem}
th,td{padding:.3rem .35rem}
.tag{min-width:0;padding:0 .4rem;font-size:.75rem}
td small,.rare{display:none}
}
`

const styleHash = createHash('sha256').update(styles).digest('base64')

export const healthPageHeaders: Readonly<Record<string, string>> = {
  ...pageHeaders,
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
}

export function healthPage(frame: HealthPageFrame, monitoring: Monitoring): string {
  const window = monitoring.window(keptForMs, 'all')
  const { status } = frame
  const nowMs = Date.parse(frame.timestamp)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="${refreshSeconds}">
<title>${escapeHtml(status)} · Hybrid Routing</title><style>${styles}</style></head><body><main>
<header class="${status}"><h1>Hybrid Routing is <span>${escapeHtml(status)}</span></h1>
<small>${escapeHtml(frame.timestamp)} · up ${escapeHtml(span(frame.uptime * 1_000))} · version ${escapeHtml(frame.version)} · loads again every ${refreshSeconds} s</small></header>
${alertsSection(monitoring.alerts(), nowMs)}
${overridesSection(monitoring.overrides(), nowMs)}
<h2>Components</h2>
${componentsTable(monitoring.components(), nowMs)}
<h2>Key metrics, last 24 hours</h2>
${keyMetricsTable(keyMetrics(window, keyMetricFacts(monitoring)))}
<h2>Latency by operation, last 24 hours</h2>
${latencyTable(window)}
</main></body></html>
`
}

function tag(level: string): string {
  return `<span class="tag ${level}">${escapeHtml(level)}</span>`
}

function componentsTable(components: readonly ComponentView[], nowMs: number): string {
  const badness = (view: ComponentView): number => (!view.enabled ? -2 : view.status === 'unknown' ? -1 : rankOf(view.status))
  const rows = components
    .toSorted((a, b) => badness(b) - badness(a))
    .map((view) => {
      const parts = view.subjects.length > 1 ? `<ul>${view.subjects.map((part) => `<li>${escapeHtml(part.title)}: ${escapeHtml(part.status)}, ${escapeHtml(part.message)}</li>`).join('')}</ul>` : ''
      const level = view.enabled ? tag(view.status) : '<span class="tag">off</span>'
      return `<tr${view.enabled ? '' : ' class="off"'}><td>${level}</td><td>${escapeHtml(view.name)}<br><small>${escapeHtml(view.what)}</small></td><td>${escapeHtml(view.message)}${parts}</td><td class="n rare">${milliseconds(view.responseTimeMs)}</td><td class="n">${view.enabled ? escapeHtml(span(nowMs - view.sinceMs)) : ''}</td></tr>`
    })
  return table('<th>Status</th><th>Component</th><th>Why</th><th class="n rare">Answers in</th><th class="n">For</th>', rows)
}

function keyMetricsTable(metrics: readonly KeyMetric[]): string {
  const rows = metrics.map((metric) => {
    const { unit, better, value, level } = metric
    const sign = better === 'higher' ? '>' : '<'
    const worse = better === 'higher' ? '<' : '>'
    const cell = (limit: number): string => figure(limit, unit)
    return `<tr><td>${level === 'unknown' ? '<span class="tag">no data</span>' : tag(level)}</td><td>${escapeHtml(metric.title)}</td><td class="n">${value === null ? '' : figure(value, unit)}</td><td class="n">${sign} ${cell(metric.target)}</td><td class="n rare">${worse} ${cell(metric.critical)}</td><td>${level === 'warning' || level === 'critical' ? escapeHtml(metric.action) : ''}</td></tr>`
  })
  return table('<th>Level</th><th>Metric</th><th class="n">Now</th><th class="n">Target</th><th class="n rare">Critical</th><th>What to do</th>', rows)
}

function latencyTable(window: Tally): string {
  const latency = latencyByOperation(window)
  const rows = operationTypes.map((type) => {
    const { p50, p95, p99 } = latency[type]
    const attainment = slaAttainment(window, type)
    return `<tr><td>${type}</td><td class="n">${window.sum('operations', { operation: type })}</td><td class="n rare">${milliseconds(p50)}</td><td class="n">${milliseconds(p95)}</td><td class="n">${milliseconds(p99)}</td><td class="n">${attainment === null ? '' : figure(attainment, 'share')}</td></tr>`
  })
  return table('<th>Operation</th><th class="n">Operations</th><th class="n rare">p50</th><th class="n">p95</th><th class="n">p99</th><th class="n">In time</th>', rows)
}

function alertsSection(alerts: readonly JsonObject[], nowMs: number): string {
  if (alerts.length === 0) return '<p class="dim">No alert is active.</p>'
  const rows = alerts.map((alert) => {
    const by = alert['acknowledgedBy']
    const status = typeof by === 'string' ? `${word(alert['status'])} by ${escapeHtml(by)}` : word(alert['status'])
    return `<tr><td>${tag(plain(alert['severity']))}</td><td>${word(alert['priority'])} ${word(alert['rule'])}<br><small>${word(alert['component'])}</small></td><td>${word(alert['message'])}<br><small>${word(alert['action'])}</small></td><td>${status}</td><td class="n">${escapeHtml(ago(alert['startedAt'], nowMs))}</td></tr>`
  })
  return `<h2>Alerts</h2>${table('<th>Severity</th><th>Alert</th><th>What</th><th>Status</th><th class="n">For</th>', rows)}`
}

function overridesSection(overrides: readonly JsonObject[], nowMs: number): string {
  if (overrides.length === 0) return ''
  const rows = overrides.map((override) => {
    const until = override['until']
    const left = typeof until === 'string' ? `in ${span(Date.parse(until) - nowMs)}` : 'when it is lifted'
    return `<tr><td>${word(override['lever'])}<br><small>${word(override['what'])}: ${word(override['value'])}</small></td><td>${word(override['reason'])}</td><td>${word(override['by'])}${override['automatic'] === true ? '<br><small>automatic</small>' : ''}</td><td class="n">${escapeHtml(ago(override['since'], nowMs))}</td><td class="n">${escapeHtml(left)}</td></tr>`
  })
  return `<h2>Levers in force</h2>${table('<th>Lever</th><th>Why</th><th>By</th><th class="n">For</th><th class="n">Ends</th>', rows)}`
}

/** In a frame that scrolls by itself: on a phone the page stays as wide as the phone. */
function table(head: string, rows: readonly string[]): string {
  return `<div class="frame"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`
}

function ago(since: unknown, nowMs: number): string {
  return typeof since === 'string' ? span(nowMs - Date.parse(since)) : ''
}

/** Something that is ours and one word; anything else is no word at all. */
function plain(value: unknown): string {
  return typeof value === 'string' && /^[a-z]+$/.test(value) ? value : ''
}

function word(value: unknown): string {
  if (value === undefined || value === null) return ''
  return escapeHtml(typeof value === 'string' ? value : JSON.stringify(value))
}

function figure(value: number, unit: 'share' | 'ms'): string {
  return unit === 'share' ? `${(value * 100).toFixed(1).replace(/\.0$/, '')} %` : milliseconds(value)
}

function milliseconds(value: number | null): string {
  if (value === null) return ''
  if (value < 1_000) return `${Math.round(value)} ms`
  const seconds = value / 1_000
  return seconds < 120 ? `${Number(seconds.toFixed(1))} s` : `${Number((seconds / 60).toFixed(1))} min`
}

/** The two largest units. */
function span(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1_000))
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60]
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}
