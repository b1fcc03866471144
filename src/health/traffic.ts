/**
 * What a stretch of traffic says about the target or server that it went to: passive health, which costs nothing and sees
 * what no probe can, that operations are answered. Where there was traffic no probe is needed.
 *
 * What belongs to the request (`validation`), to the model's own work (`model_error`), what we refused ourselves and what was
 * cancelled says nothing about the target. Throttling says that we send too much: the target works, but not for all.
 */
import type { AttemptRecord } from '../operation/result.ts'
import type { KnownLevel } from './health-level.ts'

export interface TrafficStretch {
  readonly succeeded: number
  readonly failed: number
  readonly throttled: number
}

export const noTraffic: TrafficStretch = Object.freeze({ succeeded: 0, failed: 0, throttled: 0 })

/** Which of the three the attempt is; null when it says nothing. */
export function trafficOf(attempt: Pick<AttemptRecord, 'outcome' | 'error'>): keyof TrafficStretch | null {
  switch (attempt.outcome) {
    case 'succeeded':
      return 'succeeded'
    case 'throttled':
      return 'throttled'
    case 'failed':
    case 'timed_out': {
      const kind = attempt.error?.kind
      return kind === 'validation' || kind === 'model_error' || attempt.error?.rejected === true ? null : 'failed'
    }
    case 'cancelled':
    case 'rejected':
      return null
    default:
      return attempt.outcome satisfies never
  }
}

/** Shares of failed attempts from which on the level holds; 5 % is the runbook's critical error rate. */
const degradedShare = 0.05
const unhealthyShare = 0.5
const criticalShare = 0.95

/** Null when there was no traffic that says anything. */
export function observationOf(stretch: TrafficStretch): { readonly level: KnownLevel; readonly reason: string } | null {
  const { succeeded, failed, throttled } = stretch
  const all = succeeded + failed + throttled
  if (all === 0) return null
  const share = failed / all
  const reason = failed === 0 ? `${succeeded} of ${all} attempts were answered` : `${failed} of ${all} attempts failed`
  if (share >= criticalShare) return { level: 'critical', reason }
  if (share >= unhealthyShare) return { level: 'unhealthy', reason }
  if (share >= degradedShare) return { level: 'degraded', reason }
  if (throttled > succeeded) return { level: 'degraded', reason: `${throttled} of ${all} attempts were throttled` }
  return { level: 'healthy', reason }
}
