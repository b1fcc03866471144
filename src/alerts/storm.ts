/**
 * What the receivers are told of a change of the book. One alert is one notification, until more than ten are raised within
 * five minutes (runbook, "Alert rules"): then the further ones belong to a storm, which is one notification that lists its
 * members by component and root cause. A storm is told again when it becomes more urgent at once, else once a minute while
 * it grows; it takes no more members when the rate has fallen, and is resolved with the last of them.
 *
 * What is suppressed is not told; when the suppression ends and the alert still fires, that is news then. Of what nobody was
 * told nobody is told the end. A cause that belongs to a headline, or the reverse, updates what was told first.
 */
import { alertRank } from '../operation/alert-facts.ts'
import { mostUrgent, shortened, trackKey, type ActiveAlert, type Alert, type ResolvedAlert } from './alert.ts'
import { suppressedUntil, type AlertBook, type Storm } from './alert-book.ts'
import type { HeldAlert } from './evaluate.ts'
import { alertLimits } from './limits.ts'
import { listed, type NotificationDraft, type StormGroup } from './notification.ts'
import { causeAmong } from './root-cause.ts'

export interface StormSettings {
  readonly moreThan: number
  readonly withinMs: number
}

export const runbookStorm: StormSettings = Object.freeze({ moreThan: 10, withinMs: 300_000 })

/** What happened to alerts that the receivers may know. They are in the book as they are now. */
export interface Happenings {
  readonly acknowledged: readonly ActiveAlert[]
  readonly escalated: readonly { readonly alert: ActiveAlert; readonly to: string }[]
  readonly resolved: readonly ResolvedAlert[]
  readonly by: string | null
}

export const nothingHappened: Happenings = Object.freeze({ acknowledged: [], escalated: [], resolved: [], by: null })

export interface Announcement {
  readonly book: AlertBook
  readonly drafts: readonly NotificationDraft[]
}

export interface AnnounceContext {
  readonly deployment: string
  readonly storm: StormSettings
  /** The first level of the chain. */
  readonly firstLevel: string
  readonly held: readonly HeldAlert[]
  readonly nowMs: number
}

export function announce(book: AlertBook, happenings: Happenings, context: AnnounceContext): Announcement {
  const news = announceNews(book, context)
  const after = news.book
  const changes = [...escalations(after, happenings), ...acknowledgements(after, happenings), ...resolutions(after, happenings)]
  const ended = stormEnd(after)
  return { book: ended.book, drafts: [...news.drafts, ...changes, ...ended.drafts] }
}

function announceNews(book: AlertBook, context: AnnounceContext): Announcement {
  const { nowMs, storm: settings } = context
  const untold = book.active.filter((alert) => alert.told === null && alert.status === 'firing' && suppressedUntil(alert, book.suppressions, nowMs) === null)
  const recentlyTold = [...book.active, ...book.over].filter((alert) => alert.told !== null && alert.told.atMs > nowMs - settings.withinMs).length
  const isStormy = recentlyTold + untold.length > settings.moreThan
  if (!isStormy) {
    const calm = book.storm?.isOpen === true ? { ...book, storm: { ...book.storm, isOpen: false } } : book
    return announceSingly(calm, untold, context)
  }
  return announceStorm(book, untold, context)
}

function announceSingly(book: AlertBook, untold: readonly ActiveAlert[], context: AnnounceContext): Announcement {
  const drafts: NotificationDraft[] = []
  const told = new Map<string, ActiveAlert>()
  for (const alert of untold) {
    const ofIncident = book.active.filter((other) => other.dedupKey === alert.dedupKey)
    const isUpdate = ofIncident.some((other) => other.id !== alert.id && (other.told !== null || told.has(other.id)))
    told.set(alert.id, { ...alert, told: { key: alert.dedupKey, atMs: context.nowMs } })
    drafts.push({
      ...blank,
      event: isUpdate ? 'updated' : 'firing',
      dedupKey: alert.dedupKey,
      priority: mostUrgent(ofIncident),
      title: titleOf(alert),
      ...listed([alert, ...ofIncident.filter((other) => other.id !== alert.id)]),
      to: isUpdate ? null : context.firstLevel,
    })
  }
  return { book: told.size === 0 ? book : { ...book, active: book.active.map((alert) => told.get(alert.id) ?? alert) }, drafts }
}

function announceStorm(book: AlertBook, untold: readonly ActiveAlert[], context: AnnounceContext): Announcement {
  const { nowMs } = context
  // One that has calmed but is not over goes on under its key: what it told must be resolved once.
  const isNew = book.storm === null || !book.storm.isOpen
  if (isNew && untold.length === 0) return { book, drafts: [] }
  const key = book.storm?.dedupKey ?? `${context.deployment}:alert-storm:${nowMs}`
  const active = book.active.map((alert) => (untold.includes(alert) ? { ...alert, told: { key, atMs: nowMs } } : alert))
  const members = active.filter((alert) => alert.told !== null && (alert.told.key === key || alert.told.atMs > nowMs - context.storm.withinMs))
  const priority = mostUrgent(members)
  const before = book.storm?.isOpen === true ? book.storm : null
  const isWorse = before !== null && alertRank(priority) < alertRank(before.priority)
  const hasGrown = before !== null && members.length > before.toldAlerts && nowMs - before.toldAtMs >= alertLimits.stormUpdateMs
  if (before !== null && !isWorse && !hasGrown) return { book: { ...book, active }, drafts: [] }
  const storm: Storm = { dedupKey: key, isOpen: true, priority, toldAtMs: nowMs, toldAlerts: members.length }
  const components = new Set(members.map((alert) => alert.component)).size
  const draft: NotificationDraft = {
    ...blank,
    event: isNew ? 'firing' : 'updated',
    dedupKey: key,
    priority,
    title: `[${priority}] alert storm: ${members.length} alerts on ${components} components`,
    ...listed(members),
    storm: stormGroups(members, context.held),
    to: isNew ? context.firstLevel : null,
  }
  return { book: { ...book, active, storm }, drafts: [draft] }
}

/** Members by component and root cause; what is held back counts with the cause that it stands behind. */
export function stormGroups(members: readonly ActiveAlert[], held: readonly HeldAlert[]): readonly StormGroup[] {
  const groups = new Map<string, StormGroup>()
  const add = (component: string, rootCause: string, rule: string): void => {
    const key = `${component} ${rootCause}`
    const group = groups.get(key) ?? { component, rootCause, rules: [], alerts: 0 }
    groups.set(key, { ...group, rules: [...new Set([...group.rules, rule])], alerts: group.alerts + 1 })
  }
  for (const alert of members) add(alert.component, rootCauseOf(alert, members), alert.rule)
  for (const alert of held) add(alert.component, trackKey(alert.behind.rule, alert.behind.component), alert.rule)
  return [...groups.values()].toSorted((one, other) => other.alerts - one.alerts || (one.component < other.component ? -1 : 1)).slice(0, alertLimits.listed)
}

function rootCauseOf(alert: ActiveAlert, members: readonly ActiveAlert[]): string {
  const cause = causeAmong(members.filter((other) => other.id !== alert.id), alert)
  return trackKey(cause?.rule ?? alert.rule, cause?.component ?? alert.component)
}

const blank = { storm: null, to: null, by: null } as const

function titleOf(alert: Alert): string {
  return shortened(`[${alert.priority}] ${alert.rule} on ${alert.component}: ${alert.message}`)
}

/** One notification for all alerts of the same key, because a storm may escalate as a whole. */
function byKey<Item>(items: readonly Item[], alertOf: (item: Item) => Alert): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = alertOf(item).told?.key
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return groups
}

function escalations(book: AlertBook, { escalated }: Happenings): readonly NotificationDraft[] {
  return [...byKey(escalated, (each) => each.alert)].map(([key, items]) => {
    const alerts = items.map((item) => item.alert)
    const priority = mostUrgent(book.active.filter((alert) => alert.told?.key === key))
    const to = [...new Set(items.map((item) => item.to))].join(', ')
    const first = alerts[0]
    const title = alerts.length === 1 && first !== undefined ? `not acknowledged, now ${to}: ${titleOf(first)}` : `not acknowledged, now ${to}: ${alerts.length} alerts`
    return { ...blank, event: 'escalated', dedupKey: key, priority, title: shortened(title), ...listed(alerts), to }
  })
}

function acknowledgements(book: AlertBook, { acknowledged, by }: Happenings): readonly NotificationDraft[] {
  return [...byKey(acknowledged, (alert) => alert)].flatMap(([key, alerts]): readonly NotificationDraft[] => {
    const ofKey = book.active.filter((alert) => alert.told?.key === key)
    // Half a storm that somebody has taken is still a storm that nobody has.
    if (ofKey.some((alert) => alert.status === 'firing')) return []
    return [{ ...blank, event: 'acknowledged', dedupKey: key, priority: mostUrgent(ofKey), title: `acknowledged by ${by ?? 'nobody'}: ${alerts.length === 1 && alerts[0] !== undefined ? titleOf(alerts[0]) : `${alerts.length} alerts`}`, ...listed(alerts), by }]
  })
}

function resolutions(book: AlertBook, { resolved, by }: Happenings): readonly NotificationDraft[] {
  return [...byKey(resolved, (alert) => alert)].flatMap(([key, alerts]): readonly NotificationDraft[] => {
    if (key === book.storm?.dedupKey) return []
    const rest = book.active.filter((alert) => alert.told?.key === key)
    const last = alerts[0]
    if (last === undefined) return []
    const what = alerts.length === 1 ? titleOf(last) : `${alerts.length} alerts`
    if (rest.length === 0) return [{ ...blank, event: 'resolved', dedupKey: key, priority: mostUrgent(alerts), title: shortened(`resolved: ${what}`), ...listed(alerts), by }]
    return [{ ...blank, event: 'updated', dedupKey: key, priority: mostUrgent(rest), title: shortened(`resolved: ${what}; still firing: ${rest.map((alert) => alert.rule).join(', ')}`), ...listed([...rest, ...alerts]), by }]
  })
}

function stormEnd(book: AlertBook): Announcement {
  const { storm } = book
  if (storm === null || storm.isOpen || book.active.some((alert) => alert.told?.key === storm.dedupKey)) return { book, drafts: [] }
  const members = book.over.filter((alert) => alert.told?.key === storm.dedupKey)
  const draft: NotificationDraft = { ...blank, event: 'resolved', dedupKey: storm.dedupKey, priority: storm.priority, title: `the alert storm is over: ${members.length} alerts resolved`, ...listed(members), storm: [] }
  return { book: { ...book, storm: null }, drafts: [draft] }
}
