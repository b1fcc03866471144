/**
 * Who is told next, and when. The runbook ("Alert rules"): an alert that is not acknowledged in its time goes up one level:
 * on-call engineer, AI operations lead (15 min), DevOps lead (30 min), CTO (1 h, P0 only).
 *
 * The exact rule: the first step up is at the response time of the alert's priority. A further level is reached at its own
 * time since the alert was told, and never sooner after the level before it than the chain puts between the two. So P0
 * goes up after 5, 30 and 60 min; P1 after 15 and 30; P2 after 60 and 75; P3 at the end of the next business day and a
 * quarter of an hour later. A level may be for some priorities only. Where the chain ends nobody is told again.
 *
 * The times count from when somebody was told: the tick of the raising, or the end of a suppression. An acknowledged,
 * resolved or suppressed alert does not go up.
 */
import { alertPriorities, type AlertPriority } from '../operation/alert-facts.ts'
import { endOfNextBusinessDay, type BusinessHours } from './business-hours.ts'
import type { ActiveAlert } from './alert.ts'

export interface EscalationLevel {
  readonly name: string
  /** Since the alert was told; 0 for the first. */
  readonly afterMs: number
  readonly priorities: readonly AlertPriority[]
}

export interface EscalationSettings {
  /** In order; the first is told when an alert is raised. */
  readonly chain: readonly EscalationLevel[]
  /** `null`: the end of the next business day. */
  readonly respondWithinMs: Readonly<Record<AlertPriority, number | null>>
  readonly businessHours: BusinessHours
}

const minuteMs = 60_000

export const runbookEscalation: EscalationSettings = {
  chain: [
    { name: 'on-call engineer', afterMs: 0, priorities: alertPriorities },
    { name: 'AI operations lead', afterMs: 15 * minuteMs, priorities: alertPriorities },
    { name: 'DevOps lead', afterMs: 30 * minuteMs, priorities: alertPriorities },
    { name: 'CTO', afterMs: 60 * minuteMs, priorities: ['P0'] },
  ],
  respondWithinMs: { P0: 5 * minuteMs, P1: 15 * minuteMs, P2: 60 * minuteMs, P3: null },
  businessHours: { timeZone: 'UTC', days: [1, 2, 3, 4, 5], endMinutes: 17 * 60 },
}

export interface EscalationStep {
  readonly level: number
  readonly name: string
  readonly atMs: number
}

/** The next step up and when it is due, or null where there is none. */
export function nextStep(alert: ActiveAlert, settings: EscalationSettings): EscalationStep | null {
  if (alert.status === 'acknowledged') return null
  const { chain } = settings
  const level = chain.findIndex((each, index) => index > alert.level && each.priorities.includes(alert.priority))
  const next = chain[level]
  if (next === undefined) return null
  if (alert.level === 0) return { level, name: next.name, atMs: respondBy(alert, settings) }
  const gapMs = next.afterMs - (chain[alert.level]?.afterMs ?? 0)
  return { level, name: next.name, atMs: Math.max(toldAtMs(alert) + next.afterMs, alert.levelAtMs + Math.max(0, gapMs)) }
}

/** When the alert has to be acknowledged. */
export function respondBy(alert: ActiveAlert, settings: EscalationSettings): number {
  const withinMs = settings.respondWithinMs[alert.priority]
  return withinMs === null ? endOfNextBusinessDay(toldAtMs(alert), settings.businessHours) : toldAtMs(alert) + withinMs
}

function toldAtMs(alert: ActiveAlert): number {
  return alert.told?.atMs ?? alert.startedAtMs
}

/** The alert one level up when that is due. One tick takes at most one step, however late it comes. */
export function escalated(alert: ActiveAlert, settings: EscalationSettings, nowMs: number): ActiveAlert | null {
  const step = nextStep(alert, settings)
  return step === null || step.atMs > nowMs ? null : { ...alert, level: step.level, levelAtMs: nowMs }
}
