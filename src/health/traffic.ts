/**
 * What a stretch of traffic says about the target or server that it went to: passive health, which costs nothing and sees
 * what no probe can, that operations are answered. Where there was traffic no probe is needed.
 *
 * What belongs to the request (`validation`), to the model's own work (`model_error`), what we refused ourselves and what the
 * caller cancelled says nothing about the target. Throttling says that we send too much: the target works, but not for all.
 *
 * A target that hangs fails nothing: its operations are helped elsewhere in time, and its attempts are cancelled. One that is
 * overtaken by that help more often than it answers works, at best, but not for all; that some are overtaken is the tail that
 * help is for. It is no more than that, because one that hangs cannot be told from one that would have answered too late.
 */
import type { AttemptRecord } from '../operation/result.ts'
import type { KnownLevel } from './health-level.ts'

export interface TrafficStretch {
  readonly succeeded: number
  readonly failed: number
  readonly throttled: number
  readonly overtaken: number
}

export const noTraffic: TrafficStretch = Object.freeze({ succeeded: 0, failed: 0, throttled: 0, overtaken: 0 })

/** Which of the four the attempt is; null when it says nothing. */
export function trafficOf(attempt: Pick<AttemptRecord, 'outcome' | 'error'>, overtaken: boolean): keyof TrafficStretch | null {
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
      return overtaken ? 'overtaken' : null
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
  const { succeeded, failed, throttled, overtaken } = stretch
  const told = succeeded + failed + throttled
  const all = told + overtaken
  if (all === 0) return null
  const share = told === 0 ? 0 : failed / told
  const answers = failed === 0 ? `${succeeded} of ${all} attempts were answered` : `${failed} of ${all} attempts failed`
  const reason = overtaken === 0 ? answers : `${answers}, ${overtaken} were given up because others were quicker`
  if (share >= criticalShare) return { level: 'critical', reason }
  if (share >= unhealthyShare) return { level: 'unhealthy', reason }
  if (share >= degradedShare) return { level: 'degraded', reason }
  if (throttled > succeeded) return { level: 'degraded', reason: `${throttled} of ${all} attempts were throttled` }
  return { level: overtaken > succeeded ? 'degraded' : 'healthy', reason }
}
