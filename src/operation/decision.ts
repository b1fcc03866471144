/**
 * What was decided for an operation and why, in closed lists, so that decisions can be counted, compared and explained.
 */
import type { Route } from './matrix.ts'

/** Why the first attempt goes where it goes. */
export const decisionReasons = [
  /** The matrix's route, and it can be used. */
  'matrix',
  /** The matrix's route has no target or server configured; its fallback is taken. */
  'primary_not_configured',
  /** The matrix's route cannot be used now (isolated, down, open breaker, cannot make it in time); its fallback is taken. */
  'primary_unavailable',
  /** The operation needs more than its route carries; the other allowed route carries it. */
  'capability',
  /** An operator forced the route. */
  'operator_force',
  /** An operator isolated the component of the other route. */
  'isolated',
  /** An automatic action of the Alert Manager prefers the route. */
  'automatic',
  /** The percentage by which an operator brings the direct route back. */
  'percentage',
  /** No allowed route can be used. */
  'no_route',
] as const
export type DecisionReason = (typeof decisionReasons)[number]

/** What is true of an allowed or forbidden route that was not chosen first. */
export const alternativeReasons = ['fallback', 'not_allowed', 'not_configured', 'unavailable', 'capability', 'isolated', 'overridden'] as const
export type AlternativeReason = (typeof alternativeReasons)[number]

export interface Alternative {
  readonly route: Route
  readonly reason: AlternativeReason
}

export interface RoutingDecision {
  /** Null when no allowed route can be used. */
  readonly route: Route | null
  /** The target or server that is tried first; null with the route. */
  readonly target: string | null
  readonly reason: DecisionReason
  readonly alternatives: readonly Alternative[]
}
