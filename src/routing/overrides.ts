/**
 * How the operators' levers rank against each other and against the matrix, and to which operations a lever does not apply.
 *
 * Precedence (public contract, part 7): isolation, then an operator's force, then automatic actions, then the percentage,
 * then the matrix. The highest lever that applies to an operation gives the preferred route and the reason. An emergency has
 * one route only, so no lever but isolation touches it.
 *
 * - A force leaves the other route out altogether: an operator who forces MCP wants no traffic on Bedrock. Where the forced
 *   route cannot take the operation at all (not allowed by its row, not configured, isolated, does not carry it), the force
 *   does not apply to it.
 * - Automatic actions and the percentage choose the first route; the other one stays the fallback.
 * - The percentage concerns the operations whose row says direct: that is the traffic that is being brought back.
 */
import type { DecisionReason } from '../operation/decision.ts'
import { operationTypes, type Matrix, type MatrixRow, type OperationType, type Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { Overrides } from './conditions.ts'

export type Lever =
  | { readonly lever: 'force'; readonly route: Route }
  | { readonly lever: 'automatic'; readonly prefer: Route }
  | { readonly lever: 'percentage'; readonly directPercent: number }
  | { readonly lever: 'isolation'; readonly route: Route }

export function allows(type: OperationType, row: MatrixRow, route: Route): boolean {
  // An emergency never leaves the direct route, whatever a configuration writes into its row.
  if (type === 'emergency') return route === 'direct'
  return row.route === route || row.fallback === route
}

export function isIsolated(overrides: Overrides, route: Route, nowMs: number): boolean {
  for (const isolation of overrides.isolated) if (isolation.route === route && nowMs < isolation.untilMs) return true
  return false
}

/** The route that the levers below a force prefer for a row, with the lever's reason. */
export function preferredReason(operation: Operation, row: MatrixRow, overrides: Overrides, nowMs: number): DecisionReason {
  if (operation.type === 'emergency') return 'matrix'
  const { automatic, percentage } = overrides
  if (automatic !== null && nowMs < automatic.untilMs && allows(operation.type, row, automatic.prefer)) return 'automatic'
  if (percentage !== null && nowMs < percentage.untilMs && percentageApplies(operation.type, row, percentage.directPercent)) return 'percentage'
  return 'matrix'
}

export function preferredRoute(reason: DecisionReason, operation: Operation, row: MatrixRow, overrides: Overrides): Route {
  if (reason === 'automatic' && overrides.automatic !== null) return overrides.automatic.prefer
  if (reason === 'percentage' && overrides.percentage !== null) {
    return sharePoint(operation.idempotencyKey ?? operation.correlationId) < overrides.percentage.directPercent ? 'direct' : 'mcp'
  }
  return operation.type === 'emergency' ? 'direct' : row.route
}

/** The operations that a lever leaves as they are: what a lever's response lists as `notApplied`. */
export function notApplied(lever: Lever, matrix: Matrix): readonly OperationType[] {
  return operationTypes.filter((type) => {
    const row = matrix[type]
    switch (lever.lever) {
      case 'force':
        return !allows(type, row, lever.route)
      case 'automatic':
        return !allows(type, row, lever.prefer)
      case 'percentage':
        return !percentageApplies(type, row, 0)
      case 'isolation':
        return !allows(type, row, lever.route)
    }
  })
}

function percentageApplies(type: OperationType, row: MatrixRow, directPercent: number): boolean {
  return directPercent < 100 && type !== 'emergency' && row.route === 'direct' && row.fallback === 'mcp'
}

/**
 * Where a key stands between 0 and 100: FNV-1a over its UTF-16 units (Fowler, Noll, Vo), finished with the mixer of
 * MurmurHash3, because FNV's high bits move little for keys that differ at their end. The same key always stands at the same
 * point, so that raising the percentage only adds operations.
 */
export function sharePoint(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296) * 100
}
