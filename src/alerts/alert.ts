/**
 * What an alert is. Outside it is firing, acknowledged or resolved (public contract, part 6); a condition that is pending,
 * or held back behind its cause, is not an alert yet. There is at most one active alert of a rule for a component.
 *
 * Alerts of one incident share a `dedupKey`: the receivers' name for what is one page. It is made of deployment, rule and
 * component, not of an id, so that two instances that cannot see each other still make the same one.
 *
 * `told` says under which key the receivers learned of it; `null` while nobody was told, because it is suppressed.
 */
import type { AlertFacts, AlertPriority } from '../operation/alert-facts.ts'
import { alertLimits } from './limits.ts'
import type { RuleRole } from './rules.ts'

interface AlertBase extends AlertFacts {
  readonly role: RuleRole
  readonly dedupKey: string
  readonly action: string
  readonly runbook: string
  readonly told: { readonly key: string; readonly atMs: number } | null
  /** The level of the chain that was told last; 0 is the on-call engineer. */
  readonly level: number
  /** When that level was reached. */
  readonly levelAtMs: number
}

export interface FiringAlert extends AlertBase {
  readonly status: 'firing'
}

export interface AcknowledgedAlert extends AlertBase {
  readonly status: 'acknowledged'
  readonly acknowledgedAtMs: number
  readonly acknowledgedBy: string
}

export type ResolvedReason = 'recovered' | 'no_data' | 'rule_removed' | 'operator'

export interface ResolvedAlert extends AlertBase {
  readonly status: 'resolved'
  readonly acknowledgedAtMs: number | null
  readonly acknowledgedBy: string | null
  readonly resolvedAtMs: number
  readonly resolvedBy: string
  readonly resolvedReason: ResolvedReason
}

export type ActiveAlert = FiringAlert | AcknowledgedAlert
export type Alert = ActiveAlert | ResolvedAlert

/** Who acts where no person does. */
export const automatic = 'alert-manager'

export function trackKey(rule: string, component: string): string {
  return `${rule}/${component}`
}

export function dedupKeyOf(deployment: string, rule: string, component: string): string {
  return `${deployment}:${trackKey(rule, component)}`
}

export function acknowledged(alert: FiringAlert, by: string, nowMs: number): AcknowledgedAlert {
  return { ...alert, status: 'acknowledged', acknowledgedAtMs: nowMs, acknowledgedBy: by }
}

export function resolved(alert: ActiveAlert, by: string, reason: ResolvedReason, nowMs: number): ResolvedAlert {
  const who = alert.status === 'acknowledged' ? { acknowledgedAtMs: alert.acknowledgedAtMs, acknowledgedBy: alert.acknowledgedBy } : { acknowledgedAtMs: null, acknowledgedBy: null }
  return { ...alert, status: 'resolved', ...who, resolvedAtMs: nowMs, resolvedBy: by, resolvedReason: reason }
}

export function factsOf(alert: Alert): AlertFacts {
  const { id, rule, component, priority, message, startedAtMs } = alert
  return { id, rule, component, priority, message, startedAtMs }
}

/** The most urgent of them; P3 of none. */
export function mostUrgent(alerts: readonly { readonly priority: AlertPriority }[]): AlertPriority {
  return alerts.map((alert) => alert.priority).sort()[0] ?? 'P3'
}

export function shortened(text: string, characters: number = alertLimits.messageCharacters): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`
}
