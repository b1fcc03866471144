/**
 * `hybrid-routing morning-check`: the runbook's five steps with a verdict each, from what the service knows of the last 24
 * hours. `--record` writes the findings into the operations log, which is the fifth step. Exit code 0 when all is well or
 * only worth a look, 1 when something must be done.
 *
 * Source: runbook, "Morning health check": all components healthy, no critical alert, efficiency above 80 %, latency within
 * its requirement; a critical component is the procedure of its own.
 */
import { createServiceClient, type ServiceClient } from './service-client.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'
import { printable } from './text-table.ts'

export interface MorningCheckOptions {
  readonly url: string
  readonly record: boolean
  readonly json: boolean
}

type Verdict = 'ok' | 'look' | 'act'

interface StepResult {
  readonly step: number
  readonly title: string
  readonly verdict: Verdict
  readonly findings: readonly string[]
  readonly actions: readonly string[]
}

interface Component {
  readonly status: string
  readonly message: string
  readonly details?: { readonly enabled?: boolean }
}

interface Detailed {
  readonly status: string
  readonly components: Readonly<Record<string, Component>>
  readonly metrics: { readonly routingEfficiency: number | null; readonly latency: Readonly<Record<string, { readonly p95: number | null }>> }
  readonly overrides: readonly { readonly what: string; readonly value: unknown; readonly by: string; readonly until: string | null }[]
}

interface Alerts {
  readonly data: { readonly alerts: readonly { readonly rule: string; readonly component: string; readonly priority: string; readonly severity: string; readonly status: string; readonly message: string }[] }
}

interface Matrix {
  readonly matrix: Readonly<Record<string, { readonly latencyMs: number }>>
}

/** The four that the runbook names in its fourth step. */
const named = ['hybrid-router', 'direct-bedrock-client', 'mcp-router', 'support-manager'] as const
const efficiencyTarget = 0.8
const efficiencyCritical = 0.7

export async function morningCheckCommand(options: MorningCheckOptions, terminal: Terminal): Promise<ExitCode> {
  const client = createServiceClient(options.url, terminal)
  const detailed = await readDetailed(client)
  const [alerts, matrix] = (await Promise.all([client.getJson('/health/alerts'), client.getJson('/v1/routing/matrix')])) as [Alerts, Matrix]
  const steps = [systemStep(detailed), efficiencyStep(detailed, matrix), alertStep(alerts), componentStep(detailed)]
  const worst = worstOf(steps)
  if (options.record) {
    const entry = (await client.postJson('/admin/operations-log', { title: `Morning check: ${titles[worst]}`, findings: steps.flatMap((step) => step.findings.map((finding) => `${step.title}: ${finding}`)), actions: steps.flatMap((step) => step.actions) })) as { readonly id: string }
    steps.push({ step: 5, title: 'Operations log', verdict: 'ok', findings: [`recorded as ${entry.id}`], actions: [] })
  } else {
    steps.push({ step: 5, title: 'Operations log', verdict: 'ok', findings: ['not recorded; --record writes the findings into the operations log'], actions: [] })
  }
  terminal.out(options.json ? `${JSON.stringify({ verdict: worst, steps }, null, 2)}\n` : stepsText(steps, worst))
  return worst === 'act' ? exitCode.failed : exitCode.done
}

/** The page answers 503 when the system is not well, and its body is what is wanted then most of all. */
async function readDetailed(client: ServiceClient): Promise<Detailed> {
  const value = (await client.getJson('/health/detailed', [503])) as Partial<Detailed>
  if (value.components === undefined || value.metrics === undefined) throw new CommandFailure('the service answered without its components: is the URL right?')
  return value as Detailed
}

function systemStep({ status, components, overrides }: Detailed): StepResult {
  const notWell = Object.entries(components).filter(([, component]) => component.details?.enabled !== false && component.status !== 'healthy')
  const findings = [`the system is ${status}`, ...notWell.map(([name, component]) => `${name} is ${component.status}: ${component.message}`), ...overrides.map(({ what, value, by, until }) => `lever in force: ${what} ${JSON.stringify(value)} by ${by}, until ${until ?? 'it is lifted'}`)]
  const verdict: Verdict = status === 'healthy' ? (notWell.length > 0 || overrides.length > 0 ? 'look' : 'ok') : status === 'degraded' || status === 'unknown' ? 'look' : 'act'
  return { step: 1, title: 'System and components', verdict, findings, actions: verdict === 'act' ? ['Complete system outage: docs/runbook/complete-system-outage.md'] : [] }
}

function efficiencyStep({ metrics }: Detailed, { matrix }: Matrix): StepResult {
  const { routingEfficiency: efficiency } = metrics
  const late = Object.entries(metrics.latency).flatMap(([operation, { p95 }]) => {
    const requirementMs = matrix[operation]?.latencyMs
    return p95 === null || requirementMs === undefined || p95 <= requirementMs ? [] : [`P95 of ${operation} is ${Math.round(p95)} ms; its requirement is ${requirementMs} ms`]
  })
  const share = efficiency === null ? 'nothing could be judged in the last 24 hours' : `${Math.round(efficiency * 1_000) / 10} % of the decisions were right; above ${efficiencyTarget * 100} % is expected`
  const verdict: Verdict = efficiency !== null && efficiency < efficiencyCritical ? 'act' : late.length > 0 || (efficiency !== null && efficiency <= efficiencyTarget) ? 'look' : 'ok'
  return { step: 2, title: 'Efficiency and latency', verdict, findings: [share, ...(late.length === 0 ? ['latency is within its requirements'] : late)], actions: verdict === 'ok' ? [] : ['Efficiency degradation: docs/runbook/efficiency-degradation.md'] }
}

function alertStep({ data }: Alerts): StepResult {
  const findings = data.alerts.map(({ priority, rule, component, status, message }) => `${priority} ${rule} on ${component} is ${status}: ${message}`)
  const isCritical = data.alerts.some(({ severity }) => severity === 'critical')
  return {
    step: 3,
    title: 'Alerts',
    verdict: isCritical ? 'act' : data.alerts.length > 0 ? 'look' : 'ok',
    findings: findings.length === 0 ? ['no alert is active'] : findings,
    actions: data.alerts.some(({ status }) => status === 'firing') ? ['Acknowledge what fires: hybrid-routing admin acknowledge ID'] : [],
  }
}

function componentStep({ components }: Detailed): StepResult {
  const views = named.map((name) => [name, components[name]] as const)
  const findings = views.map(([name, component]) => (component === undefined ? `${name} does not exist in this version` : component.details?.enabled === false ? `${name} is switched off` : `${name} is ${component.status}`))
  const levels = views.flatMap(([, component]) => (component === undefined || component.details?.enabled === false ? [] : [component.status]))
  const verdict: Verdict = levels.some((level) => level === 'critical' || level === 'unhealthy') ? 'act' : levels.every((level) => level === 'healthy') ? 'ok' : 'look'
  return { step: 4, title: 'Named components', verdict, findings, actions: verdict === 'act' ? ['Critical component failure: docs/runbook/critical-component-failure.md'] : [] }
}

function worstOf(steps: readonly StepResult[]): Verdict {
  if (steps.some(({ verdict }) => verdict === 'act')) return 'act'
  return steps.some(({ verdict }) => verdict === 'look') ? 'look' : 'ok'
}

const titles: Readonly<Record<Verdict, string>> = { ok: 'all is well', look: 'worth a look', act: 'something must be done' }

function stepsText(steps: readonly StepResult[], worst: Verdict): string {
  const lines = steps.flatMap(({ step, title, verdict, findings, actions }) => [`${step}. ${verdict.toUpperCase().padEnd(4)}  ${title}`, ...findings.map((finding) => `     ${finding}`), ...actions.map((action) => `     -> ${action}`)])
  return `${lines.map(printable).join('\n')}\n\nVerdict: ${titles[worst]}.\n`
}
