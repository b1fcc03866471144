/**
 * Everything that the Alert Manager remembers, as one value that is written with one compare-and-set: active alerts, those
 * that are over, suppressions, a storm, the preferred route, and the notifications that are not yet delivered. Because the
 * alert and its notification are written together, none is raised without being told and none is told twice in vain.
 *
 * `token` is the fencing token of the instance that evaluated last: one that held the lease before and wakes up late finds
 * a greater one and leaves the book alone.
 *
 * What is stored was written by this program, perhaps by another version of it: `readBook` takes only a value of this
 * version and gives an empty book for anything else.
 */
import { severityOf, type AlertSeverity } from '../operation/alert-facts.ts'
import type { JsonValue } from '../operation/converse.ts'
import type { Route } from '../operation/matrix.ts'
import type { ActiveAlert, Alert, ResolvedAlert } from './alert.ts'
import { alertLimits } from './limits.ts'
import type { Notification } from './notification.ts'

export interface Suppression {
  readonly severities: readonly AlertSeverity[] | null
  readonly component: string | null
  readonly rule: string | null
  readonly untilMs: number
  readonly by: string
  readonly reason: string | null
}

/** One notification that stands for many alerts. */
export interface Storm {
  readonly dedupKey: string
  /** While open, every further alert belongs to it. */
  readonly isOpen: boolean
  readonly priority: Alert['priority']
  readonly toldAtMs: number
  /** How many alerts the receivers know of. */
  readonly toldAlerts: number
}

export interface RoutePreference {
  readonly route: Route
  readonly reason: string
  readonly untilMs: number
}

export interface OutboxEntry {
  readonly notification: Notification
  /** The names of the notifiers that have not had it. */
  readonly waiting: readonly string[]
}

export interface AlertBook {
  readonly version: 1
  readonly token: number
  readonly active: readonly ActiveAlert[]
  /** The newest first. */
  readonly over: readonly ResolvedAlert[]
  readonly suppressions: readonly Suppression[]
  /** By track: until when an alert that an operator resolved is not raised again. */
  readonly dismissed: Readonly<Record<string, number>>
  readonly storm: Storm | null
  readonly preference: RoutePreference | null
  readonly outbox: readonly OutboxEntry[]
}

export const emptyBook: AlertBook = Object.freeze({ version: 1, token: 0, active: [], over: [], suppressions: [], dismissed: {}, storm: null, preference: null, outbox: [] })

export function readBook(value: JsonValue | undefined): AlertBook {
  const isBook = typeof value === 'object' && value !== null && 'version' in value && value['version'] === emptyBook.version
  // The shape follows from the version: only this program writes the record.
  return isBook ? (value as unknown as AlertBook) : emptyBook
}

/** Until when the alert is suppressed, or null. */
export function suppressedUntil(alert: Pick<Alert, 'rule' | 'component' | 'priority'>, suppressions: readonly Suppression[], nowMs: number): number | null {
  const ends = suppressions.filter((suppression) => suppression.untilMs > nowMs && suppresses(suppression, alert)).map((suppression) => suppression.untilMs)
  return ends.length === 0 ? null : Math.max(...ends)
}

export function suppresses(suppression: Suppression, alert: Pick<Alert, 'rule' | 'component' | 'priority'>): boolean {
  return (
    (suppression.severities === null || suppression.severities.includes(severityOf(alert.priority))) &&
    (suppression.component === null || suppression.component === alert.component) &&
    (suppression.rule === null || suppression.rule === alert.rule)
  )
}

/** The book without what time has made void, within its limits. The same book when nothing was. */
export function tidied(book: AlertBook, nowMs: number): AlertBook {
  const over = book.over.filter((alert, index) => index < alertLimits.resolvedKept && alert.resolvedAtMs > nowMs - alertLimits.resolvedKeptMs)
  const suppressions = book.suppressions.filter((suppression) => suppression.untilMs > nowMs)
  const dismissed = Object.entries(book.dismissed).filter(([, untilMs]) => untilMs > nowMs)
  // Given up by every receiver that there is; what waits longer waits for one that is configured no more.
  const outbox = book.outbox.filter((entry) => entry.notification.createdAtMs > nowMs - 2 * alertLimits.deliveryMs)
  const isTidy = outbox.length === book.outbox.length && over.length === book.over.length && suppressions.length === book.suppressions.length && dismissed.length === Object.keys(book.dismissed).length
  return isTidy ? book : { ...book, over, suppressions, outbox, dismissed: Object.fromEntries(dismissed) }
}

/** With notifications for delivery; beyond the limit the oldest that is no first news gives way, and is returned. */
export function withNotifications(book: AlertBook, entries: readonly OutboxEntry[]): { readonly book: AlertBook; readonly dropped: readonly OutboxEntry[] } {
  const outbox = [...book.outbox, ...entries.filter((entry) => entry.waiting.length > 0)]
  const dropped: OutboxEntry[] = []
  while (outbox.length > alertLimits.outbox) {
    const index = Math.max(0, outbox.findIndex((entry) => entry.notification.event !== 'firing'))
    dropped.push(...outbox.splice(index, 1))
  }
  return { book: { ...book, outbox }, dropped }
}

/** Without what a notifier has had, or what was given up for it. */
export function withoutDelivered(book: AlertBook, done: readonly { readonly id: string; readonly notifier: string }[]): AlertBook {
  const outbox = book.outbox.flatMap((entry) => {
    const waiting = entry.waiting.filter((notifier) => !done.some((each) => each.notifier === notifier && each.id === entry.notification.id))
    if (waiting.length === 0) return []
    return waiting.length === entry.waiting.length ? [entry] : [{ ...entry, waiting }]
  })
  return { ...book, outbox }
}
