/**
 * The alert response time of the runbook's key metrics: critical alerts, from raised to acknowledged; within 5 minutes is
 * the target, more than 15 is critical. An alert that is resolved without having been acknowledged was answered by nobody
 * and counts on neither side; one that still waits is shown by how long it has waited.
 */
import type { AlertPriority } from '../operation/alert-facts.ts'
import type { AlertBook } from './alert-book.ts'

export interface ResponseTime {
  /** Acknowledged critical alerts of the window. */
  readonly count: number
  readonly meanMs: number | null
  readonly longestMs: number | null
  /** How long the longest-waiting critical alert has waited; null when none waits. */
  readonly waitingMs: number | null
}

export function responseTimeOf(book: AlertBook, windowMs: number, nowMs: number, priority: AlertPriority = 'P0'): ResponseTime {
  const answers: number[] = []
  let waitingMs: number | null = null
  for (const alert of [...book.active, ...book.over]) {
    if (alert.priority !== priority) continue
    if (alert.status === 'firing') waitingMs = Math.max(waitingMs ?? 0, nowMs - alert.startedAtMs)
    else if (alert.acknowledgedAtMs !== null && alert.acknowledgedAtMs > nowMs - windowMs) answers.push(Math.max(0, alert.acknowledgedAtMs - alert.startedAtMs))
  }
  if (answers.length === 0) return { count: 0, meanMs: null, longestMs: null, waitingMs }
  return { count: answers.length, meanMs: answers.reduce((sum, each) => sum + each, 0) / answers.length, longestMs: Math.max(...answers), waitingMs }
}
