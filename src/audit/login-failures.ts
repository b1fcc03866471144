/**
 * Failed logins become audit records without letting whoever guesses keys fill the trail: the first failure of an address is
 * a record at once; the further ones of the same minute are one record with their number. Addresses beyond a limit are
 * counted together. Pure: told what happened and when.
 */
import { auditLimits } from './limits.ts'

export interface LoginTally {
  readonly windows: ReadonlyMap<string, { readonly sinceMs: number; readonly further: number }>
}

export interface LoginFailures {
  readonly address: string
  readonly count: number
  readonly sinceMs: number
}

export const noFailures: LoginTally = Object.freeze({ windows: new Map() })
export const otherAddresses = 'other addresses'

/** The new tally, and the record that this failure is, if it is one. */
export function countFailure(tally: LoginTally, address: string, nowMs: number): { readonly tally: LoginTally; readonly record: LoginFailures | null } {
  const name = tally.windows.has(address) || tally.windows.size < auditLimits.loginAddresses ? address : otherAddresses
  const window = tally.windows.get(name)
  const windows = new Map(tally.windows)
  if (window === undefined) {
    windows.set(name, { sinceMs: nowMs, further: 0 })
    return { tally: { windows }, record: { address: name, count: 1, sinceMs: nowMs } }
  }
  windows.set(name, { sinceMs: window.sinceMs, further: window.further + 1 })
  return { tally: { windows }, record: null }
}

/** Ends the windows that are over: the records of what was counted in them. */
export function endWindows(tally: LoginTally, nowMs: number): { readonly tally: LoginTally; readonly records: readonly LoginFailures[] } {
  const records: LoginFailures[] = []
  const windows = new Map<string, { readonly sinceMs: number; readonly further: number }>()
  for (const [address, window] of tally.windows) {
    if (nowMs - window.sinceMs < auditLimits.loginWindowMs) windows.set(address, window)
    else if (window.further > 0) records.push({ address, count: window.further, sinceMs: window.sinceMs })
  }
  return { tally: { windows }, records }
}
