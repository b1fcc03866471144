import { expect, test } from 'vitest'
import type { AlertFacts } from '../operation/alert-facts.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { logLinesOf } from './log-line.ts'

const alert: AlertFacts = { id: 'alrt_1', rule: 'system-down', component: 'hybrid-router', priority: 'P0', message: 'the system is critical.', startedAtMs: 0 }

test.each<{ event: SystemEvent; urgency: string; message: string; why: string }>([
  { event: { type: 'alert_raised', atMs: 0, alert }, urgency: 'error', message: '[P0] system-down firing: the system is critical.', why: 'P0 is an error' },
  { event: { type: 'alert_raised', atMs: 0, alert: { ...alert, priority: 'P2' } }, urgency: 'warn', message: '[P2] system-down firing: the system is critical.', why: 'the others warn' },
  { event: { type: 'alert_escalated', atMs: 0, alert, level: 3, to: 'CTO' }, urgency: 'error', message: '[P0] system-down not acknowledged, now CTO: the system is critical.', why: 'nobody took it' },
  { event: { type: 'alert_acknowledged', atMs: 0, alert, by: 'anna', responseMs: 9 }, urgency: 'info', message: '[P0] system-down acknowledged by anna: the system is critical.', why: 'somebody took it' },
  { event: { type: 'alert_resolved', atMs: 0, alert, by: 'alert-manager', reason: 'recovered' }, urgency: 'info', message: '[P0] system-down resolved: the system is critical.', why: 'its end is no error' },
  { event: { type: 'alerts_suppressed', atMs: 0, by: 'anna', untilMs: 5, scope: 'low' }, urgency: 'warn', message: 'suppressed by anna: low', why: 'silence has to be seen' },
  { event: { type: 'notification_failed', atMs: 0, notifier: 'sns-1', notificationId: 'ntf_1', reason: 'HTTP 403' }, urgency: 'error', message: 'sns-1 could not be notified: HTTP 403', why: 'a page was lost' },
])('$event.type is one ALERT line: $why', ({ event, urgency, message }) => {
  expect(logLinesOf(event)).toMatchObject([{ event: 'ALERT', urgency, message }])
  expect(logLinesOf(event)[0]?.correlationId).toBe('alert' in event ? 'alrt_1' : event.type === 'notification_failed' ? 'ntf_1' : undefined)
})
