/**
 * From the configuration's list of receivers to notifiers, each with connections of its own. A receiver's name is its type
 * and its place among those of the type (`sns-1`), so that it stays the same over a restart and the book's waiting
 * notifications find it again.
 */
import { priorityOf, type AlertSeverity } from '../../operation/alert-facts.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Notifier } from '../notifier.ts'
import { createAlertmanagerNotifier } from './alertmanager.ts'
import { createHeartbeat, type Heartbeat } from './heartbeat.ts'
import { createHttpPost } from './http-post.ts'
import { createLogNotifier, type WriteAlertLine } from './log-notifier.ts'
import { createPagerDutyNotifier, pagerDutyEndpoint } from './pagerduty.ts'
import { createSlackNotifier } from './slack.ts'
import { createSnsNotifier, type SnsCredentials } from './sns.ts'
import { createWebhookNotifier } from './webhook.ts'

/** An entry of `alerts.notify`, as the configuration has it. */
export type ReceiverEntry = { readonly leastSeverity: AlertSeverity } & (
  | { readonly type: 'sns'; readonly topicArn: string; readonly endpoint: string | null }
  | { readonly type: 'pagerduty'; readonly routingKey: string; readonly endpoint: string | null }
  | { readonly type: 'slack'; readonly url: string }
  | { readonly type: 'alertmanager'; readonly url: string; readonly repeatMs: number }
  | { readonly type: 'webhook'; readonly url: string; readonly secret: string | null }
  | { readonly type: 'log' }
)

export interface HeartbeatEntry {
  readonly url: string
  readonly intervalMs: number
  readonly secret: string | null
}

export interface NotifierParts {
  readonly clock: Clock
  readonly deployment: string
  /** For SNS; null: the SDK's default provider chain. */
  readonly credentials: SnsCredentials | null
  readonly writeLine: WriteAlertLine
  /** Of the log, since the start. */
  readonly droppedLines: () => number
}

export function openNotifiers(entries: readonly ReceiverEntry[], parts: NotifierParts): readonly Notifier[] {
  const counts = new Map<string, number>()
  return entries.map((entry) => {
    const number = (counts.get(entry.type) ?? 0) + 1
    counts.set(entry.type, number)
    return openNotifier(entry, `${entry.type}-${number}`, parts)
  })
}

export function openHeartbeat(entry: HeartbeatEntry | null, clock: Clock): Heartbeat | null {
  return entry === null ? null : createHeartbeat(entry.url, entry.intervalMs, entry.secret, createHttpPost(() => clock.nowMs()))
}

function openNotifier(entry: ReceiverEntry, name: string, parts: NotifierParts): Notifier {
  const nowMs = (): number => parts.clock.nowMs()
  const about = { name, leastPriority: priorityOf(entry.leastSeverity) }
  switch (entry.type) {
    case 'sns':
      return createSnsNotifier({ ...about, topicArn: entry.topicArn, endpoint: entry.endpoint, credentials: parts.credentials })
    case 'pagerduty':
      return createPagerDutyNotifier({ ...about, routingKey: entry.routingKey, endpoint: entry.endpoint ?? pagerDutyEndpoint }, createHttpPost(nowMs))
    case 'slack':
      return createSlackNotifier({ ...about, url: entry.url }, createHttpPost(nowMs))
    case 'alertmanager':
      return createAlertmanagerNotifier({ ...about, url: entry.url, repeatMs: entry.repeatMs, deployment: parts.deployment }, createHttpPost(nowMs), nowMs)
    case 'webhook':
      return createWebhookNotifier({ ...about, url: entry.url, secret: entry.secret }, createHttpPost(nowMs), nowMs)
    case 'log':
      return createLogNotifier(name, about.leastPriority, parts.writeLine, parts.droppedLines)
    default:
      return entry satisfies never
  }
}
