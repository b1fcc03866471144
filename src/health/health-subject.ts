/**
 * What the Health Checker looks at, as whoever knows it describes it: a component, its subjects (a Bedrock target, an MCP
 * server, the store, a receiver of alerts), how each is probed, and what a probe found.
 *
 * It must not know when a subject is looked at, nor what follows from what is found (`watched-subject.ts`).
 */
import type { JsonObject } from '../operation/converse.ts'
import type { Route } from '../operation/matrix.ts'
import type { ComponentName } from './component-names.ts'
import type { KnownLevel } from './health-level.ts'
import type { HysteresisSettings } from './hysteresis.ts'

export interface Finding {
  /** Null: it says nothing, as a throttled control plane says nothing of the target. */
  readonly level: KnownLevel | null
  readonly reason: string
  readonly responseTimeMs: number | null
  readonly details?: JsonObject
}

export interface HealthSubject {
  /** Unique. */
  readonly id: string
  /** As a person calls it, within its component. */
  readonly title: string
  /** Whose traffic speaks for it; null for what carries no operations. */
  readonly carries: { readonly route: Route; readonly target: string } | null
  /** Its probe cannot see whether operations are answered, as that of a control plane cannot. */
  readonly seesLess?: true
  /** Asked when there was no traffic. */
  probe(deadlineMs: number): Finding | Promise<Finding>
  /** What stands against it whatever traffic and probes say; null for nothing. */
  standing?(): { readonly level: KnownLevel; readonly reason: string } | null
  /** Where they differ from the settings', as for a probe that costs money. */
  readonly intervalMs?: number
  readonly undecidedIntervalMs?: number
}

export interface HealthComponent {
  readonly name: ComponentName
  /** What it is, in a few words. */
  readonly what: string
  readonly required: boolean
  /** Null: switched on; else why not, in a sentence. */
  readonly off: string | null
  readonly subjects: readonly HealthSubject[]
  details?(): JsonObject
}

export interface HealthSettings extends HysteresisSettings {
  readonly intervalMs: number
  readonly undecidedIntervalMs: number
  readonly timeoutMs: number
  /** How long failed traffic outranks probes that see less and succeed. */
  readonly trustTrafficMs: number
  /** False: what carries operations is judged by its traffic alone. */
  readonly probing: boolean
}
