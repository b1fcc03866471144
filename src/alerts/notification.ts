/**
 * What a receiver is told: one message about one incident, or about one storm. Every receiver makes its own words or fields
 * of the same notification (`adapters/`).
 *
 *   firing        something new                        a page, where the receiver pages
 *   updated       more about what was told             the same `dedupKey`: no second page
 *   escalated     nobody took it: tell the next level
 *   acknowledged  somebody took it
 *   resolved      all of it is over
 *   test          an operator tries the delivery
 *
 * Delivery is at least once: the same notification may arrive again, with the same `id`; what belongs together has the same
 * `dedupKey` (public contract, part 6).
 */
import { severityOf, type AlertPriority, type AlertSeverity } from '../operation/alert-facts.ts'
import type { Alert } from './alert.ts'
import { alertLimits } from './limits.ts'

export const notificationEvents = ['firing', 'updated', 'escalated', 'acknowledged', 'resolved', 'test'] as const
export type NotificationEvent = (typeof notificationEvents)[number]

export interface AlertSummary {
  readonly id: string
  readonly rule: string
  readonly component: string
  readonly priority: AlertPriority
  readonly status: Alert['status']
  readonly message: string
  readonly action: string
  readonly runbook: string
  readonly startedAtMs: number
  readonly resolvedAtMs: number | null
}

/** A storm's members by component and root cause (runbook, "Alert rules"). */
export interface StormGroup {
  readonly component: string
  readonly rootCause: string
  readonly rules: readonly string[]
  readonly alerts: number
}

export interface Notification {
  readonly id: string
  readonly event: NotificationEvent
  readonly dedupKey: string
  readonly deployment: string
  readonly priority: AlertPriority
  readonly title: string
  /** At most a bounded number; `more` counts the rest. */
  readonly alerts: readonly AlertSummary[]
  readonly more: number
  readonly storm: readonly StormGroup[] | null
  /** Who has to act now: the level of the escalation chain. */
  readonly to: string | null
  /** Who acknowledged or resolved it; null for the system itself. */
  readonly by: string | null
  readonly createdAtMs: number
}

/** A notification that has no id yet: ids are the shell's. */
export type NotificationDraft = Omit<Notification, 'id' | 'deployment' | 'createdAtMs'>

export function summaryOf(alert: Alert): AlertSummary {
  const { id, rule, component, priority, status, message, action, runbook, startedAtMs } = alert
  return { id, rule, component, priority, status, message, action, runbook, startedAtMs, resolvedAtMs: alert.status === 'resolved' ? alert.resolvedAtMs : null }
}

export function listed(alerts: readonly Alert[]): Pick<Notification, 'alerts' | 'more'> {
  return { alerts: alerts.slice(0, alertLimits.listed).map(summaryOf), more: Math.max(0, alerts.length - alertLimits.listed) }
}

export function notificationSeverity(notification: Pick<Notification, 'priority'>): AlertSeverity {
  return severityOf(notification.priority)
}

/** Plain text for receivers that show text: title, alerts with what to do, and who has to act. */
export function notificationLines(notification: Notification): readonly string[] {
  return [
    ...(notification.storm ?? []).map((group) => `${group.component} (root cause ${group.rootCause}): ${group.alerts} alerts: ${group.rules.join(', ')}`),
    ...notification.alerts.map((alert) => `[${alert.priority}] ${alert.rule} on ${alert.component}, ${alert.status}: ${alert.message} ${alert.action} See ${alert.runbook}. (${alert.id})`),
    ...(notification.more > 0 ? [`and ${notification.more} more`] : []),
    ...(notification.to === null ? [] : [`To act: ${notification.to}.`]),
    ...(notification.by === null ? [] : [`By: ${notification.by}.`]),
  ]
}
