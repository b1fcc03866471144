/**
 * What operators do with alerts (runbook, "Incident response"): acknowledge, resolve, resolve in bulk, suppress. Each gives
 * the book as it is then, what changed, and what it did not apply to with the reason: nobody has to guess at 3 a.m.
 *
 * Acknowledging one alert of an incident takes the incident: its other alerts are acknowledged with it. An alert that is
 * resolved by hand is not raised again for some minutes, although its condition is still there. A suppression silences and
 * stops escalation; it resolves nothing, and covers alerts that are raised while it lasts.
 */
import { alertRank, severityOf, type AlertSeverity } from '../operation/alert-facts.ts'
import { acknowledged, resolved, shortened, trackKey, type ActiveAlert, type ResolvedAlert } from './alert.ts'
import { suppresses, type AlertBook, type Suppression } from './alert-book.ts'
import { withoutResolved } from './life-cycle.ts'
import { alertLimits } from './limits.ts'
import type { AlertRule } from './rules.ts'

/** Every given member has to fit; without members, all. */
export interface AlertFilter {
  readonly severity?: readonly AlertSeverity[]
  readonly component?: string
  readonly rule?: string
}

export interface NotApplied {
  /** The id of an alert, or the name of what was asked for. */
  readonly what: string
  readonly why: string
}

export interface ActionOutcome {
  /** The ids of the alerts that changed. */
  readonly changed: readonly string[]
  readonly notApplied: readonly NotApplied[]
}

export interface ActionStep {
  readonly book: AlertBook
  readonly outcome: ActionOutcome
  readonly acknowledged: readonly ActiveAlert[]
  readonly resolved: readonly ResolvedAlert[]
}

export interface SuppressRequest extends AlertFilter {
  readonly durationMs: number
  readonly reason: string | null
}

export function fits(alert: Pick<ActiveAlert, 'priority' | 'component' | 'rule'>, filter: AlertFilter): boolean {
  return (
    (filter.severity === undefined || filter.severity.includes(severityOf(alert.priority))) &&
    (filter.component === undefined || filter.component === alert.component) &&
    (filter.rule === undefined || filter.rule === alert.rule)
  )
}

export function acknowledgeStep(book: AlertBook, id: string, who: string, nowMs: number): ActionStep {
  const chosen = book.active.find((alert) => alert.id === id)
  if (chosen === undefined) return refused(book, id, book.over.some((alert) => alert.id === id) ? 'it is resolved already' : 'there is no such alert')
  if (chosen.status === 'acknowledged') return refused(book, id, `it is acknowledged already, by ${chosen.acknowledgedBy}`)
  return acknowledgeThese(book, book.active.filter((alert) => alert.dedupKey === chosen.dedupKey), who, nowMs)
}

export function bulkAcknowledgeStep(book: AlertBook, filter: AlertFilter, who: string, nowMs: number): ActionStep {
  return acknowledgeThese(book, book.active.filter((alert) => fits(alert, filter)), who, nowMs)
}

export function resolveStep(book: AlertBook, id: string, who: string, rules: readonly AlertRule[], nowMs: number): ActionStep {
  const chosen = book.active.find((alert) => alert.id === id)
  if (chosen === undefined) return refused(book, id, book.over.some((alert) => alert.id === id) ? 'it is resolved already' : 'there is no such alert')
  return resolveThese(book, [chosen], who, rules, nowMs)
}

export function bulkResolveStep(book: AlertBook, filter: AlertFilter, who: string, rules: readonly AlertRule[], nowMs: number): ActionStep {
  const chosen = book.active.filter((alert) => fits(alert, filter))
  const rest = book.active.filter((alert) => !fits(alert, filter)).map((alert) => ({ what: alert.id, why: `${alert.rule} on ${alert.component} (${severityOf(alert.priority)}) is not of those` }))
  const step = resolveThese(book, chosen, who, rules, nowMs)
  return { ...step, outcome: { ...step.outcome, notApplied: rest } }
}

/** `changed` are the active alerts that it silences; `notApplied` those that go on. */
export function suppressStep(book: AlertBook, request: SuppressRequest, who: string, nowMs: number): ActionStep {
  if (!(request.durationMs > 0) || request.durationMs > alertLimits.suppressionMs) {
    return refused(book, 'duration', `${request.durationMs / 1_000} s is not in (0, ${alertLimits.suppressionMs / 1_000}]`)
  }
  const inForce = book.suppressions.filter((each) => each.untilMs > nowMs)
  if (inForce.length >= alertLimits.suppressions) return refused(book, 'suppression', `${alertLimits.suppressions} are in force, which is the most`)
  const suppression: Suppression = {
    severities: request.severity ?? null,
    component: request.component ?? null,
    rule: request.rule ?? null,
    untilMs: nowMs + request.durationMs,
    by: shortened(who, alertLimits.whoCharacters),
    reason: request.reason === null ? null : shortened(request.reason),
  }
  const silenced = book.active.filter((alert) => suppresses(suppression, alert))
  const loud = book.active.filter((alert) => !suppresses(suppression, alert)).toSorted((one, other) => alertRank(one.priority) - alertRank(other.priority))
  return {
    book: { ...book, suppressions: [...inForce, suppression] },
    outcome: { changed: silenced.map((alert) => alert.id), notApplied: loud.map((alert) => ({ what: alert.id, why: `${alert.rule} on ${alert.component} (${severityOf(alert.priority)}) is not of those` })) },
    acknowledged: [],
    resolved: [],
  }
}

/** Ends every suppression before its time. What still fires is told then. */
export function endSuppressionsStep(book: AlertBook): ActionStep {
  return { book: { ...book, suppressions: [] }, outcome: { changed: book.active.filter((alert) => book.suppressions.some((each) => suppresses(each, alert))).map((alert) => alert.id), notApplied: [] }, acknowledged: [], resolved: [] }
}

/** In words, for the audit record: `low, medium on cache-layer`. */
export function scopeOf(filter: AlertFilter): string {
  const severities = filter.severity === undefined ? 'all' : filter.severity.join(', ')
  return `${severities}${filter.rule === undefined ? '' : ` of ${filter.rule}`}${filter.component === undefined ? '' : ` on ${filter.component}`}`
}

function acknowledgeThese(book: AlertBook, chosen: readonly ActiveAlert[], who: string, nowMs: number): ActionStep {
  const by = shortened(who, alertLimits.whoCharacters)
  const taken = chosen.flatMap((alert) => (alert.status === 'firing' ? [acknowledged(alert, by, nowMs)] : []))
  const notApplied = chosen.flatMap((alert) => (alert.status === 'acknowledged' ? [{ what: alert.id, why: `it is acknowledged already, by ${alert.acknowledgedBy}` }] : []))
  const byId = new Map(taken.map((alert) => [alert.id, alert]))
  return { book: { ...book, active: book.active.map((alert) => byId.get(alert.id) ?? alert) }, outcome: { changed: taken.map((alert) => alert.id), notApplied }, acknowledged: taken, resolved: [] }
}

function resolveThese(book: AlertBook, chosen: readonly ActiveAlert[], who: string, rules: readonly AlertRule[], nowMs: number): ActionStep {
  const over = chosen.map((alert) => resolved(alert, shortened(who, alertLimits.whoCharacters), 'operator', nowMs))
  const dismissed = Object.fromEntries(
    chosen.map((alert) => {
      const forMs = rules.find((rule) => rule.name === alert.rule)?.forMs ?? 0
      return [trackKey(alert.rule, alert.component), nowMs + Math.max(alertLimits.dismissedMs, forMs)]
    }),
  )
  const next = withoutResolved(book, over)
  return { book: { ...next, dismissed: { ...next.dismissed, ...dismissed } }, outcome: { changed: over.map((alert) => alert.id), notApplied: [] }, acknowledged: [], resolved: over }
}

function refused(book: AlertBook, what: string, why: string): ActionStep {
  return { book, outcome: { changed: [], notApplied: [{ what, why }] }, acknowledged: [], resolved: [] }
}
