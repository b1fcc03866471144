import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, test } from 'vitest'
import { createMemoryNotifier } from './adapters/memory-notifier.ts'
import { runbookRules } from './rules.ts'
import type { AlertReadings } from './readings.ts'
import { calm, openLab, withLevel } from './testing/alert-lab.ts'

const minute = 60_000
const tick = 5_000

interface RuleSheet {
  readonly rule: string
  readonly component: string
  readonly priority: string
  readonly forMs: number
  /** Just beyond the runbook's bound. */
  readonly fault: AlertReadings
  /** Just at it. */
  readonly notYet: AlertReadings
  readonly why: string
}

const slow = (route: 'direct' | 'mcp', p95Ms: number, targetMs: number): AlertReadings => ({ ...calm, latency: [...calm.latency, { operation: 'infrastructure', route, p95Ms, targetMs }] })

const sheet: readonly RuleSheet[] = [
  { rule: 'system-down', component: 'hybrid-router', priority: 'P0', forMs: 2 * minute, fault: { ...calm, systemHealth: 'critical' }, notYet: { ...calm, systemHealth: 'unhealthy' }, why: 'system health critical for > 2 min' },
  { rule: 'high-error-rate', component: 'hybrid-router', priority: 'P0', forMs: 5 * minute, fault: { ...calm, errorRate: 0.0501 }, notYet: { ...calm, errorRate: 0.05 }, why: 'error rate > 5 % for > 5 min' },
  { rule: 'direct-bedrock-unavailable', component: 'direct-bedrock-client', priority: 'P0', forMs: 3 * minute, fault: withLevel(calm, 'direct-bedrock-client', 'critical'), notYet: withLevel(calm, 'message-queue', 'healthy'), why: 'direct client critical for > 3 min' },
  { rule: 'degraded-performance', component: 'direct-bedrock-client', priority: 'P1', forMs: 10 * minute, fault: slow('direct', 20_001, 10_000), notYet: slow('direct', 20_000, 10_000), why: 'P95 above 2x its target for > 10 min, on the direct route' },
  { rule: 'degraded-performance', component: 'mcp-router', priority: 'P1', forMs: 10 * minute, fault: slow('mcp', 60_001, 30_000), notYet: slow('mcp', 60_000, 30_000), why: 'the same on the MCP route' },
  { rule: 'low-routing-efficiency', component: 'hybrid-router', priority: 'P1', forMs: 15 * minute, fault: { ...calm, routingEfficiency: 0.699 }, notYet: { ...calm, routingEfficiency: 0.7 }, why: '< 70 % for > 15 min' },
  { rule: 'component-degraded', component: 'log-aggregator', priority: 'P1', forMs: 10 * minute, fault: withLevel(calm, 'log-aggregator', 'degraded'), notYet: withLevel(calm, 'log-aggregator', 'healthy'), why: 'any component degraded for > 10 min' },
  { rule: 'component-degraded', component: 'metrics-publisher', priority: 'P1', forMs: 10 * minute, fault: withLevel(calm, 'metrics-publisher', 'critical'), notYet: withLevel(calm, 'metrics-publisher', 'unknown'), why: 'worse than degraded is degraded too; unknown is not' },
  { rule: 'mcp-router-failure', component: 'mcp-router', priority: 'P1', forMs: 0, fault: withLevel(calm, 'mcp-router', 'critical'), notYet: withLevel(calm, 'mcp-router', 'unhealthy'), why: 'MCP router critical, at once' },
  { rule: 'fallback-rate', component: 'hybrid-router', priority: 'P2', forMs: 15 * minute, fault: { ...calm, fallbackRate: 0.201 }, notYet: { ...calm, fallbackRate: 0.2 }, why: '> 20 % for > 15 min' },
  { rule: 'queue-backlog', component: 'message-queue', priority: 'P2', forMs: 5 * minute, fault: { ...calm, queue: [{ oldestAgeMs: 15_001, requirementMs: 30_000 }] }, notYet: { ...calm, queue: [{ oldestAgeMs: 15_000, requirementMs: 30_000 }] }, why: 'oldest message older than half its requirement for > 5 min' },
  { rule: 'budget', component: 'direct-bedrock-client', priority: 'P2', forMs: 0, fault: { ...calm, budgetUsed: 0.801 }, notYet: { ...calm, budgetUsed: 0.8 }, why: '> 80 %' },
  { rule: 'budget-critical', component: 'direct-bedrock-client', priority: 'P0', forMs: 0, fault: { ...calm, budgetUsed: 0.951 }, notYet: calm, why: 'P0 at > 95 %; the P2 alert would say the same and is held back' },
  { rule: 'configuration-rejected', component: 'hybrid-router', priority: 'P3', forMs: 0, fault: { ...calm, configurationRejected: true }, notYet: calm, why: 'a bad reload keeps the old configuration and alerts' },
]

it('the sheet has every rule of the table, and the receivers’ own rule has its test', () => {
  const ruled = new Set([...sheet.map(({ rule }) => rule), 'notifier-failing'])
  expect(runbookRules.map((rule) => rule.name).filter((name) => !ruled.has(name))).toEqual([])
})

it.each(['No connection', 'No connection.'])('what a component says of itself ends with one full stop in the alert: %s', async (message) => {
  const lab = await openLab()
  lab.set({ ...calm, components: { ...calm.components, 'mcp-router': { level: 'critical', message } } })
  await lab.pass(2 * tick)
  expect(lab.manager.list()[0]?.message).toBe('mcp-router is critical: No connection.')
})

it('every rule says what to do and names a page that is there', () => {
  const docs = fileURLToPath(new URL('../../docs/', import.meta.url))
  expect(runbookRules.filter((rule) => rule.action === '' || !existsSync(`${docs}${rule.runbook}`)).map((rule) => rule.name)).toEqual([])
})

describe.each(sheet)('$rule on $component: $why', ({ rule, component, priority, forMs, fault, notYet }) => {
  test('fires once, when its time has passed and within one tick, and is told once', async () => {
    const lab = await openLab()
    await lab.pass(2_000)
    lab.set(fault)
    // The fault comes 2 s after a tick: the next tick sees it first, and its time runs from there.
    await lab.pass(3_000 + forMs - 1)
    expect(lab.active().filter((name) => name === rule)).toEqual([])
    await lab.pass(1)
    expect(lab.clock.monotonicMs() - 2_000).toBeLessThanOrEqual(forMs + tick)
    expect(lab.active()).toEqual([rule])
    expect(lab.manager.list()[0]).toMatchObject({ rule, component, priority, status: 'firing', resolvedAt: null, acknowledgedAt: null })
    await lab.pass(4 * minute)
    expect(lab.pager.received.filter((notification) => notification.event === 'firing')).toHaveLength(1)
    expect(lab.events.filter((event) => event.type === 'alert_raised')).toHaveLength(1)
  })

  test('does not fire at the bound itself', async () => {
    const lab = await openLab({ readings: notYet })
    await lab.pass(forMs + 5 * minute)
    expect(lab.active()).toEqual([])
    expect(lab.pager.received).toEqual([])
  })

  test('does not fire for a fault that ends before its time', async () => {
    const lab = await openLab()
    lab.set(fault)
    await lab.pass(Math.max(0, forMs - tick))
    lab.set(calm)
    await lab.pass(20 * minute)
    expect(lab.pager.received).toEqual([])
  })

  test('resolves by itself after its clearing time, and not while it flickers', async () => {
    const clearMs = runbookRules.find((each) => each.name === rule)?.clearMs ?? 0
    const lab = await openLab({ readings: fault })
    await lab.pass(forMs + tick)
    expect(lab.active()).toEqual([rule])
    if (clearMs > 0) {
      for (let flicker = 0; flicker < 4; flicker += 1) {
        lab.set(calm)
        await lab.pass(clearMs - tick)
        lab.set(fault)
        await lab.pass(tick)
      }
      expect(lab.active()).toEqual([rule])
      expect(lab.pager.received).toHaveLength(lab.pager.received.filter((notification) => notification.event !== 'resolved').length)
    }
    lab.set(calm)
    await lab.pass(clearMs + tick)
    expect(lab.active()).toEqual([])
    expect(lab.pager.received.at(-1)).toMatchObject({ event: 'resolved', alerts: [{ rule, status: 'resolved' }] })
    expect(lab.manager.list({ statuses: ['resolved'] })[0]).toMatchObject({ rule, resolvedReason: 'recovered', resolvedBy: 'alert-manager' })
  })

  test('an unknown figure neither raises it nor ends it for a while', async () => {
    const unknown: AlertReadings = { ...calm, systemHealth: null, errorRate: null, routingEfficiency: null, fallbackRate: null, budgetUsed: null, configurationRejected: null, queue: null, latency: fault.latency.map((each) => ({ ...each, p95Ms: null })), components: Object.fromEntries(Object.keys(calm.components).map((name) => [name, { level: 'unknown' as const, message: null }])) }
    const lab = await openLab({ readings: unknown })
    await lab.pass(20 * minute)
    expect(lab.pager.received).toEqual([])
    lab.set(fault)
    await lab.pass(forMs + tick)
    lab.set(unknown)
    await lab.pass(5 * minute)
    expect(lab.active()).toEqual([rule])
  })
})

test('a rate that stays unknown for 15 minutes is over, health that is unknown is not', async () => {
  const lab = await openLab({ readings: { ...withLevel(calm, 'mcp-router', 'critical'), errorRate: 0.2 } })
  await lab.pass(6 * minute)
  expect(lab.active()).toEqual(['high-error-rate', 'mcp-router-failure'])
  lab.set({ ...withLevel(calm, 'mcp-router', 'unknown'), errorRate: null })
  await lab.pass(16 * minute)
  expect(lab.active()).toEqual(['mcp-router-failure'])
  expect(lab.manager.list({ statuses: ['resolved'] })).toMatchObject([{ rule: 'high-error-rate', resolvedReason: 'no_data' }])
})

test('a source that throws is unknown, not well', async () => {
  const lab = await openLab({ readings: { ...calm, systemHealth: 'critical' } })
  await lab.pass(3 * minute)
  lab.set(() => {
    throw new Error('the health checker is gone')
  })
  await lab.pass(30 * minute)
  expect(lab.active()).toEqual(['system-down'])
})

test.each([
  { failedOperations: 2, fires: [], why: 'two failures on a quiet night are all that there is of an error rate' },
  { failedOperations: 3, fires: ['high-error-rate'], why: 'three are no chance' },
])('an error rate of $failedOperations failed operations: $why', async ({ failedOperations, fires }) => {
  const lab = await openLab({ readings: { ...calm, errorRate: 1, failedOperations } })
  await lab.pass(10 * minute)
  expect(lab.active()).toEqual(fires)
})

test('a component that is switched off takes its alert with it', async () => {
  const lab = await openLab({ readings: withLevel(calm, 'log-aggregator', 'degraded') })
  await lab.pass(11 * minute)
  expect(lab.active()).toEqual(['component-degraded'])
  const { 'log-aggregator': _, ...rest } = calm.components
  lab.set({ ...calm, components: rest })
  await lab.pass(6 * minute)
  expect(lab.active()).toEqual([])
})

test('a calm day raises nothing and tells nobody', async () => {
  const lab = await openLab()
  let second = 0
  // Figures that move as they do on a good day: up to their targets, never for long beyond.
  lab.set(() => {
    second += 5
    const wave = Math.sin(second / 700)
    return { ...calm, errorRate: 0.005 + 0.004 * wave, routingEfficiency: 0.9 + 0.08 * wave, fallbackRate: 0.05 + 0.04 * wave, budgetUsed: second / 86_400 / 3, ...(second % 3_600 === 0 ? { errorRate: 0.3, fallbackRate: 0.5 } : {}) }
  })
  await lab.pass(24 * 60 * minute)
  expect(second).toBeGreaterThanOrEqual(86_400)
  expect(lab.pager.received).toEqual([])
  expect(lab.events).toEqual([])
}, 60_000)

test('a receiver that cannot be notified is an alert through the others, and its mending resolves it', async () => {
  const broken = createMemoryNotifier('sns-1')
  broken.answerWith(() => ({ kind: 'failed', retryable: false, retryAfterMs: null, reason: 'HTTP 403' }))
  const lab = await openLab({ notifiers: [broken], readings: { ...calm, budgetUsed: 0.9 } })
  await lab.pass(2 * tick)
  expect(lab.active()).toEqual(['budget', 'notifier-failing'])
  expect(lab.pages()).toEqual([
    'firing [P2] budget on direct-bedrock-client: budget used 90 %, the limit is 80 %.',
    'firing [P1] notifier-failing on alert-manager: receivers that cannot be notified: sns-1.',
  ])
  expect(lab.events.filter((event) => event.type === 'notification_failed')).toMatchObject([{ notifier: 'sns-1', reason: 'HTTP 403' }])
  broken.answerWith(() => ({ kind: 'delivered' }))
  expect(await lab.manager.test('critical', 'anna')).toEqual([
    { notifier: 'pager', delivered: true, reason: null },
    { notifier: 'sns-1', delivered: true, reason: null },
  ])
  await lab.pass(2 * minute)
  expect(lab.active()).toEqual(['budget'])
  expect(broken.received.some((notification) => notification.event === 'firing' && notification.alerts.some((alert) => alert.rule === 'notifier-failing'))).toBe(false)
})
