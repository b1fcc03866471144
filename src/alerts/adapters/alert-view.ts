/**
 * An alert as the API shows it: the public contract's shape, part 6, with times as RFC 3339 texts. What is beyond the
 * contract's members (`action`, `dedupKey`, `holdsBack`) is for the person who reads it.
 */
import { severityOf, type AlertPriority, type AlertSeverity } from '../../operation/alert-facts.ts'
import { isoTime } from '../../runtime/iso-time.ts'
import { trackKey, type Alert, type ResolvedReason } from '../alert.ts'
import { suppressedUntil, type Suppression } from '../alert-book.ts'
import { nextStep, type EscalationSettings } from '../escalation.ts'
import type { HeldAlert } from '../evaluate.ts'

export interface AlertView {
  readonly id: string
  readonly rule: string
  readonly component: string
  readonly priority: AlertPriority
  readonly severity: AlertSeverity
  readonly message: string
  readonly status: Alert['status']
  readonly startedAt: string
  readonly acknowledgedAt: string | null
  readonly acknowledgedBy: string | null
  readonly resolvedAt: string | null
  readonly resolvedBy: string | null
  readonly resolvedReason: ResolvedReason | null
  readonly suppressedUntil: string | null
  readonly escalation: { readonly level: number; readonly to: string; readonly next: { readonly to: string; readonly at: string } | null }
  readonly runbook: string
  readonly action: string
  readonly dedupKey: string
  /** Alerts that are not raised because this one explains them. */
  readonly holdsBack: readonly string[]
}

export function alertView(alert: Alert, suppressions: readonly Suppression[], held: readonly HeldAlert[], escalation: EscalationSettings, nowMs: number): AlertView {
  const { id, rule, component, priority, message, status, runbook, action, dedupKey } = alert
  const untilMs = alert.status === 'resolved' ? null : suppressedUntil(alert, suppressions, nowMs)
  const step = alert.status === 'resolved' ? null : nextStep(alert, escalation)
  const acknowledgedAtMs = alert.status === 'firing' ? null : alert.acknowledgedAtMs
  return {
    id,
    rule,
    component,
    priority,
    severity: severityOf(priority),
    message,
    status,
    startedAt: isoTime(alert.startedAtMs),
    acknowledgedAt: acknowledgedAtMs === null ? null : isoTime(acknowledgedAtMs),
    acknowledgedBy: alert.status === 'firing' ? null : alert.acknowledgedBy,
    resolvedAt: alert.status === 'resolved' ? isoTime(alert.resolvedAtMs) : null,
    resolvedBy: alert.status === 'resolved' ? alert.resolvedBy : null,
    resolvedReason: alert.status === 'resolved' ? alert.resolvedReason : null,
    suppressedUntil: untilMs === null ? null : isoTime(untilMs),
    escalation: { level: alert.level, to: escalation.chain[alert.level]?.name ?? '', next: step === null ? null : { to: step.name, at: isoTime(step.atMs) } },
    runbook,
    action,
    dedupKey,
    holdsBack: held.filter(({ behind }) => behind.rule === rule && behind.component === component).map((each) => trackKey(each.rule, each.component)),
  }
}
