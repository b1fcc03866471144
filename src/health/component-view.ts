/**
 * A component as it is shown: its level and reason from those of its subjects, the slowest answer, the last check, the last
 * error and since when. What health pages, alerts and metrics read.
 */
import type { JsonObject } from '../operation/converse.ts'
import { combinedLevel, messageOf } from './component-health.ts'
import type { ComponentName } from './component-names.ts'
import type { HealthLevel } from './health-level.ts'
import type { HealthComponent } from './health-subject.ts'
import type { ObservedBy, WatchedSubject } from './watched-subject.ts'

export interface SubjectView {
  readonly id: string
  readonly title: string
  readonly status: HealthLevel
  readonly message: string
  readonly responseTimeMs: number | null
  /** Wall clock. */
  readonly lastCheckAtMs: number | null
  readonly sinceMs: number
  readonly lastError: { readonly message: string; readonly atMs: number } | null
  /** How the last observation was made. */
  readonly by: ObservedBy | null
  readonly details: JsonObject
}

export interface ComponentView {
  readonly name: ComponentName
  readonly what: string
  readonly enabled: boolean
  readonly required: boolean
  readonly status: HealthLevel
  readonly message: string
  readonly responseTimeMs: number | null
  readonly lastCheckAtMs: number | null
  readonly sinceMs: number
  readonly lastError: { readonly message: string; readonly atMs: number } | null
  readonly subjects: readonly SubjectView[]
  readonly details: JsonObject
}

/** @param watched its subjects; none of one that is switched off @param sinceMs when its level began; wall clock */
export function viewOfComponent(component: HealthComponent, watched: readonly WatchedSubject[], sinceMs: number): ComponentView {
  const views = watched.map(viewOfSubject)
  const times = views.flatMap((view) => view.responseTimeMs ?? [])
  const checks = views.flatMap((view) => view.lastCheckAtMs ?? [])
  const errors = views.flatMap((view) => view.lastError ?? []).sort((a, b) => b.atMs - a.atMs)
  return {
    name: component.name,
    what: component.what,
    enabled: component.off === null,
    required: component.required,
    status: combinedLevel(views.map((view) => view.status)),
    message: component.off ?? messageOf(views.map((view) => ({ title: view.title, level: view.status, reason: view.message }))),
    responseTimeMs: times.length === 0 ? null : Math.max(...times),
    lastCheckAtMs: checks.length === 0 ? null : Math.max(...checks),
    sinceMs,
    lastError: errors[0] ?? null,
    subjects: views,
    details: component.details?.() ?? {},
  }
}

function viewOfSubject(watched: WatchedSubject): SubjectView {
  const { subject, state, reason, responseTimeMs, lastCheckAtMs, lastError, by, details } = watched
  // What was seen does not change the level yet: then both are said.
  const message = state.row.length === 0 ? reason : `${reason} (${state.row.length} in a row so far)`
  return { id: subject.id, title: subject.title, status: state.level, message, responseTimeMs, lastCheckAtMs, sinceMs: state.sinceMs, lastError, by, details }
}
