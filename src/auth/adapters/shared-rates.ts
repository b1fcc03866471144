/**
 * What callers asked of this instance is added up with what they asked of the others, some times a second and never on the
 * way of a request. What comes back replaces the local count, together with what was asked here meanwhile.
 *
 * So a caller that spreads its requests over all instances gets its limit, and what comes in between two rounds on top. While
 * the store is away each instance counts for itself, and what it could not add it adds later, as long as the window lasts.
 */
import { createHash } from 'node:crypto'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import type { SharedCount, SharedCounts } from '../shared-counts.ts'

/** One caller under one limit. */
export interface SharedRate {
  /** Of the limit, such as `100/60000`. */
  readonly policy: string
  readonly caller: string
  readonly windowMs: number
  /** Puts the count of all in the place of the local one. */
  readonly take: (of: SharedCount) => void
}

export interface SharedRates {
  /** One request was let in. */
  note(rate: SharedRate): void
  close(): void
}

/** ms between two rounds: how far an instance is behind, against one command for each caller that was active. */
export const roundMs = 250
/** Callers whose counts wait for a round; more are counted here alone. */
const mostWaiting = 10_000

interface Waiting {
  readonly rate: SharedRate
  points: number
  /** Monotonic. */
  readonly sinceMs: number
}

export function createSharedRates(counts: SharedCounts, clock: Clock): SharedRates {
  const waiting = new Map<string, Waiting>()
  let cancelRound: CancelSchedule | null = null
  let closed = false

  const arm = (): void => {
    if (closed || cancelRound !== null) return
    cancelRound = clock.schedule(clock.monotonicMs() + roundMs, () => void round())
  }

  const round = async (): Promise<void> => {
    const due = [...waiting]
    waiting.clear()
    await Promise.all(due.map(([key, entry]) => share(key, entry)))
    cancelRound = null
    if (waiting.size > 0) arm()
  }

  const share = async (key: string, { rate, points, sinceMs }: Waiting): Promise<void> => {
    try {
      const all = await counts.add({ key: `rate:${rate.policy}:${createHash('sha256').update(rate.caller).digest('hex')}`, points, windowMs: rate.windowMs })
      // Asked here while the answer was on its way.
      const meanwhile = waiting.get(key)?.points ?? 0
      rate.take({ count: all.count + meanwhile, endsInMs: all.endsInMs })
    } catch {
      // The store is away: each instance counts for itself. Of a window that is over nothing is left to add.
      if (clock.monotonicMs() - sinceMs < rate.windowMs) put(key, rate, points, sinceMs)
    }
  }

  const put = (key: string, rate: SharedRate, points: number, sinceMs: number): void => {
    const known = waiting.get(key)
    if (known !== undefined) known.points += points
    else if (waiting.size < mostWaiting) waiting.set(key, { rate, points, sinceMs })
  }

  return {
    note(rate) {
      put(`${rate.policy} ${rate.caller}`, rate, 1, clock.monotonicMs())
      arm()
    },
    close() {
      closed = true
      cancelRound?.()
    },
  }
}
