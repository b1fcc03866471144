/**
 * One tick of the rules: from readings, what earlier ticks saw and the alerts that are active to what has to be raised and
 * what is over. It raises nothing itself, and knows neither ids nor receivers.
 *
 * Of the alerts that become due at one tick the causes are taken first, so that what they explain is held back behind them
 * although it is due at the same tick. A condition that is held back stays due: when its cause and the aftermath are over
 * and it is still there, it is raised then.
 */
import { alertRank } from '../operation/alert-facts.ts'
import { trackKey, type ActiveAlert, type ResolvedReason } from './alert.ts'
import type { AlertBook } from './alert-book.ts'
import { alertLimits } from './limits.ts'
import { measure } from './measure.ts'
import type { CompleteReadings } from './readings.ts'
import { allCausesAbove, causeAmong, explanationOf, type Concerned } from './root-cause.ts'
import type { AlertRule, RuleRole } from './rules.ts'
import { holds, isOver, isQuiet, isSilent, markOf, ticksOf, withMark, type TickWindow } from './tick-window.ts'

export type Windows = Readonly<Record<string, TickWindow>>

export interface DueAlert extends Concerned {
  readonly message: string
  readonly action: string
  readonly runbook: string
}

export interface HeldAlert extends Concerned {
  /** What explains it. */
  readonly behind: Concerned
}

export interface Evaluation {
  readonly raise: readonly DueAlert[]
  readonly held: readonly HeldAlert[]
  readonly over: readonly { readonly alert: ActiveAlert; readonly reason: ResolvedReason }[]
  /** Due, and not raised because too many are active. */
  readonly beyondLimit: number
}

/** What this tick adds to the windows. `readings` is null when the source failed: then everything is unknown. */
export function observe(rules: readonly AlertRule[], readings: CompleteReadings | null, windows: Windows, active: readonly ActiveAlert[], tick: number, tickMs: number): Windows {
  const next: Record<string, TickWindow> = {}
  for (const rule of rules) {
    const kept = Math.max(ticksOf(rule.forMs, tickMs), ticksOf(rule.clearMs, tickMs), ticksOf(rule.silenceClearsMs ?? 0, tickMs)) + 1
    const measured = new Map((readings === null ? [] : measure(rule, readings)).map((measurement) => [measurement.component, measurement.there]))
    // What was seen before and is measured no more: a component that was switched off cannot be in any state.
    const earlier = Object.keys(windows).filter((key) => key.startsWith(`${rule.name}/`)).map((key) => key.slice(rule.name.length + 1))
    const ofAlerts = active.filter((alert) => alert.rule === rule.name).map((alert) => alert.component)
    for (const component of new Set([...measured.keys(), ...earlier, ...ofAlerts])) {
      const key = trackKey(rule.name, component)
      const there = readings === null ? null : measured.has(component) ? (measured.get(component) ?? null) : false
      const window = withMark(windows[key], tick, markOf(there), kept)
      if (!isQuiet(window) || ofAlerts.includes(component)) next[key] = window
    }
  }
  return next
}

export function evaluate(rules: readonly AlertRule[], readings: CompleteReadings | null, windows: Windows, book: AlertBook, tickMs: number, nowMs: number): Evaluation {
  const due: DueAlert[] = []
  const over: { alert: ActiveAlert; reason: ResolvedReason }[] = []
  for (const alert of book.active) {
    const rule = rules.find((each) => each.name === alert.rule)
    const reason = rule === undefined ? 'rule_removed' : reasonToResolve(rule, windows[trackKey(alert.rule, alert.component)], tickMs)
    if (reason !== null) over.push({ alert, reason })
  }
  for (const rule of rules) {
    for (const { component, says } of readings === null ? [] : measure(rule, readings)) {
      const key = trackKey(rule.name, component)
      const window = windows[key]
      if (window === undefined || !holds(window, ticksOf(rule.forMs, tickMs))) continue
      if ((book.dismissed[key] ?? 0) > nowMs || book.active.some((alert) => alert.rule === rule.name && alert.component === component)) continue
      due.push({ rule: rule.name, component, priority: rule.priority, role: rule.role, message: says.endsWith('.') ? says : `${says}.`, action: rule.action, runbook: rule.runbook })
    }
  }
  const stillActive = book.active.filter((alert) => !over.some((ended) => ended.alert.id === alert.id))
  const justOver = over.filter(({ reason }) => reason === 'recovered').map(({ alert }) => alert)
  return { ...separated(due, stillActive, justOver, book, nowMs), over }
}

function reasonToResolve(rule: AlertRule, window: TickWindow | undefined, tickMs: number): ResolvedReason | null {
  if (window === undefined) return null
  if (isOver(window, ticksOf(rule.clearMs, tickMs))) return 'recovered'
  return rule.silenceClearsMs !== null && isSilent(window, ticksOf(rule.silenceClearsMs, tickMs)) ? 'no_data' : null
}

const order: Readonly<Record<RuleRole, number>> = Object.freeze({ headline: 0, cause: 1, component: 2, symptom: 3, independent: 4 })

/** What is raised and what is held back behind it or behind what is active. */
function separated(due: readonly DueAlert[], active: readonly ActiveAlert[], justOver: readonly ActiveAlert[], book: AlertBook, nowMs: number): Pick<Evaluation, 'raise' | 'held' | 'beyondLimit'> {
  const causesFirst = due.toSorted(
    (one, other) => order[one.role] - order[other.role] || alertRank(one.priority) - alertRank(other.priority) || allCausesAbove(one.component).size - allCausesAbove(other.component).size,
  )
  const raise: DueAlert[] = []
  const held: HeldAlert[] = []
  let beyondLimit = 0
  for (const alert of causesFirst) {
    const behind = explanationOf(alert, active, book.over, nowMs) ?? causeAmong(justOver, alert) ?? causeAmong(raise, alert)
    if (behind !== undefined) held.push({ ...alert, behind })
    else if (active.length + raise.length < alertLimits.active) raise.push(alert)
    else beyondLimit += 1
  }
  return { raise, held, beyondLimit }
}
