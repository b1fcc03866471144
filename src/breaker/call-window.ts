/**
 * Calls and failures of the last window, in ten slices that are dropped one by one: exact enough to judge a share, and a
 * few numbers however many calls there are.
 */
export interface CallWindow {
  /** Oldest first. */
  readonly slices: readonly Slice[]
}

interface Slice {
  readonly index: number
  readonly calls: number
  readonly failures: number
}

const slicesPerWindow = 10

export const emptyWindow: CallWindow = Object.freeze({ slices: Object.freeze([]) })

export function recordCall(window: CallWindow, failed: boolean, nowMs: number, windowMs: number): CallWindow {
  const index = Math.floor((nowMs * slicesPerWindow) / windowMs)
  const oldest = index - slicesPerWindow + 1
  const kept = window.slices.filter((slice) => slice.index >= oldest)
  const last = kept.at(-1)
  const failures = failed ? 1 : 0
  if (last?.index === index) {
    kept[kept.length - 1] = { index, calls: last.calls + 1, failures: last.failures + failures }
  } else {
    kept.push({ index, calls: 1, failures })
  }
  return { slices: kept }
}

export function countCalls(window: CallWindow): number {
  let calls = 0
  for (const slice of window.slices) calls += slice.calls
  return calls
}

export function countFailures(window: CallWindow): number {
  let failures = 0
  for (const slice of window.slices) failures += slice.failures
  return failures
}
