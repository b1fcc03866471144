/**
 * The concurrency limit of one server: so many calls at once, and a bounded line behind them, the urgent first: by priority,
 * then by the instant when the answer is wanted, then by arrival, as in the durable queue. It holds no timer: whoever waits
 * sets their own and leaves the line with `leave`.
 */
export interface Turn {
  /** 0 for the most urgent class. */
  readonly rank: number
  readonly wantedByMs: number
}

export interface CallGate {
  /**
   * Calls `onEnter` at once when a place is free, else when one becomes free. Null when the line is full too.
   * Whoever entered calls `exit` exactly once; whoever gives up waiting calls `leave`.
   */
  enter(onEnter: () => void, turn?: Turn): GateTicket | null
  exit(): void
  setLimit(limit: number): void
  inside(): number
  waiting(): number
}

export interface GateTicket {
  leave(): void
}

interface Waiting {
  readonly onEnter: () => void
  readonly turn: Turn
}

const anyTurn: Turn = { rank: 0, wantedByMs: 0 }

export function createCallGate(initialLimit: number, maxWaiting: number): CallGate {
  /** The next one first. */
  const line: Waiting[] = []
  let limit = initialLimit
  let inside = 0

  const admit = (): void => {
    while (inside < limit) {
      const next = line.shift()
      if (next === undefined) return
      inside += 1
      next.onEnter()
    }
  }

  return {
    enter(onEnter, turn = anyTurn) {
      if (inside < limit && line.length === 0) {
        inside += 1
        onEnter()
        return { leave: () => undefined }
      }
      if (line.length >= maxWaiting) return null
      const waiting: Waiting = { onEnter, turn }
      line.splice(placeIn(line, turn), 0, waiting)
      return {
        leave() {
          const index = line.indexOf(waiting)
          if (index !== -1) line.splice(index, 1)
        },
      }
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
    waiting: () => line.length,
  }
}

/** Behind everybody who goes before it or came at the same turn. */
function placeIn(line: readonly Waiting[], turn: Turn): number {
  let low = 0
  let high = line.length
  while (low < high) {
    const middle = (low + high) >> 1
    const other = line[middle]?.turn
    if (other !== undefined && (other.rank < turn.rank || (other.rank === turn.rank && other.wantedByMs <= turn.wantedByMs))) low = middle + 1
    else high = middle
  }
  return low
}
