/**
 * What is remembered of one subject, and what an observation makes of it: traffic that failed outranks for a while a probe
 * that sees less, what stands against the subject in itself outranks both, and hysteresis has the last word. It also says
 * when the subject is due again: sooner while its level is undecided.
 *
 * It must not know how a subject is asked, and holds no clock: instants are given to it.
 */
import type { JsonObject } from '../operation/converse.ts'
import type { ComponentName } from './component-names.ts'
import { isUsable, worstOf, type KnownLevel } from './health-level.ts'
import type { Finding, HealthSettings, HealthSubject } from './health-subject.ts'
import { isUndecided, observe, startingState, type LevelState } from './hysteresis.ts'
import { noTraffic, observationOf, type TrafficStretch } from './traffic.ts'

export type ObservedBy = 'traffic' | 'probe'

/**
 * For so many times the time in which failed traffic outranks probes they make a subject no better than degraded: it is
 * tried again, and what is tried tells. Nobody has to be told of a quiet system for that: it is less than the ten minutes
 * after which a degraded component is an alert.
 */
export const unprovenFactor = 5

export interface Now {
  readonly wallMs: number
  readonly monotonicMs: number
}

export class WatchedSubject {
  readonly sinceStartMs: number
  readonly component: ComponentName
  subject: HealthSubject
  state: LevelState
  /** Monotonic; what is new is due at once. */
  dueMs = Number.NEGATIVE_INFINITY
  probing: Promise<void> | null = null
  reason = 'Not checked yet.'
  by: ObservedBy | null = null
  responseTimeMs: number | null = null
  /** Wall clock. */
  lastCheckAtMs: number | null = null
  lastError: { readonly message: string; readonly atMs: number } | null = null
  details: JsonObject = {}
  #stretch: { -readonly [Member in keyof TrafficStretch]: number } = { ...noTraffic }
  /** The last traffic that spoke against it; monotonic. */
  #failedTraffic: { readonly atMs: number; readonly reason: string } | null = null

  /** @param nowMs wall clock */
  constructor(subject: HealthSubject, component: ComponentName, nowMs: number) {
    this.subject = subject
    this.component = component
    this.sinceStartMs = nowMs
    this.state = startingState(nowMs)
  }

  get isUsable(): boolean {
    return isUsable(this.state.level)
  }

  count(kind: keyof TrafficStretch): void {
    this.#stretch[kind] += 1
  }

  /** What the traffic since the last time says; null when it says nothing. */
  takeTraffic(): ReturnType<typeof observationOf> {
    const observation = observationOf(this.#stretch)
    this.#stretch = { ...noTraffic }
    return observation
  }

  /** @returns the level that was observed; null when the observation says nothing. */
  observed(made: Finding, by: ObservedBy, now: Now, settings: HealthSettings): KnownLevel | null {
    const finding = this.#weighed(made, by, now, settings)
    this.lastCheckAtMs = now.wallMs
    this.responseTimeMs = finding.responseTimeMs ?? this.responseTimeMs
    this.details = finding.details ?? this.details
    this.by = by
    const standing = this.subject.standing?.() ?? null
    const level = finding.level === null ? (standing?.level ?? null) : standing === null ? finding.level : worstOf(finding.level, standing.level)
    this.reason = standing !== null && level === standing.level && level !== finding.level ? standing.reason : finding.reason
    if (level !== null) {
      this.state = observe(this.state, level, now.wallMs, settings)
      if (!isUsable(level)) this.lastError = { message: this.reason, atMs: now.wallMs }
    }
    const intervalMs = this.subject.intervalMs ?? settings.intervalMs
    const undecidedMs = this.subject.undecidedIntervalMs ?? settings.undecidedIntervalMs
    this.dueMs = now.monotonicMs + (isUndecided(this.state) ? Math.min(intervalMs, undecidedMs) : intervalMs)
    return level
  }

  #weighed(finding: Finding, by: ObservedBy, { monotonicMs }: Now, { trustTrafficMs }: HealthSettings): Finding {
    const { level, reason } = finding
    if (by === 'traffic') {
      this.#failedTraffic = level === null || level === 'healthy' ? null : { atMs: monotonicMs, reason }
      return finding
    }
    const failed = this.#failedTraffic
    if (failed === null || this.subject.seesLess !== true || level !== 'healthy') return finding
    const sinceMs = monotonicMs - failed.atMs
    if (sinceMs < trustTrafficMs) return { ...finding, level: null, reason: `${failed.reason}, although a probe was answered` }
    if (sinceMs < unprovenFactor * trustTrafficMs) return { ...finding, level: 'degraded', reason: 'A probe is answered, and no operation has been since operations failed' }
    this.#failedTraffic = null
    return finding
  }
}
