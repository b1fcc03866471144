/**
 * The concurrency limit of one server: so many calls at once, and a bounded line behind them in order of arrival. It holds
 * no timer: whoever waits sets their own and leaves the line with `leave`.
 */
export interface CallGate {
  /**
   * Calls `onEnter` at once when a place is free, else when one becomes free. Null when the line is full too.
   * Whoever entered calls `exit` exactly once; whoever gives up waiting calls `leave`.
   */
  enter(onEnter: () => void): GateTicket | null
  exit(): void
  setLimit(limit: number): void
  inside(): number
  waiting(): number
}

export interface GateTicket {
  leave(): void
}

export function createCallGate(initialLimit: number, maxWaiting: number): CallGate {
  const line = new Set<() => void>()
  let limit = initialLimit
  let inside = 0

  const admit = (): void => {
    for (const next of line) {
      if (inside >= limit) return
      line.delete(next)
      inside += 1
      next()
    }
  }

  return {
    enter(onEnter) {
      if (inside < limit && line.size === 0) {
        inside += 1
        onEnter()
        return { leave: () => undefined }
      }
      if (line.size >= maxWaiting) return null
      const entry = (): void => onEnter()
      line.add(entry)
      return { leave: () => void line.delete(entry) }
    },
    exit() {
      inside -= 1
      admit()
    },
    setLimit(next) {
      limit = next
      admit()
    },
    inside: () => inside,
    waiting: () => line.size,
  }
}
