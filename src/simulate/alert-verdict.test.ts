import { describe, expect, it } from 'vitest'
import { alertIncident, calmBeforeMs } from './alert-incident.ts'
import { alertReport, type AlertsSeen } from './alert-verdict.ts'
import { expectedAlerts } from './expected-alerts.ts'
import { scenarioNamed } from './scenarios.ts'

const minuteMs = 60_000
const incident = alertIncident(scenarioNamed('direct-down')!, false)
const atMs = calmBeforeMs + 2 * minuteMs
const overMs = incident.untilMs + minuteMs
const down = { id: 'a', rule: 'system-down', component: 'hybrid-router', priority: 'P0', raisedAtMs: atMs, resolvedAtMs: overMs }
const cause = { id: 'b', rule: 'direct-bedrock-unavailable', component: 'direct-bedrock-client', priority: 'P0', raisedAtMs: atMs + minuteMs, resolvedAtMs: overMs }
const told = (event: string, when: number, dedupKey = 'key') => ({ event, dedupKey, title: '', atMs: when })
const right: AlertsSeen = { raised: [down, cause], notifications: [told('firing', atMs), told('updated', atMs + minuteMs), told('acknowledged', atMs + 2 * minuteMs), told('resolved', overMs)], lost: 0 }
const faultsOf = (seen: Partial<AlertsSeen>): readonly string[] => alertReport(incident, 4, { ...right, ...seen }, expectedAlerts['direct-down']!).faults

describe('what operators are told of an incident', () => {
  it('is right: both alerts, one page, one end', () => {
    expect(faultsOf({})).toEqual([])
    expect(alertReport(incident, 4, right, expectedAlerts['direct-down']!)).toMatchObject({ pages: 1, alerts: [{ afterMs: 2 * minuteMs, overAfterMs: minuteMs }, { afterMs: 3 * minuteMs }] })
  })

  it.each<{ why: string; seen: Partial<AlertsSeen>; says: string }>([
    { why: 'an alert is missing', seen: { raised: [down] }, says: 'direct-bedrock-unavailable on direct-bedrock-client was not raised' },
    { why: 'a symptom was raised too', seen: { raised: [down, cause, { ...cause, id: 'c', rule: 'fallback-rate' }] }, says: 'fallback-rate on direct-bedrock-client was raised and is not expected' },
    { why: 'it is the wrong component', seen: { raised: [down, { ...cause, component: 'mcp-router' }] }, says: 'direct-bedrock-unavailable on mcp-router was raised and is not expected' },
    { why: 'it came twice', seen: { raised: [down, cause, { ...cause, id: 'c' }] }, says: 'direct-bedrock-unavailable on direct-bedrock-client was raised 2 times' },
    { why: 'it came late', seen: { raised: [{ ...down, raisedAtMs: atMs + 5 * minuteMs }, cause] }, says: 'system-down on hybrid-router was raised after 7.0 min, which is more than 3.0 min' },
    { why: 'it came before anything was wrong', seen: { raised: [{ ...down, raisedAtMs: 0 }, cause] }, says: 'system-down on hybrid-router was raised before anything was wrong' },
    { why: 'it does not end', seen: { raised: [down, { ...cause, resolvedAtMs: null }] }, says: 'direct-bedrock-unavailable on direct-bedrock-client is not over, although nothing is wrong any more' },
    { why: 'the second alert paged as well', seen: { notifications: [...right.notifications, told('firing', atMs, 'other')] }, says: '2 notifications page, and there is 1 root cause' },
    { why: 'it went up the chain', seen: { notifications: [...right.notifications, told('escalated', atMs)] }, says: 'what was acknowledged in time went up the chain' },
    { why: 'nobody was told of the end', seen: { notifications: right.notifications.slice(0, 3) }, says: '1 paged and 0 were told to be over' },
    { why: 'an operation is lost', seen: { lost: 2 }, says: '2 operations never ended' },
  ])('is wrong where $why', ({ seen, says }) => {
    expect(faultsOf(seen)).toContain(says)
  })

  it('may be nothing where an incident is at the border of a rule, and is not half of it', () => {
    const silent: AlertsSeen = { raised: [], notifications: [], lost: 0 }
    const faults = (seen: AlertsSeen) => alertReport(incident, 4, seen, { ...expectedAlerts['direct-down']!, orNone: true }).faults
    expect(faults(silent)).toEqual([])
    expect(faults({ ...silent, lost: 1 })).toEqual(['1 operations never ended'])
    expect(faults({ ...right, raised: [down] })).toContain('direct-bedrock-unavailable on direct-bedrock-client was not raised')
    expect(alertReport(incident, 4, silent, expectedAlerts['direct-down']!).faults).not.toEqual([])
  })

  it('is wrong in a calm where anything was told', () => {
    expect(alertReport(alertIncident(scenarioNamed('calm')!, false), 4, right, expectedAlerts['calm']!).faults).not.toEqual([])
  })
})
