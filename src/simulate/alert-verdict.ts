/**
 * Whether operators were told of an incident as they should be: the expected alerts and no others, each once, one notification
 * for each root cause, nothing up the chain of what was acknowledged in time, all over again afterwards, and nothing told while
 * nothing was wrong. Pure; what is expected of each incident is in `expected-alerts.ts`.
 */
import type { AlertIncident } from './alert-incident.ts'
import type { ExpectedAlerts } from './expected-alerts.ts'

export interface SeenAlert {
  readonly id: string
  readonly rule: string
  readonly component: string
  readonly priority: string
  /** From the start of the run. */
  readonly raisedAtMs: number
  readonly resolvedAtMs: number | null
}

export interface SeenNotification {
  readonly event: string
  /** What belongs to one root cause has the same. */
  readonly dedupKey: string
  readonly title: string
  readonly atMs: number
}

export interface AlertsSeen {
  readonly raised: readonly SeenAlert[]
  /** In the order of telling. */
  readonly notifications: readonly SeenNotification[]
  /** Operations that never ended. */
  readonly lost: number
}

export interface AlertReport {
  readonly scenario: string
  readonly seed: number
  readonly alerts: readonly {
    readonly rule: string
    readonly component: string
    readonly priority: string
    /** From when something was wrong. */
    readonly afterMs: number
    /** From when nothing was wrong any more; null: still active at the end. */
    readonly overAfterMs: number | null
  }[]
  /** Notifications that page: the first of each root cause. */
  readonly pages: number
  /** What is not as it should be, in words; empty when all is. */
  readonly faults: readonly string[]
}

export function alertReport(incident: AlertIncident, seed: number, seen: AlertsSeen, expected: ExpectedAlerts): AlertReport {
  const { fromMs, untilMs, scenario } = incident
  const pages = seen.notifications.filter(({ event }) => event === 'firing')
  return {
    scenario: scenario.name,
    seed,
    alerts: seen.raised.map(({ rule, component, priority, raisedAtMs, resolvedAtMs }) => ({ rule, component, priority, afterMs: raisedAtMs - fromMs, overAfterMs: resolvedAtMs === null ? null : resolvedAtMs - untilMs })),
    pages: pages.length,
    faults: [...(isRightlySilent(seen, expected) ? [] : [...alertFaults(incident, seen, expected), ...notificationFaults(seen, expected)]), ...(seen.lost === 0 ? [] : [`${seen.lost} operations never ended`])],
  }
}

function isRightlySilent({ raised, notifications }: AlertsSeen, { orNone }: ExpectedAlerts): boolean {
  return orNone === true && raised.length === 0 && notifications.length === 0
}

function alertFaults({ fromMs }: AlertIncident, { raised }: AlertsSeen, { alerts }: ExpectedAlerts): readonly string[] {
  const faults: string[] = []
  const isExpected = (alert: SeenAlert): boolean => alerts.some(({ rule, component }) => rule === alert.rule && component === alert.component)
  for (const alert of raised) {
    const name = `${alert.rule} on ${alert.component}`
    if (!isExpected(alert)) faults.push(`${name} was raised and is not expected`)
    if (alert.raisedAtMs < fromMs) faults.push(`${name} was raised before anything was wrong`)
    if (alert.resolvedAtMs === null) faults.push(`${name} is not over, although nothing is wrong any more`)
  }
  for (const { rule, component, withinMs } of alerts) {
    const times = raised.filter((alert) => alert.rule === rule && alert.component === component)
    const [first] = times
    const name = `${rule} on ${component}`
    if (first === undefined) faults.push(`${name} was not raised`)
    else if (first.raisedAtMs - fromMs > withinMs) faults.push(`${name} was raised after ${minutes(first.raisedAtMs - fromMs)}, which is more than ${minutes(withinMs)}`)
    if (times.length > 1) faults.push(`${name} was raised ${times.length} times`)
  }
  return faults
}

function notificationFaults({ notifications }: AlertsSeen, { alerts, rootCauses }: ExpectedAlerts): readonly string[] {
  const faults: string[] = []
  const count = (event: string): number => notifications.filter((notification) => notification.event === event).length
  const pages = notifications.filter(({ event }) => event === 'firing')
  if (pages.length !== rootCauses) faults.push(`${pages.length} notifications page, and there ${rootCauses === 1 ? 'is 1 root cause' : `are ${rootCauses} root causes`}`)
  if (new Set(pages.map(({ dedupKey }) => dedupKey)).size !== pages.length) faults.push('a root cause paged more than once')
  const known = new Set(pages.map(({ dedupKey }) => dedupKey))
  if (notifications.some(({ dedupKey }) => !known.has(dedupKey))) faults.push('something was told of what nobody was paged for')
  if (count('escalated') > 0) faults.push('what was acknowledged in time went up the chain')
  if (count('resolved') !== pages.length) faults.push(`${pages.length} paged and ${count('resolved')} were told to be over`)
  // Every further alert of a root cause is told once, and once that it is over before the rest.
  if (count('updated') > 2 * (alerts.length - rootCauses)) faults.push(`${count('updated')} updates are more than the alerts have to tell`)
  return faults
}

function minutes(durationMs: number): string {
  return `${(durationMs / 60_000).toFixed(1)} min`
}
