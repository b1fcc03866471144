/**
 * A POST of the notification as JSON to an address of the operator's. Where a secret is configured it is signed, so that the
 * receiver knows who sent it and when:
 *
 *   X-Hybrid-Routing-Timestamp   Unix seconds
 *   X-Hybrid-Routing-Signature   v1= and the HMAC-SHA256 of `TIMESTAMP.BODY` under the secret, in hexadecimal
 *   X-Hybrid-Routing-Notification  the notification's id: the same again is a repetition
 *
 * The receiver computes the same over the bytes it got, compares in constant time, and refuses timestamps that are more than
 * five minutes away (`docs/alerts.md` shows it in a few lines).
 */
import { createHmac } from 'node:crypto'
import type { AlertPriority } from '../../operation/alert-facts.ts'
import { isoTime } from '../../runtime/iso-time.ts'
import { notificationSeverity, type Notification } from '../notification.ts'
import type { Notifier } from '../notifier.ts'
import { outcomeOf, type HttpPost } from './http-post.ts'
import { reachEndpoint } from './reach.ts'

export interface WebhookSettings {
  readonly name: string
  readonly leastPriority: AlertPriority
  readonly url: string
  readonly secret: string | null
}

export function createWebhookNotifier(settings: WebhookSettings, http: HttpPost, nowMs: () => number): Notifier {
  return {
    name: settings.name,
    leastPriority: settings.leastPriority,
    async deliver(notification, signal) {
      const body = webhookBody(notification)
      const headers = { ...signatureHeaders(body, settings.secret, nowMs()), 'x-hybrid-routing-notification': notification.id }
      return outcomeOf(await http.post(settings.url, headers, body, signal))
    },
    selfTest: (signal) => reachEndpoint(settings.url, signal),
    close: () => http.close(),
  }
}

export function signatureHeaders(body: string, secret: string | null, nowMs: number): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1_000))
  if (secret === null) return { 'x-hybrid-routing-timestamp': timestamp }
  const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')
  return { 'x-hybrid-routing-timestamp': timestamp, 'x-hybrid-routing-signature': `v1=${signature}` }
}

/** Also what the log notifier writes: times as texts, the rest as it is. */
export function webhookPayload(notification: Notification): object {
  const { createdAtMs, alerts, ...rest } = notification
  return {
    ...rest,
    severity: notificationSeverity(notification),
    timestamp: isoTime(createdAtMs),
    alerts: alerts.map(({ startedAtMs, resolvedAtMs, ...alert }) => ({ ...alert, startedAt: isoTime(startedAtMs), resolvedAt: resolvedAtMs === null ? null : isoTime(resolvedAtMs) })),
  }
}

function webhookBody(notification: Notification): string {
  return JSON.stringify(webhookPayload(notification))
}
