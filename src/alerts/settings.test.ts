import { describe, expect, it, test } from 'vitest'
import { defaultConfig, formatFieldError, resolveConfig } from '../config/resolve-config.ts'
import type { ReceiverEntry } from './adapters/open-notifiers.ts'
import { alertSettings, runbookSettings, type AlertEntries } from './settings.ts'

const direct = { targets: [{ id: 'a', region: 'eu-central-1', modelId: 'anthropic.claude-sonnet-4-6' }] }
const resolve = (alerts: unknown) => resolveConfig({ direct, alerts }, {})
const faultsOf = (alerts: unknown): readonly string[] => {
  const resolved = resolve(alerts)
  return 'errors' in resolved ? resolved.errors.map(formatFieldError) : []
}
const settingsOf = (alerts: unknown) => {
  const resolved = resolve(alerts)
  if ('errors' in resolved) throw new Error(resolved.errors.map(formatFieldError).join('\n'))
  return alertSettings(resolved.config.alerts)
}

it('an empty configuration is the runbook', () => {
  const entries: AlertEntries = defaultConfig().alerts
  expect(alertSettings(entries)).toEqual(runbookSettings)
})

describe('a rule’s members are data', () => {
  test('one is changed and the others stay', () => {
    const rules = settingsOf({ rules: { 'high-error-rate': { condition: { above: 0.1 }, forMs: 60_000, severity: 'high' } } }).rules
    const before = runbookSettings.rules.find((rule) => rule.name === 'high-error-rate')
    expect(rules.find((rule) => rule.name === 'high-error-rate')).toEqual({ ...before, condition: { reading: 'error_rate', above: 0.1 }, forMs: 60_000, priority: 'P1' })
    expect(rules).toHaveLength(runbookSettings.rules.length)
  })
  test('one is switched off, one is added', () => {
    const rules = settingsOf({ rules: { budget: { enabled: false } }, additionalRules: [{ name: 'cache-cold', condition: { reading: 'cache_hit_rate', above: null, below: 0.7 }, component: 'cache-layer', severity: 'low', forMs: 0 }] }).rules
    expect(rules.some((rule) => rule.name === 'budget')).toBe(false)
    expect(rules.at(-1)).toMatchObject({ name: 'cache-cold', priority: 'P3', condition: { reading: 'cache_hit_rate', below: 0.7 }, component: 'cache-layer', role: 'independent' })
  })
  test('the chain and the response times', () => {
    const { escalation } = settingsOf({ escalation: { chain: [{ name: 'me', afterMs: 0 }, { name: 'you', afterMs: 60_000, severities: ['critical'] }], respondWithinMs: { low: 5 } } })
    expect(escalation.chain).toEqual([{ name: 'me', afterMs: 0, priorities: ['P0', 'P1', 'P2', 'P3'] }, { name: 'you', afterMs: 60_000, priorities: ['P0'] }])
    expect(escalation.respondWithinMs).toEqual({ P0: 300_000, P1: 900_000, P2: 3_600_000, P3: 5 })
  })
})

describe('what cannot be is a fault that says what is allowed', () => {
  test.each<{ alerts: unknown; says: string; why: string }>([
    { why: 'a rule that is not known', alerts: { rules: { 'high-eror-rate': {} } }, says: 'alerts.rules.high-eror-rate: is not known here; the nearest known name is high-error-rate' },
    { why: 'a level for a figure', alerts: { rules: { budget: { condition: { atLeast: 'critical' } } } }, says: 'alerts.rules.budget.condition: budget_used needs exactly one of above and below, and no atLeast' },
    { why: 'a figure for a level', alerts: { rules: { 'system-down': { condition: { above: 1 } } } }, says: 'alerts.rules.system-down.condition: system_health needs atLeast, one of healthy, degraded, unhealthy, critical, and neither above nor below' },
    { why: 'a name of the runbook’s', alerts: { additionalRules: [{ name: 'budget' }] }, says: 'alerts.additionalRules[0].name: "budget" is a rule of the runbook; change it in alerts.rules' },
    { why: 'a chain that goes back', alerts: { escalation: { chain: [{ name: 'a', afterMs: 5 }, { name: 'b', afterMs: 4 }] } }, says: 'alerts.escalation.chain[1].afterMs: 4 is below that of the level before it, which is 5' },
    { why: 'a time zone', alerts: { escalation: { businessHours: { timeZone: 'Europe/Nowhere' } } }, says: 'alerts.escalation.businessHours.timeZone: "Europe/Nowhere" is not a time zone that is known here' },
    { why: 'a receiver without its key', alerts: { notify: [{ type: 'pagerduty' }] }, says: 'alerts.notify[0].routingKey: is missing: visible ASCII without spaces' },
  ])('$why', ({ alerts, says }) => {
    expect(faultsOf(alerts)).toEqual([says])
  })
})

test('every type of receiver is configured as it is opened', () => {
  const resolved = resolve({
    notify: [
      { type: 'sns', topicArn: 'arn:aws:sns:eu-central-1:111122223333:pages' },
      { type: 'pagerduty', routingKey: 'R0UT1NG', leastSeverity: 'critical' },
      { type: 'slack', url: 'https://hooks.slack.com/services/T/B/X' },
      { type: 'alertmanager', url: 'http://127.0.0.1:9093' },
      { type: 'webhook', url: 'http://10.0.0.7/hook', secret: 'a-secret' },
      { type: 'log' },
    ],
    heartbeat: { url: 'https://hc.example/ping' },
  })
  if ('errors' in resolved) throw new Error(resolved.errors.map(formatFieldError).join('\n'))
  const entries: readonly ReceiverEntry[] = resolved.config.alerts.notify
  expect(entries.map(({ type, leastSeverity }) => [type, leastSeverity])).toEqual([
    ['sns', 'low'],
    ['pagerduty', 'critical'],
    ['slack', 'low'],
    ['alertmanager', 'low'],
    ['webhook', 'low'],
    ['log', 'low'],
  ])
  expect(resolved.config.alerts.heartbeat).toEqual({ url: 'https://hc.example/ping', intervalMs: 60_000, secret: null })
})
