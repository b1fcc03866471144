import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { alertPriorities, type AlertPriority } from '../operation/alert-facts.ts'
import type { ActiveAlert } from './alert.ts'
import { endOfNextBusinessDay, isTimeZone } from './business-hours.ts'
import { escalated, nextStep, runbookEscalation } from './escalation.ts'
import { calm, openLab, withLevel } from './testing/alert-lab.ts'

const minute = 60_000
const monday = Date.UTC(2026, 0, 5, 10)

function alertOf(priority: AlertPriority, startedAtMs: number): ActiveAlert {
  return { id: 'alrt_1', rule: 'r', component: 'c', priority, role: 'cause', message: '', action: '', runbook: '', startedAtMs, status: 'firing', dedupKey: 'k', told: { key: 'k', atMs: startedAtMs }, level: 0, levelAtMs: startedAtMs }
}

/** When which level is reached when nobody ever acknowledges, looking every five seconds. */
function climb(priority: AlertPriority, forMs: number): readonly string[] {
  let alert = alertOf(priority, monday)
  const reached: string[] = []
  for (let afterMs = 0; afterMs <= forMs; afterMs += 5_000) {
    const next = escalated(alert, runbookEscalation, monday + afterMs)
    if (next === null) continue
    alert = next
    reached.push(`${runbookEscalation.chain[alert.level]?.name} after ${afterMs / minute} min`)
  }
  return reached
}

describe('an alert that nobody acknowledges goes up the runbook’s chain', () => {
  test.each<{ priority: AlertPriority; reaches: readonly string[]; why: string }>([
    { priority: 'P0', reaches: ['AI operations lead after 5 min', 'DevOps lead after 30 min', 'CTO after 60 min'], why: 'P0 has to be acknowledged within 5 min; the CTO is for P0 only' },
    { priority: 'P1', reaches: ['AI operations lead after 15 min', 'DevOps lead after 30 min'], why: 'P1 within 15 min, and no CTO' },
    { priority: 'P2', reaches: ['AI operations lead after 60 min', 'DevOps lead after 75 min'], why: 'P2 within 1 h; the levels keep their distance' },
    { priority: 'P3', reaches: ['AI operations lead after 1860 min', 'DevOps lead after 1875 min'], why: 'P3 by the end of the next business day: Monday 10:00 to Tuesday 17:00' },
  ])('$priority: $why', ({ priority, reaches }) => {
    expect(climb(priority, 40 * 60 * minute)).toEqual(reaches)
  })

  it('late ticks take one step each, so that every level is told', () => {
    let alert = alertOf('P0', monday)
    const levels: number[] = []
    for (let tick = 0; tick < 4; tick += 1) {
      const next = escalated(alert, runbookEscalation, monday + 600 * minute + tick * 3_600_000)
      if (next !== null) alert = next
      levels.push(alert.level)
    }
    expect(levels).toEqual([1, 2, 3, 3])
  })

  it('an acknowledged one does not', () => {
    const alert: ActiveAlert = { ...alertOf('P0', monday), status: 'acknowledged', acknowledgedAtMs: monday, acknowledgedBy: 'anna' }
    expect(nextStep(alert, runbookEscalation)).toBeNull()
  })
})

it('levels only rise, never skip one that is for the priority, and keep the chain’s distance', () => {
  fc.assert(
    fc.property(fc.constantFrom(...alertPriorities), fc.array(fc.integer({ min: 1, max: 40 * minute }), { minLength: 1, maxLength: 80 }), (priority, gaps) => {
      let alert = alertOf(priority, monday)
      let nowMs = monday
      for (const gapMs of gaps) {
        nowMs += gapMs
        const next = escalated(alert, runbookEscalation, nowMs)
        if (next === null) continue
        expect(next.level).toBe(alert.level + 1)
        expect(runbookEscalation.chain[next.level]?.priorities).toContain(priority)
        if (alert.level > 0) expect(nowMs - alert.levelAtMs).toBeGreaterThanOrEqual(15 * minute)
        alert = next
      }
    }),
  )
})

describe('the end of the next business day', () => {
  const weekdays = { days: [1, 2, 3, 4, 5], endMinutes: 17 * 60 }
  test.each([
    { at: '2026-01-05T10:00:00Z', zone: 'UTC', ends: '2026-01-06T17:00:00.000Z', why: 'Monday: Tuesday' },
    { at: '2026-01-09T10:00:00Z', zone: 'UTC', ends: '2026-01-12T17:00:00.000Z', why: 'Friday: Monday' },
    { at: '2026-01-10T10:00:00Z', zone: 'UTC', ends: '2026-01-12T17:00:00.000Z', why: 'Saturday: Monday' },
    { at: '2026-01-05T23:30:00Z', zone: 'Europe/Zurich', ends: '2026-01-07T16:00:00.000Z', why: 'already Tuesday there; winter time' },
    { at: '2026-03-27T12:00:00Z', zone: 'Europe/Zurich', ends: '2026-03-30T15:00:00.000Z', why: 'the clocks change on the Sunday between' },
    { at: '2026-02-27T12:00:00Z', zone: 'America/New_York', ends: '2026-03-02T22:00:00.000Z', why: 'over the end of a month' },
    { at: '2028-02-28T12:00:00Z', zone: 'Asia/Kathmandu', ends: '2028-02-29T11:15:00.000Z', why: 'a leap day, and an offset of quarters of an hour' },
  ])('$at in $zone: $ends ($why)', ({ at, zone, ends }) => {
    expect(new Date(endOfNextBusinessDay(Date.parse(at), { ...weekdays, timeZone: zone })).toISOString()).toBe(ends)
  })
  test('a time zone is known or not', () => {
    expect([isTimeZone('Europe/Zurich'), isTimeZone('Europe/Nowhere')]).toEqual([true, false])
  })
})

describe('on the running Alert Manager', () => {
  it('a P0 that nobody takes goes from the on-call engineer to the CTO, each told once', async () => {
    const lab = await openLab({ readings: withLevel(calm, 'direct-bedrock-client', 'critical') })
    await lab.pass(180 * minute)
    expect(lab.pager.received.filter((notification) => notification.event !== 'updated').map((notification) => [notification.event, notification.to])).toEqual([
      ['firing', 'on-call engineer'],
      ['escalated', 'AI operations lead'],
      ['escalated', 'DevOps lead'],
      ['escalated', 'CTO'],
    ])
    expect(lab.events.filter((event) => event.type === 'alert_escalated').map((event) => event.to)).toEqual(['AI operations lead', 'DevOps lead', 'CTO'])
    expect(new Set(lab.pager.received.map((notification) => notification.dedupKey)).size).toBe(1)
  })

  it('acknowledging stops it, and the response time is measured', async () => {
    const lab = await openLab({ readings: withLevel(calm, 'direct-bedrock-client', 'critical') })
    await lab.pass(3 * minute + 4 * minute)
    expect(lab.manager.responseTime(3_600_000)).toEqual({ count: 0, meanMs: null, longestMs: null, waitingMs: 4 * minute })
    const id = lab.manager.list()[0]?.id ?? ''
    expect(await lab.manager.acknowledge(id, 'anna')).toEqual({ changed: [id], notApplied: [] })
    await lab.pass(120 * minute)
    expect(lab.events.filter((event) => event.type === 'alert_escalated')).toEqual([])
    expect(lab.events.filter((event) => event.type === 'alert_acknowledged')).toMatchObject([{ by: 'anna', responseMs: 4 * minute }])
    expect(lab.manager.responseTime(24 * 3_600_000)).toEqual({ count: 1, meanMs: 4 * minute, longestMs: 4 * minute, waitingMs: null })
    expect(lab.manager.get(id)).toMatchObject({ status: 'acknowledged', acknowledgedBy: 'anna', escalation: { level: 0, next: null } })
    expect(lab.pager.received.at(-1)).toMatchObject({ event: 'acknowledged', by: 'anna' })
  })

  it('a suppressed alert is not told and does not go up; when the suppression ends it is told, and its time begins then', async () => {
    const lab = await openLab()
    await lab.manager.suppress({ severity: ['critical'], durationMs: 30 * minute, reason: 'a test' }, 'anna')
    lab.set(withLevel(calm, 'direct-bedrock-client', 'critical'))
    await lab.pass(29 * minute)
    expect(lab.manager.list()).toMatchObject([{ rule: 'direct-bedrock-unavailable', suppressedUntil: new Date(Date.UTC(2026, 0, 1, 8, 30)).toISOString() }])
    expect(lab.pager.received).toEqual([])
    await lab.pass(2 * minute)
    expect(lab.pages().map((page) => page.split(' ')[0])).toEqual(['firing'])
    await lab.pass(3 * minute)
    expect(lab.pages()).toHaveLength(1)
    await lab.pass(2 * minute)
    expect(lab.pages().map((page) => page.split(' ')[0])).toEqual(['firing', 'escalated'])
  })
})
