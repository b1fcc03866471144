/**
 * The notification as one line of the log, for installations without a receiver, and beside others. How a line is written
 * is the Log Aggregator's; it gets the event's name that the runbook filters for.
 */
import type { AlertPriority } from '../../operation/alert-facts.ts'
import type { Notifier } from '../notifier.ts'
import { reachable, unreachable } from './reach.ts'
import { webhookPayload } from './webhook.ts'

export type WriteAlertLine = (urgency: 'error' | 'warn' | 'info', event: 'ALERT', message: string, fields: object) => void

/** @param droppedLines how many lines the log has dropped since the start, because nobody reads it */
export function createLogNotifier(name: string, leastPriority: AlertPriority, write: WriteAlertLine, droppedLines: () => number): Notifier {
  let droppedBefore = droppedLines()
  return {
    name,
    leastPriority,
    deliver(notification) {
      const isNews = notification.event === 'firing' || notification.event === 'updated' || notification.event === 'escalated'
      const urgency = !isNews ? 'info' : notification.priority === 'P0' ? 'error' : 'warn'
      write(urgency, 'ALERT', notification.title, webhookPayload(notification))
      return Promise.resolve({ kind: 'delivered' })
    },
    selfTest() {
      const dropped = droppedLines()
      const lost = dropped - droppedBefore
      droppedBefore = dropped
      return Promise.resolve(lost === 0 ? reachable : unreachable(`${lost} lines were dropped: whoever reads the log does not keep up`))
    },
    close: () => Promise.resolve(),
  }
}
