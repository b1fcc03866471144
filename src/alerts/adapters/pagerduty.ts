/**
 * PagerDuty, Events API v2 (PagerDuty developer documentation, "Send an alert event"): POST /v2/enqueue with `trigger`,
 * `acknowledge` or `resolve` and the `dedup_key` that makes one incident of them. Accepted is 202.
 *
 * What is news of a known incident triggers again with the same key, which opens no second one. A test is an incident that
 * is resolved at once, so that it pages and leaves nothing behind. The priorities map to PagerDuty's four severities.
 */
import { alertRank, type AlertPriority } from '../../operation/alert-facts.ts'
import { isoTime } from '../../runtime/iso-time.ts'
import { notificationLines, type Notification, type NotificationEvent } from '../notification.ts'
import type { Notifier } from '../notifier.ts'
import { outcomeOf, type HttpPost } from './http-post.ts'
import { reachEndpoint } from './reach.ts'

export interface PagerDutySettings {
  readonly name: string
  readonly leastPriority: AlertPriority
  readonly routingKey: string
  /** The whole address of the Events API. */
  readonly endpoint: string
}

export const pagerDutyEndpoint = 'https://events.pagerduty.com/v2/enqueue'

/** Characters, by PagerDuty's documentation. */
const longestSummary = 1_024
const longestDedupKey = 255
const severities = ['critical', 'error', 'warning', 'info'] as const

const actions: Readonly<Record<NotificationEvent, 'trigger' | 'acknowledge' | 'resolve'>> = Object.freeze({
  firing: 'trigger',
  updated: 'trigger',
  escalated: 'trigger',
  acknowledged: 'acknowledge',
  resolved: 'resolve',
  test: 'trigger',
})

export function createPagerDutyNotifier(settings: PagerDutySettings, http: HttpPost): Notifier {
  const enqueue = async (action: 'trigger' | 'acknowledge' | 'resolve', notification: Notification, signal: AbortSignal) =>
    outcomeOf(await http.post(settings.endpoint, {}, JSON.stringify(pagerDutyEvent(settings.routingKey, action, notification)), signal))
  return {
    name: settings.name,
    leastPriority: settings.leastPriority,
    async deliver(notification, signal) {
      const outcome = await enqueue(actions[notification.event], notification, signal)
      return notification.event === 'test' && outcome.kind === 'delivered' ? enqueue('resolve', notification, signal) : outcome
    },
    selfTest: (signal) => reachEndpoint(settings.endpoint, signal),
    close: () => http.close(),
  }
}

export function pagerDutyEvent(routingKey: string, action: 'trigger' | 'acknowledge' | 'resolve', notification: Notification): object {
  const first = notification.alerts[0]
  const key = { routing_key: routingKey, event_action: action, dedup_key: notification.dedupKey.slice(0, longestDedupKey) }
  if (action !== 'trigger') return key
  return {
    ...key,
    client: notification.deployment,
    payload: {
      summary: notification.title.slice(0, longestSummary),
      source: notification.deployment,
      severity: severities[alertRank(notification.priority)],
      timestamp: isoTime(notification.createdAtMs),
      ...(first === undefined ? {} : { component: first.component, class: first.rule }),
      custom_details: { event: notification.event, notification: notification.id, details: notificationLines(notification) },
    },
  }
}
