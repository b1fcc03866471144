/**
 * The newest book that this instance knows, and how it is changed: computed on what the store has now, written by
 * compare-and-set, and computed again when somebody else wrote between. Without the store a change is kept here, and brought
 * together with the store's book when that is back.
 *
 * A change may be fenced by the token of the lease: when the book says that a later holder has written, nothing is changed.
 */
import type { Clock } from '../../runtime/clock.ts'
import { emptyBook, withoutDelivered, type AlertBook } from '../alert-book.ts'
import { alertLimits } from '../limits.ts'
import type { BookStore, StoredBook } from './book-store.ts'

export interface Delivered {
  readonly id: string
  readonly notifier: string
}

export interface BookKeeper {
  /** Without what has been delivered since it was written. */
  book(): AlertBook
  /** Whether the book has changes that the store has not. */
  isAhead(): boolean
  /** Why the store did not answer last, or null. */
  problem(): string | null
  /** ms since the store answered. */
  unreachedMs(): number
  /** True when the store answered. */
  read(): Promise<boolean>
  /** True when the store did what was asked; its reason is kept where it did not. */
  reach(call: () => Promise<void>): Promise<boolean>
  /** What was computed; null where a holder with a later token has written. `fence` null: not fenced. */
  change<Result extends { readonly book: AlertBook }>(fence: number | null, compute: (book: AlertBook) => Result): Promise<Result | null>
  /** A notification needs no delivery to this receiver any more; written with the next change. */
  delivered(done: Delivered): void
  hasDelivered(): boolean
  /** Writes what has been delivered, without a further attempt. */
  writeDelivered(): Promise<void>
}

export function createBookKeeper(store: BookStore, clock: Clock): BookKeeper {
  let stored: StoredBook = { book: emptyBook, version: 'absent' }
  let isAhead = false
  let problem: string | null = null
  let reachedMs = clock.monotonicMs()
  let done: readonly Delivered[] = []

  const current = (): AlertBook => (done.length === 0 ? stored.book : withoutDelivered(stored.book, done))

  const reach = async (call: () => Promise<void>): Promise<boolean> => {
    try {
      await call()
      return true
    } catch (error) {
      problem = error instanceof Error ? error.message : 'the store failed'
      return false
    }
  }

  const read = (): Promise<boolean> =>
    reach(async () => {
      const newest = await store.read()
      reachedMs = clock.monotonicMs()
      problem = null
      if (!isAhead) stored = newest
      else if (newest.version !== stored.version) stored = { book: merged(newest.book, stored.book), version: newest.version }
    })

  /** The version written, null when somebody else wrote between, undefined when the store did not answer. */
  const write = async (book: AlertBook): Promise<number | null | undefined> => {
    let version: number | null | undefined
    await reach(async () => {
      version = await store.write(book, stored.version)
    })
    return version
  }

  return {
    book: current,
    isAhead: () => isAhead,
    problem: () => problem,
    unreachedMs: () => clock.monotonicMs() - reachedMs,
    read,
    reach,

    async change(fence, compute) {
      for (let attempt = 1; ; attempt += 1) {
        const isReached = await read()
        if (fence !== null && stored.book.token > fence) return null
        const result = compute(current())
        if (!isAhead && isSame(result.book, stored.book)) return result
        const version = isReached ? await write(result.book) : undefined
        if (version === null && attempt < alertLimits.writeAttempts) continue
        isAhead = typeof version !== 'number'
        stored = { book: result.book, version: typeof version === 'number' ? version : stored.version }
        if (!isAhead) done = done.filter((each) => result.book.outbox.some((entry) => entry.notification.id === each.id && entry.waiting.includes(each.notifier)))
        return result
      }
    },

    delivered(outcome) {
      done = [...done.slice(1 - alertLimits.settledKept), outcome]
    },
    hasDelivered: () => done.length > 0,
    async writeDelivered() {
      if (done.length > 0 && !isAhead) await write(current())
    },
  }
}

function isSame(one: AlertBook, other: AlertBook): boolean {
  return (Object.keys(emptyBook) as (keyof AlertBook)[]).every((member) => one[member] === other[member] || JSON.stringify(one[member]) === JSON.stringify(other[member]))
}

/** After a time without the store: its book holds, with what was acknowledged here, and with what was not yet delivered. */
function merged(theirs: AlertBook, ours: AlertBook): AlertBook {
  const taken = new Map(ours.active.flatMap((alert) => (alert.status === 'acknowledged' ? [[alert.id, alert] as const] : [])))
  const known = new Set(theirs.outbox.map((entry) => entry.notification.id))
  return {
    ...theirs,
    active: theirs.active.map((alert) => taken.get(alert.id) ?? alert),
    outbox: [...theirs.outbox, ...ours.outbox.filter((entry) => !known.has(entry.notification.id))],
  }
}
