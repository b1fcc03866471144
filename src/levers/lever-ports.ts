/**
 * What levers need of the rest of the service, as ports that the composition root fills.
 */
import type { ComponentName } from '../health/component-names.ts'
import type { AlertSeverity } from '../operation/alert-facts.ts'
import type { JsonObject, JsonValue } from '../operation/converse.ts'
import type { OptimizationMode } from '../routing/propose-thresholds.ts'
import type { Effect } from './in-force.ts'

export interface Proposal {
  /** Members of the configuration with their proposed values; empty when nothing better is known. */
  readonly members: Readonly<Record<string, number>>
  /** Why, in figures. */
  readonly basis: JsonObject
}

export interface AlertOutcome {
  readonly changed: readonly string[]
  readonly notApplied: readonly { readonly what: string; readonly why: string }[]
}

export interface AlertScope {
  readonly severity?: readonly AlertSeverity[]
  readonly component?: string
}

/** What levers need of the rest of the service. */
export interface LeverPorts {
  /** What was closed, in words. */
  resetBreakers(component: ComponentName | null): string
  /** What is in force has changed; also called with what was stored, at the start. */
  onEffect(effect: Effect): void
  /** A free check of every target. */
  testBedrock(timeoutMs: number): Promise<JsonValue>
  bedrockTargets(): readonly string[]
  propose(targetEfficiency: number | undefined, mode: OptimizationMode): Proposal
  readonly alerts: {
    list(scope: AlertScope): readonly { readonly id: string }[]
    suppress(request: AlertScope & { readonly durationMs: number; readonly reason: string | null }, who: string): Promise<AlertOutcome>
    bulkResolve(scope: AlertScope, who: string): Promise<AlertOutcome>
    test(severity: AlertSeverity, who: string): Promise<readonly { readonly notifier: string; readonly delivered: boolean; readonly reason: string | null }[]>
  }
}
