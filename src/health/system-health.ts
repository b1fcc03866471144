/**
 * How the system is (public contract, part 6): `critical` when some row of the matrix has no usable route, `unhealthy` when a
 * required component is critical, `degraded` when any component is not healthy. Components that are switched off do not
 * count, nor do those of which nothing is known yet.
 *
 * The MCP path is not required where every row that uses it has the direct path as well: its failure degrades the system
 * and does not take it out of a load balancer.
 */
import type { OperationType } from '../operation/matrix.ts'
import type { HealthLevel } from './health-level.ts'

export interface RowRoutes {
  readonly type: OperationType
  /** Routes of the row that are configured. */
  readonly configured: number
  /** Of these, routes with a target or server that can be used now. */
  readonly usable: number
}

export interface CountedComponent {
  readonly level: HealthLevel
  /** Without it no operation can be answered. */
  readonly required: boolean
}

/** @param rows one for each row of the matrix @param components those that are switched on */
export function systemHealth(rows: readonly RowRoutes[], components: readonly CountedComponent[]): HealthLevel {
  if (rows.some((row) => row.usable === 0)) return 'critical'
  if (components.some((component) => component.required && component.level === 'critical')) return 'unhealthy'
  if (rows.some((row) => row.usable < row.configured)) return 'degraded'
  if (components.some((component) => component.level !== 'healthy' && component.level !== 'unknown')) return 'degraded'
  return 'healthy'
}
