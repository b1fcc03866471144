/**
 * What the other components learn of an alert: the runbook's priorities with their names in the API ("Alert rules"), and
 * the few members that metrics, logs and audit read from an event. The whole alert, with its life cycle, is the Alert
 * Manager's (`alerts/alert.ts`).
 */

/** From the most to the least urgent: the index is the rank. */
export const alertPriorities = ['P0', 'P1', 'P2', 'P3'] as const
export type AlertPriority = (typeof alertPriorities)[number]

/** The names of the priorities in the API, in the same order. */
export const alertSeverities = ['critical', 'high', 'medium', 'low'] as const
export type AlertSeverity = (typeof alertSeverities)[number]

export interface AlertFacts {
  readonly id: string
  readonly rule: string
  readonly component: string
  readonly priority: AlertPriority
  readonly message: string
  /** Wall clock. */
  readonly startedAtMs: number
}

/** 0 for P0, 3 for P3. */
export function alertRank(priority: AlertPriority): number {
  return alertPriorities.indexOf(priority)
}

export function severityOf(priority: AlertPriority): AlertSeverity {
  return alertSeverities[alertRank(priority)] ?? 'low'
}

export function priorityOf(severity: AlertSeverity): AlertPriority {
  return alertPriorities[alertSeverities.indexOf(severity)] ?? 'P3'
}
