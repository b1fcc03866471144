/**
 * From observations to a level that does not flap: it worsens after a few bad observations in a row and recovers after a few
 * more good ones (runbook, "Alert rules": 3 and 5). "Bad" and "good" are relative to the level: while it is degraded, an
 * observation `critical` is bad and `healthy` is good, and one that says `degraded` again ends either row.
 *
 * The new level is what the whole row agrees on: the mildest of the bad ones, the worst of the good ones. From `unknown` a
 * good observation counts at once, since there is no state that it could be an accident of; a bad one does not: a
 * server that starts a moment after us is not down.
 */
import { bestOf, rankOf, worstOf, type HealthLevel, type KnownLevel } from './health-level.ts'

export interface HysteresisSettings {
  readonly worsensAfter: number
  readonly recoversAfter: number
}

export const runbookHysteresis: HysteresisSettings = { worsensAfter: 3, recoversAfter: 5 }

export interface LevelState {
  readonly level: HealthLevel
  /** Wall clock. */
  readonly sinceMs: number
  /** Observations in a row that all ask for a change in the same direction. */
  readonly row: readonly KnownLevel[]
}

export function startingState(nowMs: number): LevelState {
  return { level: 'unknown', sinceMs: nowMs, row: [] }
}

export function observe(state: LevelState, observed: KnownLevel, nowMs: number, settings: HysteresisSettings): LevelState {
  const { level } = state
  if (level === 'unknown' && observed === 'healthy') return { level: 'healthy', sinceMs: nowMs, row: [] }
  const from = level === 'unknown' ? -1 : rankOf(level)
  const step = rankOf(observed) - from
  if (step === 0) return state.row.length === 0 ? state : { ...state, row: [] }

  const continues = state.row.every((earlier) => Math.sign(rankOf(earlier) - from) === Math.sign(step))
  const needed = step > 0 ? settings.worsensAfter : settings.recoversAfter
  const row = [...(continues ? state.row : []), observed].slice(-needed)
  if (row.length < needed) return { ...state, row }
  const [first = observed, ...rest] = row
  return { level: step > 0 ? bestOf(first, ...rest) : worstOf(first, ...rest), sinceMs: nowMs, row: [] }
}

/** Whether the next observation should not be waited for as long as usual. */
export function isUndecided(state: LevelState): boolean {
  return state.level === 'unknown' || state.row.length > 0
}
