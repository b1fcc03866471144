/**
 * Slack through an incoming webhook (Slack API documentation, "Sending messages using incoming webhooks"): a POST of JSON
 * with `text`, and `blocks` with the details. The address is the secret. Slack answers 200 with `ok`, and 429 with
 * Retry-After to more than about one message a second.
 *
 * In Slack's markup three characters have to be escaped; what an alert says can then neither link nor call anybody.
 */
import type { AlertPriority } from '../../operation/alert-facts.ts'
import { notificationLines, type Notification } from '../notification.ts'
import type { Notifier } from '../notifier.ts'
import { outcomeOf, type HttpPost } from './http-post.ts'
import { reachEndpoint } from './reach.ts'

export interface SlackSettings {
  readonly name: string
  readonly leastPriority: AlertPriority
  readonly url: string
}

/** Characters of one section and sections of one message, by Slack's documentation (3,000 and 50), with room for the marks. */
const longestSection = 2_900
const sections = 20

export function createSlackNotifier(settings: SlackSettings, http: HttpPost): Notifier {
  return {
    name: settings.name,
    leastPriority: settings.leastPriority,
    deliver: async (notification, signal) => outcomeOf(await http.post(settings.url, {}, JSON.stringify(slackMessage(notification)), signal)),
    selfTest: (signal) => reachEndpoint(settings.url, signal),
    close: () => http.close(),
  }
}

export function slackMessage(notification: Notification): object {
  const title = `*${notification.event}* ${escaped(notification.title)}`
  const lines = notificationLines(notification).map(escaped)
  const shown = [title, ...lines].slice(0, sections)
  const details = shown.map((line) => ({ type: 'section', text: { type: 'mrkdwn', text: line.slice(0, longestSection) } }))
  // Slack puts nothing together by itself: whoever reads it can search for the incident.
  const incident = { type: 'context', elements: [{ type: 'plain_text', text: notification.dedupKey.slice(0, longestSection) }] }
  return { text: title, blocks: [...details, incident] }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
