/**
 * A clock that moves only when it is told to: the simulator's and the tests'. Calls that fall due are made in the order of
 * their instants, and of their scheduling where instants are equal, so that a run with the same inputs is the same run.
 */
import type { CancelSchedule, Clock } from './clock.ts'

interface Scheduled {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
  cancelled: boolean
}

export interface VirtualClock extends Clock {
  /** Moves time forward and makes every call that falls due on the way, those scheduled by such calls included. */
  advance(durationMs: number): void
  /** The same, and lets promises settle before and after every call, for code that awaits. */
  advanceAsync(durationMs: number): Promise<void>
  /** Moves to the next scheduled call and makes it; false when nothing is scheduled. */
  next(): boolean
  /** Moves the wall clock alone, as a time correction does. */
  jumpWallClock(byMs: number): void
  /** How many calls are waiting: a test asserts that nothing is left running. */
  pending(): number
}

/** @param startMs the wall clock at the origin of monotonic time; 2026-01-01T08:00:00Z unless given. */
export function createVirtualClock(startMs: number = Date.UTC(2026, 0, 1, 8)): VirtualClock {
  const heap: Scheduled[] = []
  let elapsedMs = 0
  let wallOffsetMs = startMs
  let scheduledCount = 0
  let live = 0

  const before = (a: Scheduled, b: Scheduled): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

  const push = (entry: Scheduled): void => {
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !before(entry, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = entry
  }

  const pop = (): Scheduled | undefined => {
    const top = heap[0]
    const last = heap.pop()
    if (top === undefined || last === undefined || heap.length === 0) return top
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const leftEntry = heap[left]
      if (leftEntry === undefined) break
      const rightEntry = heap[left + 1]
      const useRight = rightEntry !== undefined && before(rightEntry, leftEntry)
      const child = useRight ? rightEntry : leftEntry
      if (!before(child, last)) break
      heap[index] = child
      index = useRight ? left + 1 : left
    }
    heap[index] = last
    return top
  }

  const nextDue = (untilMs: number): Scheduled | undefined => {
    for (;;) {
      const top = heap[0]
      if (top === undefined) return undefined
      if (!top.cancelled && top.atMs > untilMs) return undefined
      pop()
      if (!top.cancelled) return top
    }
  }

  const fire = (entry: Scheduled): void => {
    elapsedMs = Math.max(elapsedMs, entry.atMs)
    live -= 1
    entry.cancelled = true
    entry.callback()
  }

  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  return {
    nowMs: () => wallOffsetMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    schedule(atMonotonicMs, callback): CancelSchedule {
      const entry: Scheduled = { atMs: Math.max(atMonotonicMs, elapsedMs), order: scheduledCount, callback, cancelled: false }
      scheduledCount += 1
      live += 1
      push(entry)
      return () => {
        if (entry.cancelled) return
        entry.cancelled = true
        live -= 1
      }
    },
    advance(durationMs) {
      const untilMs = elapsedMs + durationMs
      for (let entry = nextDue(untilMs); entry !== undefined; entry = nextDue(untilMs)) fire(entry)
      elapsedMs = untilMs
    },
    async advanceAsync(durationMs) {
      const untilMs = elapsedMs + durationMs
      await settle()
      for (let entry = nextDue(untilMs); entry !== undefined; entry = nextDue(untilMs)) {
        fire(entry)
        await settle()
      }
      elapsedMs = untilMs
    },
    next() {
      const entry = nextDue(Number.POSITIVE_INFINITY)
      if (entry === undefined) return false
      fire(entry)
      return true
    },
    jumpWallClock(byMs) {
      wallOffsetMs += byMs
    },
    pending: () => live,
  }
}
