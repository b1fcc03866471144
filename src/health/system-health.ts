/**
 * How the system is, from what its routes can do (public contract, part 6): `critical` when some row of the matrix has no
 * usable route, `degraded` when some row cannot use its first choice, or something else is not as it should be. What is
 * switched off or not configured does not count against a row that has another way.
 */
import type { OperationType } from '../operation/matrix.ts'

/** From the best to the worst. */
export const healthLevels = ['healthy', 'degraded', 'unhealthy', 'critical', 'unknown'] as const
export type HealthLevel = (typeof healthLevels)[number]

export interface RowRoutes {
  readonly type: OperationType
  /** Routes of the row that are configured. */
  readonly configured: number
  /** Of these, routes with a target or server that can be used now. */
  readonly usable: number
}

/** @param rows one for each row of the matrix */
export function systemHealth(rows: readonly RowRoutes[]): HealthLevel {
  if (rows.some((row) => row.usable === 0)) return 'critical'
  if (rows.some((row) => row.usable < row.configured)) return 'degraded'
  return 'healthy'
}
