/**
 * The routing decision matrix: for each of the seven operations its priority, its latency requirement, its hard timeout,
 * its route and its fallback. The rows are the operators' runbook, section "Routing decision matrix"; the hard timeouts
 * are the public contract's defaults. A configuration may override any cell; nothing else in the program states a row.
 */
export const operationTypes = [
  'emergency',
  'infrastructure',
  'meta_monitor',
  'implementation',
  'kiro_communication',
  'standard_analysis',
  'background_task',
] as const
export type OperationType = (typeof operationTypes)[number]

/** From the most to the least urgent: the index is the rank. */
export const priorities = ['critical', 'high', 'medium', 'low'] as const
export type Priority = (typeof priorities)[number]

export const routes = ['direct', 'mcp'] as const
export type Route = (typeof routes)[number]

export interface MatrixRow {
  readonly priority: Priority
  /** The latency requirement, from the arrival of the request. */
  readonly latencyMs: number
  /** When the operation is answered with `deadline_exceeded` whatever happens, from the arrival of the request. */
  readonly hardTimeoutMs: number
  readonly route: Route
  readonly fallback: Route | 'none'
}

export type Matrix = Readonly<Record<OperationType, MatrixRow>>

export const runbookMatrix: Matrix = Object.freeze({
  emergency: { priority: 'critical', latencyMs: 5_000, hardTimeoutMs: 10_000, route: 'direct', fallback: 'none' },
  infrastructure: { priority: 'critical', latencyMs: 10_000, hardTimeoutMs: 15_000, route: 'direct', fallback: 'mcp' },
  meta_monitor: { priority: 'high', latencyMs: 15_000, hardTimeoutMs: 30_000, route: 'direct', fallback: 'mcp' },
  implementation: { priority: 'high', latencyMs: 15_000, hardTimeoutMs: 30_000, route: 'direct', fallback: 'mcp' },
  kiro_communication: { priority: 'medium', latencyMs: 30_000, hardTimeoutMs: 60_000, route: 'mcp', fallback: 'direct' },
  standard_analysis: { priority: 'medium', latencyMs: 30_000, hardTimeoutMs: 60_000, route: 'mcp', fallback: 'direct' },
  background_task: { priority: 'low', latencyMs: 60_000, hardTimeoutMs: 120_000, route: 'mcp', fallback: 'direct' },
})

/** 0 for critical, 3 for low. */
export function priorityRank(priority: Priority): number {
  return priorities.indexOf(priority)
}

export interface OperationLimits {
  readonly latencyRequirementMs: number
  readonly hardTimeoutMs: number
}

/**
 * The requirement is the row's, or the caller's `latencyMs` where that is tighter; the hard timeout shrinks in the same
 * proportion (public contract, part 3, "Time").
 */
export function operationLimits(row: MatrixRow, callerLatencyMs?: number): OperationLimits {
  if (callerLatencyMs === undefined || callerLatencyMs >= row.latencyMs) {
    return { latencyRequirementMs: row.latencyMs, hardTimeoutMs: row.hardTimeoutMs }
  }
  return { latencyRequirementMs: callerLatencyMs, hardTimeoutMs: (row.hardTimeoutMs * callerLatencyMs) / row.latencyMs }
}
