/**
 * How the MCP servers look to those who choose among them and to those who read about them: state, health and the reason in
 * words. Health comes from free checks and from what calls showed; it orders candidates and never refuses one.
 */
import type { Carries, McpRoute, McpSettings } from './settings.ts'
import { routeOf } from './settings.ts'
import { operationTypes } from '../operation/matrix.ts'
import type { OperationType } from '../operation/matrix.ts'
import type { Fault } from '../operation/fault.ts'

export type McpConnectionState = 'idle' | 'connecting' | 'ready' | 'waiting' | 'closed' | 'disabled'
export type McpHealth = 'healthy' | 'unknown' | 'unhealthy'
export type McpEra = '2025-11-25' | '2026-07-28'

export interface McpServerView {
  readonly name: string
  readonly state: McpConnectionState
  readonly health: McpHealth
  /** One sentence in words, safe to show. */
  readonly reason: string
  /** Wall time since which state and health are what they are. */
  readonly sinceMs: number
  readonly inFlight: number
  readonly waiting: number
  readonly concurrency: number
  readonly era: McpEra | null
  readonly lastError: Fault | null
  readonly lastErrorAtMs: number | null
  readonly lastCheckAtMs: number | null
  /** Duration of the last check that succeeded. */
  readonly responseTimeMs: number | null
  readonly connections: number
  /** What it carries for each operation type whose route leads over it. */
  readonly carries: Readonly<Partial<Record<OperationType, Carries>>>
}

export interface McpCandidate {
  readonly name: string
  readonly health: McpHealth
  readonly reason: string
  readonly carries: Carries
  readonly repeatable: boolean
  /** False when the operation needs more than text and the route carries no more. */
  readonly capable: boolean
}

export function carriedBy(settings: McpSettings, server: string): Readonly<Partial<Record<OperationType, Carries>>> {
  const carried: Partial<Record<OperationType, Carries>> = {}
  for (const type of operationTypes) {
    const route = routeOf(settings, type)
    if (route?.servers.includes(server) === true) carried[type] = route.carries
  }
  return carried
}

/**
 * The servers of a route, the best first: healthy before not yet known before unhealthy; among equals the less loaded by
 * whole quarters of its limit, then the configured order. Servers that are switched off are no candidates.
 */
export function orderCandidates(route: McpRoute, needsMoreThanText: boolean, views: ReadonlyMap<string, McpServerView>): readonly McpCandidate[] {
  const rank: Readonly<Record<McpHealth, number>> = { healthy: 0, unknown: 1, unhealthy: 2 }
  const load = (view: McpServerView): number => Math.floor((4 * (view.inFlight + view.waiting)) / view.concurrency)
  return route.servers
    .map((name) => views.get(name))
    .filter((view) => view !== undefined && view.state !== 'disabled')
    .filter((view) => view !== undefined)
    .toSorted((a, b) => rank[a.health] - rank[b.health] || load(a) - load(b))
    .map((view) => ({
      name: view.name,
      health: view.health,
      reason: view.reason,
      carries: route.carries,
      repeatable: route.repeatable,
      capable: !needsMoreThanText || route.carries === 'converse',
    }))
}
