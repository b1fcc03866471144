/**
 * Where an operation goes first and why: the one function behind every answer, `POST /v1/routing/decide` and the simulator.
 * It never throws; what cannot be carried out is `route: null` with the reason `no_route`.
 *
 * Order of the considerations: what the row allows; what exists (configured, not isolated, carries what the operation
 * needs); the levers in their precedence (`overrides.ts`); what is usable just now. Usability reorders only: where no allowed
 * route is usable, the preferred one is tried all the same, and a forced route is never left for it.
 *
 * Must not know: how attempts go on after the first. `Plan` hands the attempt machine the routes that are left, in order.
 * Sources: the runbook's matrix, the public contract (parts 3, 5 and 7).
 */
import type { Alternative, AlternativeReason, DecisionReason, RoutingDecision } from '../operation/decision.ts'
import type { Matrix, Route } from '../operation/matrix.ts'
import { needsMoreThanText, type Operation } from '../operation/operation.ts'
import { firstCandidate, isReady } from './candidate-order.ts'
import { claimOf, type Claim } from './claim.ts'
import { otherRoute, type Conditions, type RouteConditions } from './conditions.ts'
import { allows, isIsolated, preferredReason, preferredRoute } from './overrides.ts'

export interface Plan {
  readonly decision: RoutingDecision
  /** The routes that attempts may take, the decision's first. */
  readonly routes: readonly Route[]
  /** Where it would have gone if that could be used: an answer from elsewhere used the fallback. */
  readonly preferred: Route
  /** What it may claim of a target: how much room, and whether it may be a probe. */
  readonly claim: Claim
}

export function decideRoute(operation: Operation, matrix: Matrix, conditions: Conditions, nowMs: number): RoutingDecision {
  return planRoute(operation, matrix, conditions, nowMs).decision
}

export function planRoute(operation: Operation, matrix: Matrix, conditions: Conditions, nowMs: number): Plan {
  const row = matrix[operation.type]
  const overrides = conditions.overrides
  const claim = claimOf(operation, overrides, nowMs)
  const direct = standing(operation, matrix, conditions, 'direct', nowMs, claim)
  const mcp = standing(operation, matrix, conditions, 'mcp', nowMs, claim)

  const force = overrides.force
  if (force !== null && nowMs < force.untilMs) {
    const forced = force.route === 'direct' ? direct : mcp
    if (canTake(forced)) {
      const other = force.route === 'direct' ? mcp : direct
      // An emergency has no other route, so that a force changes nothing for it.
      const reason = operation.type === 'emergency' ? 'matrix' : 'operator_force'
      return planOf(conditions, force.route, reason, canTake(other) ? 'overridden' : other, false, force.route, nowMs, claim)
    }
  }

  const leverReason = preferredReason(operation, row, overrides, nowMs)
  const preferred = preferredRoute(leverReason, operation, row, overrides)
  const first = preferred === 'direct' ? direct : mcp
  const second = preferred === 'direct' ? mcp : direct
  const takesSecond = canTake(second)

  if (canTake(first) && (first === 'usable' || second !== 'usable')) {
    return planOf(conditions, preferred, leverReason, takesSecond ? (second === 'usable' ? 'fallback' : 'unavailable') : second, takesSecond, preferred, nowMs, claim)
  }
  if (takesSecond) {
    const fallback = otherRoute(preferred)
    const expected = first === 'capability' ? fallback : preferred
    return planOf(conditions, fallback, reasonAgainst(first), first === 'usable' ? 'fallback' : first, canTake(first), expected, nowMs, claim)
  }
  return {
    decision: { route: null, target: null, reason: 'no_route', alternatives: [alternative('direct', shown(direct)), alternative('mcp', shown(mcp))] },
    routes: [],
    preferred,
    claim,
  }
}

/** What is true of one route for one operation, levers of preference aside. */
type Standing = 'usable' | Exclude<AlternativeReason, 'fallback' | 'overridden'>

function canTake(standing: Standing): boolean {
  return standing === 'usable' || standing === 'unavailable'
}

function standing(operation: Operation, matrix: Matrix, conditions: Conditions, route: Route, nowMs: number, claim: Claim): Standing {
  const facts = conditions[route]
  if (!allows(operation.type, matrix[operation.type], route)) return 'not_allowed'
  if (facts.candidates.length === 0) return 'not_configured'
  if (conditions.overrides.isolated.length > 0 && isIsolated(conditions.overrides, route, nowMs)) return 'isolated'
  if (!facts.carriesMoreThanText && needsMoreThanText(operation.converse)) return 'capability'
  return hasUsable(facts, nowMs, claim) ? 'usable' : 'unavailable'
}

function hasUsable(route: RouteConditions, nowMs: number, claim: Claim): boolean {
  for (const candidate of route.candidates) if (isReady(candidate, nowMs, claim)) return true
  return false
}

/** The reason for taking the second route, from what stands against the first. */
function reasonAgainst(first: Standing): DecisionReason {
  switch (first) {
    case 'not_configured':
      return 'primary_not_configured'
    case 'isolated':
      return 'isolated'
    case 'capability':
      return 'capability'
    case 'unavailable':
    case 'not_allowed':
    case 'usable':
      return 'primary_unavailable'
  }
}

function shown(standing: Standing): AlternativeReason {
  return standing === 'usable' ? 'unavailable' : standing
}

const onlyDirect: readonly Route[] = ['direct']
const onlyMcp: readonly Route[] = ['mcp']
const directFirst: readonly Route[] = ['direct', 'mcp']
const mcpFirst: readonly Route[] = ['mcp', 'direct']

function planOf(
  conditions: Conditions,
  route: Route,
  reason: DecisionReason,
  otherReason: AlternativeReason | 'usable',
  withOther: boolean,
  preferred: Route,
  nowMs: number,
  claim: Claim,
): Plan {
  const target = firstCandidate(conditions[route], nowMs, claim)
  const other: AlternativeReason = otherReason === 'usable' ? 'fallback' : otherReason
  const routes = route === 'direct' ? (withOther ? directFirst : onlyDirect) : withOther ? mcpFirst : onlyMcp
  return {
    decision: { route, target: target?.id ?? null, reason, alternatives: [alternative(otherRoute(route), other)] },
    routes,
    preferred,
    claim,
  }
}

function alternative(route: Route, reason: AlternativeReason): Alternative {
  return { route, reason }
}
