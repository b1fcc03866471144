/**
 * What the rules read at a tick: plain figures, given by health, metrics and the queue. The Alert Manager asks for them and
 * does not know where they come from.
 *
 * `null` says that the figure is unknown: a share of nothing, a check that did not run, a store that could not be read. It
 * is evidence of neither state: a rule never fires at it and an alert is not resolved by it (`tick-window.ts`). A component
 * that is switched off is left out; what is left out cannot be in any state, so its alerts resolve. A source that throws
 * makes everything unknown.
 *
 * Shares are 0 to 1. Rates are over the last 5 minutes, of all instances (public contract, part 6).
 */

/** From good to bad; `unknown` is no rank but the absence of one. */
export const healthRanks = ['healthy', 'degraded', 'unhealthy', 'critical'] as const
export type HealthRank = (typeof healthRanks)[number]
export type HealthLevel = HealthRank | 'unknown'

export interface ComponentReading {
  readonly level: HealthLevel
  /** The health checker's reason in words; shown in the alert. */
  readonly message: string | null
}

export interface LatencyReading {
  readonly operation: string
  readonly route: 'direct' | 'mcp'
  readonly p95Ms: number | null
  /** What the operators accept (runbook, "Key metrics"). */
  readonly targetMs: number
}

export interface QueueReading {
  readonly oldestAgeMs: number | null
  /** The latency requirement of that message. */
  readonly requirementMs: number
}

export interface NotifierReading {
  readonly name: string
  readonly failing: boolean | null
}

export interface AlertReadings {
  readonly systemHealth: HealthLevel | null
  readonly components: Readonly<Record<string, ComponentReading>>
  readonly errorRate: number | null
  /** Of how many failed operations the error rate speaks; left out where that is not counted. */
  readonly failedOperations?: number
  readonly routingEfficiency: number | null
  readonly fallbackRate: number | null
  readonly latency: readonly LatencyReading[]
  /** By class or operation; the worst counts. Empty: nothing waits. `null`: the queue could not be read. */
  readonly queue: readonly QueueReading[] | null
  readonly budgetUsed: number | null
  readonly healthCheckSuccessRate: number | null
  readonly cacheHitRate: number | null
  /** Whether the last change of the configuration was refused. */
  readonly configurationRejected: boolean | null
  /** Receivers whose self-tests fail, by the Health Checker's hysteresis; left out where none are made. */
  readonly unreachableNotifiers?: readonly string[]
}

/** With what the Alert Manager knows of its own receivers. */
export interface CompleteReadings extends AlertReadings {
  readonly notifiers: readonly NotifierReading[]
}
