/**
 * How a minute of metrics is written down: one record per instance and minute, under a key that sorts by time, so that what
 * several instances wrote lately is one page of a listing. A minute is written again, whole, while it goes on; a reader
 * therefore replaces what it has of a minute and never adds to it.
 */
import type { JsonObject } from '../operation/converse.ts'
import type { StateRecord } from '../store/state-store.ts'
import { Tally } from './tally.ts'
import { keptForMs } from './time-slots.ts'

export const rollupCollection = 'metrics'

/** ms. Beyond the day that views reach back, so that a clock that is a little behind still finds its oldest minute. */
const marginMs = 3_600_000
/** Digits of an instant in ms until the year 2286: keys of equal length sort as numbers do. */
const instantDigits = 13

export interface Rollup {
  readonly startMs: number
  readonly instance: string
  readonly tally: Tally
}

/** Sorts before every record of a minute that begins then or later. */
export function rollupKeyFrom(startMs: number): string {
  return String(Math.max(0, Math.floor(startMs))).padStart(instantDigits, '0')
}

export function rollupKey(startMs: number, instance: string): string {
  return `${rollupKeyFrom(startMs)}/${instance}`
}

export function rollupExpiresAtMs(startMs: number): number {
  return startMs + keptForMs + marginMs
}

export function rollupValue(tally: Tally): JsonObject {
  return tally.toRecord()
}

/** Null for a record that is none of ours, as one of another version may be. */
export function readRollup(record: StateRecord): Rollup | null {
  const separator = record.key.indexOf('/')
  const startMs = Number(record.key.slice(0, separator))
  const instance = record.key.slice(separator + 1)
  if (separator !== instantDigits || !Number.isInteger(startMs) || instance === '') return null
  return { startMs, instance, tally: Tally.from(record.value) }
}
