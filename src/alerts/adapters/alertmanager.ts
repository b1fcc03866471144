/**
 * Prometheus Alertmanager, API v2 (its OpenAPI document, `POST /api/v2/alerts`): a list of alerts with labels that identify
 * them. Alertmanager forgets an alert at its `endsAt`, so firing ones are sent again, each time with an end that is a few
 * repetitions away: when this service dies, its alerts end there by themselves. A resolved one is sent with the end it had.
 *
 * Alertmanager groups and silences by itself; it gets every alert one by one, also those of a storm.
 */
import { severityOf, type AlertPriority } from '../../operation/alert-facts.ts'
import { isoTime } from '../../runtime/iso-time.ts'
import type { AlertSummary, Notification } from '../notification.ts'
import { summaryOf } from '../notification.ts'
import type { DeliveryOutcome, Notifier } from '../notifier.ts'
import { outcomeOf, type HttpPost } from './http-post.ts'
import { reachable, unreachable } from './reach.ts'

export interface AlertmanagerSettings {
  readonly name: string
  readonly leastPriority: AlertPriority
  /** The address of Alertmanager, without the path of the API. */
  readonly url: string
  readonly deployment: string
  readonly repeatMs: number
}

/** Repetitions that may be lost before an alert ends there: what Prometheus does. */
const repetitionsUntilEnd = 4

export function createAlertmanagerNotifier(settings: AlertmanagerSettings, http: HttpPost, nowMs: () => number): Notifier {
  const base = settings.url.replace(/\/+$/, '')
  const address = `${base}/api/v2/alerts`
  const post = async (alerts: readonly object[], signal: AbortSignal): Promise<DeliveryOutcome> => {
    if (alerts.length === 0) return { kind: 'delivered' }
    return outcomeOf(await http.post(address, {}, JSON.stringify(alerts), signal))
  }
  const entry = (alert: AlertSummary, atMs: number): object => alertmanagerEntry(alert, settings, atMs)
  return {
    name: settings.name,
    leastPriority: settings.leastPriority,
    deliver: (notification, signal) => post(notification.event === 'test' ? [testEntry(notification, settings)] : notification.alerts.map((alert) => entry(alert, nowMs())), signal),
    repeat: { everyMs: settings.repeatMs, send: (active, atMs, signal) => post(active.map((alert) => entry(summaryOf(alert), atMs)), signal) },
    // Ready is what it says of itself when it takes alerts (Alertmanager documentation, "Management API").
    async selfTest(signal) {
      const answer = await http.get(`${base}/-/ready`, signal)
      if (answer.kind === 'unreachable') return unreachable(answer.reason)
      return answer.status >= 200 && answer.status < 300 ? reachable : unreachable(`it is not ready: HTTP ${answer.status}`)
    },
    close: () => http.close(),
  }
}

function alertmanagerEntry(alert: AlertSummary, settings: AlertmanagerSettings, atMs: number): object {
  return {
    labels: { alertname: alert.rule, component: alert.component, priority: alert.priority, severity: severityOf(alert.priority), deployment: settings.deployment },
    annotations: { summary: alert.message, action: alert.action, runbook: alert.runbook, id: alert.id },
    startsAt: isoTime(alert.startedAtMs),
    endsAt: isoTime(alert.resolvedAtMs ?? atMs + repetitionsUntilEnd * settings.repeatMs),
  }
}

function testEntry(notification: Notification, settings: AlertmanagerSettings): object {
  return {
    labels: { alertname: 'delivery-test', priority: notification.priority, severity: severityOf(notification.priority), deployment: settings.deployment },
    annotations: { summary: notification.title },
    startsAt: isoTime(notification.createdAtMs),
    endsAt: isoTime(notification.createdAtMs + settings.repeatMs),
  }
}
