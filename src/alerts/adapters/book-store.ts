/**
 * The Alert Manager's records in the state store: the book, the lease of the instance that evaluates, and the windows of
 * what is pending. Every call ends within a time, whatever the store does: an alert must not wait for a store that hangs.
 *
 * The lease is judged by wall clocks, which may differ between machines: it only makes it unlikely that two evaluate at
 * once. That a late one does no harm is the work of its token (`alert-book.ts`) and of compare-and-set.
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { Clock } from '../../runtime/clock.ts'
import { withinTime } from '../../store/adapters/within-time.ts'
import type { StateRecord, StateStore } from '../../store/state-store.ts'
import { readBook, type AlertBook } from '../alert-book.ts'
import type { Windows } from '../evaluate.ts'

const collection = 'alerts'

export interface StoredBook {
  readonly book: AlertBook
  readonly version: number | 'absent'
}

export interface SavedWindows {
  readonly savedAtMs: number
  readonly tick: number
  readonly tickMs: number
  readonly windows: Windows
}

export interface BookStore {
  read(): Promise<StoredBook>
  /** The new version, or null when somebody else has written meanwhile. */
  write(book: AlertBook, over: number | 'absent'): Promise<number | null>
  /** The fencing token while this instance holds the lease, or null while another does. */
  holdLease(forMs: number): Promise<number | null>
  releaseLease(): Promise<void>
  saveWindows(saved: SavedWindows): Promise<void>
  loadWindows(): Promise<SavedWindows | null>
}

interface Lease {
  readonly holder: string
  readonly token: number
  readonly untilMs: number
}

/** @param holder unique to this process, so that a restarted one does not take itself for the one before */
export function createBookStore(store: StateStore, clock: Clock, holder: string, callMs: number): BookStore {
  const bounded = <Value>(call: Promise<Value>): Promise<Value> => withinTime(clock, call, callMs, 'The store')

  return {
    async read() {
      const record = await bounded(store.get(collection, 'book'))
      return { book: readBook(record?.value), version: record?.version ?? 'absent' }
    },

    async write(book, over) {
      const outcome = await bounded(store.put(collection, 'book', asJson(book), { ifVersion: over }))
      return outcome.stored ? outcome.version : null
    },

    async holdLease(forMs) {
      const record = await bounded(store.get(collection, 'lease'))
      const lease = leaseOf(record)
      const nowMs = clock.nowMs()
      const isMine = lease?.holder === holder
      if (lease !== null && !isMine && lease.untilMs > nowMs) return null
      const next: Lease = { holder, token: isMine ? lease.token : (lease?.token ?? 0) + 1, untilMs: nowMs + forMs }
      const outcome = await bounded(store.put(collection, 'lease', asJson(next), { ifVersion: record?.version ?? 'absent' }))
      return outcome.stored ? next.token : null
    },

    async releaseLease() {
      const record = await bounded(store.get(collection, 'lease'))
      const lease = leaseOf(record)
      if (record === undefined || lease === null || lease.holder !== holder) return
      // The token stays, so that the next holder's is greater.
      await bounded(store.put(collection, 'lease', asJson({ ...lease, untilMs: 0 }), { ifVersion: record.version }))
    },

    async saveWindows(saved) {
      await bounded(store.put(collection, 'windows', asJson(saved)))
    },

    async loadWindows() {
      const record = await bounded(store.get(collection, 'windows'))
      const value = record?.value
      const isSaved = typeof value === 'object' && value !== null && 'savedAtMs' in value && 'windows' in value
      return isSaved ? (value as unknown as SavedWindows) : null
    },
  }
}

function leaseOf(record: StateRecord | undefined): Lease | null {
  const value = record?.value
  return typeof value === 'object' && value !== null && 'holder' in value && 'token' in value && 'untilMs' in value ? (value as unknown as Lease) : null
}

/** Our records are plain data by their types; the port's type cannot say so of an interface. */
function asJson(value: object): JsonValue {
  return value as JsonValue
}
