import { describe, expect, it, test } from 'vitest'
import type { AlertReadings } from './readings.ts'
import { allCausesAbove, explains, type Concerned } from './root-cause.ts'
import type { AlertRule } from './rules.ts'
import { runbookRules } from './rules.ts'
import { calm, openLab, withLevel } from './testing/alert-lab.ts'

const minute = 60_000
const tick = 5_000

/** Independent components, each with an alert that fires at once. */
const each = (count: number, level: 'critical' | 'healthy', from = 0): AlertReadings => ({
  ...calm,
  components: Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`part-${index}`, { level: index >= from && index < from + count ? level : ('healthy' as const), message: null }])),
})
const atOnce: AlertRule = { name: 'part-critical', priority: 'P1', condition: { reading: 'component_health', atLeast: 'critical' }, forMs: 0, clearMs: 60_000, silenceClearsMs: null, component: null, role: 'component', action: '', prefer: null, runbook: '' }
const openStormLab = (extra: readonly AlertRule[] = []) => openLab({ settings: { rules: [atOnce, ...extra] }, readings: each(0, 'critical') })

describe('an alert storm', () => {
  test('ten alerts in five minutes are ten notifications, because more than ten are a storm', async () => {
    const lab = await openStormLab()
    lab.set(each(10, 'critical'))
    await lab.pass(tick)
    expect(lab.pager.received.map((notification) => notification.storm)).toEqual(Array.from({ length: 10 }, () => null))
  })

  test('eleven at one tick are one notification that lists them by component and root cause', async () => {
    const lab = await openStormLab()
    lab.set(each(11, 'critical'))
    await lab.pass(tick)
    expect(lab.pages()).toEqual(['firing [P1] alert storm: 11 alerts on 11 components'])
    expect(lab.pager.received[0]?.alerts).toHaveLength(11)
    expect(lab.pager.received[0]?.storm).toHaveLength(11)
    expect(lab.pager.received[0]?.storm?.[0]).toEqual({ component: 'part-0', rootCause: 'part-critical/part-0', rules: ['part-critical'], alerts: 1 })
    expect(lab.active()).toHaveLength(11)
  })

  test('further ones update it at most once a minute, and its end is told once, when all are over', async () => {
    const lab = await openStormLab()
    for (let count = 11; count <= 30; count += 1) {
      lab.set(each(count, 'critical'))
      await lab.pass(tick)
    }
    expect(lab.pages()).toEqual(['firing [P1] alert storm: 11 alerts on 11 components', 'updated [P1] alert storm: 23 alerts on 23 components'])
    lab.set(each(30, 'healthy'))
    await lab.pass(10 * minute)
    expect(lab.active()).toEqual([])
    expect(lab.pages().slice(2)).toEqual(['updated [P1] alert storm: 30 alerts on 30 components', 'resolved the alert storm is over: 30 alerts resolved'])
    expect(new Set(lab.pager.received.map((notification) => notification.dedupKey)).size).toBe(1)
  })

  test('a P0 in a storm of P1 is told at once', async () => {
    const p0: AlertRule = { ...atOnce, name: 'down', priority: 'P0', condition: { reading: 'system_health', atLeast: 'critical' }, component: 'hybrid-router', role: 'headline' }
    const lab = await openStormLab([p0])
    lab.set(each(11, 'critical'))
    await lab.pass(tick)
    lab.set({ ...each(11, 'critical'), systemHealth: 'critical' })
    await lab.pass(tick)
    expect(lab.pages()).toEqual(['firing [P1] alert storm: 11 alerts on 11 components', 'updated [P0] alert storm: 12 alerts on 12 components'])
    expect(lab.pager.received[1]?.priority).toBe('P0')
  })

  test('it escalates as one', async () => {
    const lab = await openStormLab()
    lab.set(each(20, 'critical'))
    await lab.pass(20 * minute)
    expect(lab.pager.received.filter((notification) => notification.event === 'escalated')).toMatchObject([{ to: 'AI operations lead', title: 'not acknowledged, now AI operations lead: 20 alerts' }])
  })

  test('it is acknowledged when the last of it is, and bulk actions take all at once', async () => {
    const lab = await openStormLab()
    lab.set(each(12, 'critical'))
    await lab.pass(tick)
    const first = lab.manager.list()[0]?.id ?? ''
    await lab.manager.acknowledge(first, 'anna')
    await lab.pass(tick)
    expect(lab.pages()).toHaveLength(1)
    const outcome = await lab.manager.bulkAcknowledge({}, 'anna')
    expect(outcome.changed).toHaveLength(11)
    expect(outcome.notApplied).toEqual([{ what: first, why: 'it is acknowledged already, by anna' }])
    await lab.pass(tick)
    expect(lab.pages().slice(1).map((page) => page.split(' ')[0])).toEqual(['acknowledged'])
  })

  test('a flood is bounded: what is kept, what is listed, and how often it is told', async () => {
    const flood = (level: 'critical' | 'healthy'): AlertReadings => ({ ...calm, components: Object.fromEntries(Array.from({ length: 800 }, (_, index) => [`part-${index}`, { level, message: 'x'.repeat(5_000) }])) })
    const lab = await openStormLab()
    lab.set(flood('critical'))
    await lab.pass(30_000)
    expect(lab.active()).toHaveLength(500)
    expect(lab.manager.health().beyondLimit).toBe(300)
    expect(lab.pager.received).toHaveLength(1)
    expect(lab.pager.received[0]).toMatchObject({ more: 450, title: '[P1] alert storm: 500 alerts on 500 components' })
    expect(lab.pager.received[0]?.alerts).toHaveLength(50)
    expect(Math.max(...lab.manager.list().map((alert) => alert.message.length))).toBe(500)
    lab.set(flood('healthy'))
    await lab.pass(10 * minute)
    expect(lab.active()).toEqual([])
    expect(lab.manager.list({ statuses: ['resolved'] })).toHaveLength(200)
  })

  test('alerts after the storm are told one by one again', async () => {
    const lab = await openStormLab()
    lab.set(each(11, 'critical'))
    await lab.pass(tick)
    lab.set(each(11, 'healthy'))
    await lab.pass(7 * minute)
    lab.set(each(1, 'critical', 35))
    await lab.pass(tick)
    expect(lab.pages().at(-1)).toBe('firing [P1] part-critical on part-35: part-35 is critical.')
  })
})

describe('what explains what', () => {
  const of = (rule: string, component: string): Concerned => {
    const found = runbookRules.find((each) => each.name === rule)
    if (found === undefined) throw new Error(`no rule ${rule}`)
    return { rule, component, priority: found.priority, role: found.role }
  }
  test.each([
    { cause: of('direct-bedrock-unavailable', 'direct-bedrock-client'), alert: of('high-error-rate', 'hybrid-router'), is: true, why: 'errors follow from a path that is down, and somebody is paged already' },
    { cause: of('direct-bedrock-unavailable', 'direct-bedrock-client'), alert: of('component-degraded', 'direct-bedrock-client'), is: true, why: 'the same component, said better' },
    { cause: of('direct-bedrock-unavailable', 'direct-bedrock-client'), alert: of('component-degraded', 'infrastructure-auditor'), is: true, why: 'over support manager and router' },
    { cause: of('mcp-router-failure', 'mcp-router'), alert: of('queue-backlog', 'message-queue'), is: true, why: 'nobody takes from the queue' },
    { cause: of('mcp-router-failure', 'mcp-router'), alert: of('high-error-rate', 'hybrid-router'), is: false, why: 'a P1 never hides a P0' },
    { cause: of('mcp-router-failure', 'mcp-router'), alert: of('direct-bedrock-unavailable', 'direct-bedrock-client'), is: false, why: 'one path is not the cause of the other' },
    { cause: of('component-degraded', 'mcp-router'), alert: of('mcp-router-failure', 'mcp-router'), is: false, why: 'it got worse: that is news' },
    { cause: of('system-down', 'hybrid-router'), alert: of('high-error-rate', 'hybrid-router'), is: true, why: 'that operations fail is no news when the system is down' },
    { cause: of('system-down', 'hybrid-router'), alert: of('mcp-router-failure', 'mcp-router'), is: false, why: 'a headline does not hide what may be its cause' },
    { cause: of('notifier-failing', 'alert-manager'), alert: of('component-degraded', 'alert-manager'), is: true, why: 'the same, said better' },
    { cause: of('direct-bedrock-unavailable', 'direct-bedrock-client'), alert: of('system-down', 'hybrid-router'), is: false, why: 'that the system is down is never hidden' },
    { cause: of('direct-bedrock-unavailable', 'direct-bedrock-client'), alert: of('budget', 'direct-bedrock-client'), is: false, why: 'money has its own causes' },
    { cause: of('budget-critical', 'direct-bedrock-client'), alert: of('budget', 'direct-bedrock-client'), is: true, why: 'the same figure, more urgent' },
    { cause: of('fallback-rate', 'hybrid-router'), alert: of('component-degraded', 'support-manager'), is: false, why: 'a symptom is no cause' },
    { cause: of('component-degraded', 'log-aggregator'), alert: of('fallback-rate', 'hybrid-router'), is: false, why: 'nothing depends on the log' },
  ])('$cause.rule on $cause.component, then $alert.rule on $alert.component: $is ($why)', ({ cause, alert, is }) => {
    expect(explains(cause, alert)).toBe(is)
  })
  test('a component is never above itself, although queue and MCP router are above each other', () => {
    expect([...allCausesAbove('message-queue')]).toEqual(['mcp-router'])
    expect(allCausesAbove('support-manager').has('message-queue')).toBe(true)
  })
})

describe('one incident', () => {
  const bedrockOutage: AlertReadings = {
    ...withLevel(withLevel(withLevel(calm, 'direct-bedrock-client', 'critical', 'no target answers'), 'hybrid-router', 'degraded'), 'circuit-breaker', 'degraded'),
    systemHealth: 'critical',
    errorRate: 0.12,
    fallbackRate: 0.6,
    routingEfficiency: 0.5,
    latency: [{ operation: 'emergency', route: 'direct', p95Ms: 30_000, targetMs: 5_000 }],
  }

  it('a Bedrock outage is one page: the headline, then its cause as an update; what follows from it is held back', async () => {
    const lab = await openLab({ readings: bedrockOutage })
    await lab.pass(4 * minute)
    expect(lab.pages()).toEqual([
      'firing [P0] system-down on hybrid-router: the system is critical; critical: direct-bedrock-client.',
      'updated [P0] direct-bedrock-unavailable on direct-bedrock-client: direct-bedrock-client is critical: no target answers.',
    ])
    const incident = lab.manager.list().find((alert) => alert.rule === 'system-down')
    await lab.manager.acknowledge(incident?.id ?? '', 'anna')
    expect(lab.manager.list().map((alert) => alert.status)).toEqual(['acknowledged', 'acknowledged'])
    await lab.pass(30 * minute)
    expect(lab.active()).toEqual(['direct-bedrock-unavailable', 'system-down'])
    expect(new Set(lab.pager.received.map((notification) => notification.dedupKey)).size).toBe(1)
    expect(lab.manager.list().find((alert) => alert.rule === 'direct-bedrock-unavailable')?.holdsBack).toContain('high-error-rate/hybrid-router')

    // It is mended: the figures of the last minutes are bad for a while, which is no news.
    lab.set({ ...calm, errorRate: 0.12, fallbackRate: 0.6, routingEfficiency: 0.5 })
    await lab.pass(4 * minute)
    lab.set(calm)
    await lab.pass(10 * minute)
    expect(lab.active()).toEqual([])
    expect(lab.pager.received.map((notification) => notification.event)).toEqual(['firing', 'updated', 'acknowledged', 'resolved'])
  })

  it('the incident goes up the chain once, not once for each of its alerts', async () => {
    const lab = await openLab({ readings: bedrockOutage })
    await lab.pass(100 * minute)
    expect(lab.pager.received.filter((notification) => notification.event === 'escalated').map((notification) => notification.to)).toEqual(['AI operations lead', 'DevOps lead', 'CTO'])
  })

  it('a symptom that outlives its cause and the aftermath is raised then', async () => {
    const lab = await openLab({ readings: bedrockOutage })
    await lab.pass(20 * minute)
    lab.set({ ...calm, errorRate: 0.12 })
    await lab.pass(5 * minute)
    expect(lab.active()).toEqual([])
    await lab.pass(2 * minute)
    expect(lab.active()).toEqual(['high-error-rate'])
  })

  it('an MCP outage pages once, and holds the queue’s backlog back', async () => {
    const lab = await openLab({ readings: { ...withLevel(withLevel(calm, 'mcp-router', 'critical'), 'message-queue', 'degraded'), queue: [{ oldestAgeMs: 29_000, requirementMs: 30_000 }] } })
    await lab.pass(14 * minute)
    expect(lab.pages()).toEqual(['firing [P1] mcp-router-failure on mcp-router: mcp-router is critical.'])
  })
})
