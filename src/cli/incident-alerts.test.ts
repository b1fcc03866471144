/**
 * All incidents, and calm hours, as the operators would be told of them: the router, metrics, health and the Alert Manager on
 * the virtual clock, at the runbook's own times.
 */
import { describe, expect, it } from 'vitest'
import { expectedAlerts } from '../simulate/expected-alerts.ts'
import { scenarioNamed, scenarios } from '../simulate/scenarios.ts'
import { incidentAlerts, watchAlerts } from './incident-alerts.ts'

const seed = 4
const hourMs = 3_600_000

describe('operators are told once, of the cause, and nothing else', () => {
  it('of every incident somebody has said what they must be told', () => {
    expect(Object.keys(expectedAlerts).toSorted()).toEqual(scenarios.map(({ name }) => name).toSorted())
  })

  it.each(scenarios.map(({ name }) => ({ name, why: expectedAlerts[name]?.why ?? '' })))('$name: $why', async ({ name }) => {
    const report = await incidentAlerts(scenarioNamed(name)!, seed)
    expect(report.faults).toEqual([])
    const expected = expectedAlerts[name]!
    if (expected.orNone === true && report.pages === 0) return
    expect(report.alerts.map(({ rule, component }) => `${rule} on ${component}`)).toEqual(expected.alerts.map(({ rule, component }) => `${rule} on ${component}`))
  })

  it('of calm hours with little traffic they are told nothing', async () => {
    const scenario = { ...scenarioNamed('calm')!, durationMs: 4 * hourMs, ratePerSecond: 0.2 }
    const seen = await watchAlerts({ scenario, fromMs: 0, untilMs: 0, isSent: () => true }, seed)
    expect(seen).toEqual({ raised: [], notifications: [], lost: 0 })
  })
})
