/**
 * The notification as one line of the log, for installations without a receiver, and beside others. How a line is written
 * is the Log Aggregator's; it gets the event's name that the runbook filters for.
 */
import type { AlertPriority } from '../../operation/alert-facts.ts'
import type { Notifier } from '../notifier.ts'
import { webhookPayload } from './webhook.ts'

export type WriteAlertLine = (urgency: 'error' | 'warn' | 'info', event: 'ALERT', message: string, fields: object) => void

export function createLogNotifier(name: string, leastPriority: AlertPriority, write: WriteAlertLine): Notifier {
  return {
    name,
    leastPriority,
    deliver(notification) {
      const isNews = notification.event === 'firing' || notification.event === 'updated' || notification.event === 'escalated'
      const urgency = !isNews ? 'info' : notification.priority === 'P0' ? 'error' : 'warn'
      write(urgency, 'ALERT', notification.title, webhookPayload(notification))
      return Promise.resolve({ kind: 'delivered' })
    },
    close: () => Promise.resolve(),
  }
}
