/**
 * What the health and metrics pages ask of the rest: the port that the composition root fills. Everything is at hand when it
 * is asked; nothing here waits for an upstream or a store.
 */
import type { ComponentView } from '../health/component-view.ts'
import type { HealthLevel } from '../health/health-level.ts'
import type { Gauge } from '../metrics/prometheus-text.ts'
import type { RecorderStatus, Scope } from '../metrics/metrics-recorder.ts'
import type { Tally } from '../metrics/tally.ts'
import type { JsonObject } from '../operation/converse.ts'

export interface Monitoring {
  /** How the system is, by what is known now. */
  status(): HealthLevel
  /** Those that exist, in the runbook's order. */
  components(): readonly ComponentView[]
  window(windowMs: number, scope: Scope): Tally
  /** Since the start of this process, for counters that a scraper takes the difference of. */
  totals(): Tally
  gauges(): readonly Gauge[]
  recorder(): RecorderStatus
  /** Active ones, as `/health/alerts` shows them. */
  alerts(): readonly JsonObject[]
  /** Levers in force. */
  overrides(): readonly JsonObject[]
  /** Null without a budget, and without a cache layer. */
  budgetUsed(): number | null
  cache(): { readonly hits: number; readonly misses: number } | null
}
