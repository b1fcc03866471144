/**
 * The window of a view: `?window=5m`. A whole number with a unit, from one slot to all that is kept.
 */
import { fineSlotMs, keptForMs } from './time-slots.ts'

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export const defaultWindow = '24h'
export const windowForm = 'a whole number with s, m, h or d, from 10s to 24h, such as 5m'

/** Null when it is none. */
export function parseWindow(text: string): number | null {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(text)
  if (match === null) return null
  const windowMs = Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN)
  return windowMs >= fineSlotMs && windowMs <= keptForMs ? windowMs : null
}
