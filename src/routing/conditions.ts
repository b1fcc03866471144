/**
 * The view: what a decision knows of the world. It is read-only here; the shell keeps it up to date from the events of every
 * attempt, and the operators' levers are part of it.
 *
 * All instants are on the one time line of `nowMs` that the caller of the core uses (monotonic in production, virtual in
 * tests and the simulator). Levers are stored with wall time; whoever loads them converts their end once.
 *
 * Must not know: how a fact was measured. Breakers, limiters and health checks speak through `usable`, `probing`, `limit` and
 * `throttledUntilMs`.
 * Source: the house design (the core and its view) and the public contract, part 7.
 */
import type { Route } from '../operation/matrix.ts'

/** Why a candidate should rest, in a closed list, so that it can be counted and shown. */
export type UnusableReason = 'breaker_open' | 'unhealthy'

/** A Bedrock target or an MCP server. */
export interface Candidate {
  readonly id: string
  /** False: others are tried before it. It is never refused to an emergency, and not to anybody when all rest. */
  readonly usable: boolean
  readonly unusableReason: UnusableReason | null
  /** It asked to be left alone until then; 0 when it did not. */
  readonly throttledUntilMs: number
  readonly inFlight: number
  /** How many attempts it takes at once; Infinity as long as it has not said that there is a limit. */
  readonly limit: number
  /** Its breaker is half open: whoever is sent there finds out whether it is well again. */
  readonly probing: boolean
  /** It said "too much" then; -Infinity when it never did. */
  readonly lastThrottledMs: number
  /** The share of its last attempts, 0 to 1, to which it said so. */
  readonly throttledShare: number
  /** -Infinity when it never failed. */
  readonly lastFailureMs: number
  /** Measured to be much slower than the best of its route just now. */
  readonly slow: boolean
}

export interface RouteConditions {
  /** Whether it carries tools, images and guardrails, or text alone. */
  readonly carriesMoreThanText: boolean
  /** False: what was sent there must not be sent again anywhere. */
  readonly repeatable: boolean
  /** In the operators' order of preference, for this operation. Empty: nothing is configured that could take it. */
  readonly candidates: readonly Candidate[]
}

export interface Conditions {
  readonly direct: RouteConditions
  readonly mcp: RouteConditions
  readonly overrides: Overrides
  /** Work waits for room or was shed lately: what is not needed is not done. */
  readonly crowded: boolean
}

/** What is configured for one operation on one route. Whoever hands it in hands in the same object as long as it is the same. */
export interface RouteTopology {
  readonly carriesMoreThanText: boolean
  readonly repeatable: boolean
  /** In order of preference; empty when the route is not configured for the operation. */
  readonly targets: readonly string[]
}

export interface Topology {
  readonly direct: RouteTopology
  readonly mcp: RouteTopology
}

/** The levers in force. Each ends by itself at `untilMs` (Infinity: until it is lifted). */
export interface Overrides {
  readonly isolated: readonly { readonly route: Route; readonly untilMs: number }[]
  readonly force: { readonly route: Route; readonly untilMs: number } | null
  /** What the Alert Manager's automatic actions prefer. */
  readonly automatic: { readonly prefer: Route; readonly untilMs: number } | null
  /** The share of operations, 0 to 100, that take the direct route first while it is brought back. */
  readonly percentage: { readonly directPercent: number; readonly untilMs: number } | null
  /** Low and medium operations are shed as needed to keep capacity, and nothing is hedged. */
  readonly emergencyMode: { readonly untilMs: number } | null
  /** Everything but emergencies is refused. */
  readonly maintenance: { readonly untilMs: number } | null
  /** In place of the configured one: 1 starts the fallback at the slightest risk, 0 only after a failure. */
  readonly fallbackAggressiveness: { readonly value: number; readonly untilMs: number } | null
}

export const noOverrides: Overrides = Object.freeze({
  isolated: Object.freeze([]),
  force: null,
  automatic: null,
  percentage: null,
  emergencyMode: null,
  maintenance: null,
  fallbackAggressiveness: null,
})

export function otherRoute(route: Route): Route {
  return route === 'direct' ? 'mcp' : 'direct'
}
