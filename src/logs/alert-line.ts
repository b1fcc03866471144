/**
 * The log's `ALERT` lines: what became of an alert, under the alert's component, with the alert's id for the correlation id,
 * so that one filter shows its whole life. P0 is as urgent as an error while it is news; its end is not.
 */
import { severityOf, type AlertFacts } from '../operation/alert-facts.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { LogLine, LogUrgency } from './log-line.ts'

type AlertEvent = Extract<SystemEvent, { readonly type: 'alert_raised' | 'alert_acknowledged' | 'alert_resolved' | 'alert_escalated' | 'alerts_suppressed' | 'notification_failed' }>

export function alertLine(event: AlertEvent): LogLine {
  switch (event.type) {
    case 'alert_raised':
      return lineOf(event.alert, urgencyOf(event.alert), 'firing', {})
    case 'alert_escalated':
      return lineOf(event.alert, urgencyOf(event.alert), `not acknowledged, now ${event.to}`, { level: event.level, to: event.to })
    case 'alert_acknowledged':
      return lineOf(event.alert, 'info', `acknowledged by ${event.by}`, { by: event.by, responseMs: event.responseMs })
    case 'alert_resolved':
      return lineOf(event.alert, 'info', 'resolved', { by: event.by, reason: event.reason })
    case 'alerts_suppressed':
      return { urgency: 'warn', event: 'ALERT', component: 'alert-manager', message: `suppressed by ${event.by}: ${event.scope}`, fields: { by: event.by, scope: event.scope, untilMs: event.untilMs } }
    case 'notification_failed':
      return {
        urgency: 'error',
        event: 'ALERT',
        component: 'alert-manager',
        message: `${event.notifier} could not be notified: ${event.reason}`,
        correlationId: event.notificationId,
        fields: { notifier: event.notifier, notification: event.notificationId, reason: event.reason },
      }
    default:
      return event satisfies never
  }
}

function lineOf(alert: AlertFacts, urgency: LogUrgency, what: string, fields: Readonly<Record<string, unknown>>): LogLine {
  const { id, rule, component, priority, message } = alert
  return { urgency, event: 'ALERT', component, message: `[${priority}] ${rule} ${what}: ${message}`, correlationId: id, fields: { alert: id, rule, priority, severity: severityOf(priority), ...fields } }
}

function urgencyOf(alert: AlertFacts): LogUrgency {
  return alert.priority === 'P0' ? 'error' : 'warn'
}
