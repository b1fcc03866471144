/**
 * From one state of the alerts to the next: raised, escalated, over. The operators' part is `operator-actions.ts`; who is
 * told of it is `storm.ts`. An alert leaves `firing` for `acknowledged` or `resolved` and never comes back: what is there
 * again later is a new alert of the same rule and component.
 */
import { dedupKeyOf, automatic, resolved, shortened, type ActiveAlert, type FiringAlert, type ResolvedAlert } from './alert.ts'
import { suppressedUntil, type AlertBook } from './alert-book.ts'
import { escalated, type EscalationSettings } from './escalation.ts'
import type { DueAlert, Evaluation } from './evaluate.ts'
import { alertLimits } from './limits.ts'
import { incidentHead } from './root-cause.ts'

export interface Advance {
  readonly book: AlertBook
  readonly raised: readonly ActiveAlert[]
  readonly resolved: readonly ResolvedAlert[]
  readonly escalated: readonly { readonly alert: ActiveAlert; readonly to: string }[]
}

/** @param ids as many as there are alerts to raise */
export function advance(book: AlertBook, evaluation: Evaluation, ids: readonly string[], deployment: string, escalation: EscalationSettings, nowMs: number): Advance {
  const over = evaluation.over.map(({ alert, reason }) => resolved(alert, automatic, reason, nowMs))
  const ended = withoutResolved(book, over)
  const active = [...ended.active]
  const raised = evaluation.raise.map((due, index): FiringAlert => {
    const alert = raisedAlert(due, ids[index] ?? '', deployment, active, nowMs)
    active.push(alert)
    return alert
  })
  const up = escalations({ ...ended, active }, escalation, nowMs)
  return { book: { ...ended, active: up.active }, raised, resolved: over, escalated: up.escalated }
}

/** Moves the alerts from the active to those that are over. */
export function withoutResolved(book: AlertBook, over: readonly ResolvedAlert[]): AlertBook {
  if (over.length === 0) return book
  const ids = new Set(over.map((alert) => alert.id))
  return { ...book, active: book.active.filter((alert) => !ids.has(alert.id)), over: [...over, ...book.over].slice(0, alertLimits.resolvedKept) }
}

function raisedAlert(due: DueAlert, id: string, deployment: string, active: readonly ActiveAlert[], nowMs: number): FiringAlert {
  const head = incidentHead(due, active)
  const { rule, component, priority, role, action, runbook } = due
  return {
    id,
    rule,
    component,
    priority,
    role,
    message: shortened(due.message),
    action,
    runbook,
    startedAtMs: nowMs,
    status: 'firing',
    dedupKey: head?.dedupKey ?? dedupKeyOf(deployment, rule, component),
    told: null,
    level: 0,
    levelAtMs: nowMs,
  }
}

/** Of an incident only its first active alert goes up: the others are the same page. */
function escalations(book: AlertBook, settings: EscalationSettings, nowMs: number): Pick<Advance, 'escalated'> & { readonly active: readonly ActiveAlert[] } {
  const up: { alert: ActiveAlert; to: string }[] = []
  const active = book.active.map((alert) => {
    const isHead = book.active.find((other) => other.dedupKey === alert.dedupKey)?.id === alert.id
    if (!isHead || alert.told === null || suppressedUntil(alert, book.suppressions, nowMs) !== null) return alert
    const next = escalated(alert, settings, nowMs)
    if (next === null) return alert
    up.push({ alert: next, to: settings.chain[next.level]?.name ?? '' })
    return next
  })
  return { active, escalated: up }
}
