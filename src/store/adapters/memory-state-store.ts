/**
 * The state store in memory: for tests, the simulator and a service that need not remember. Nothing outlives the process.
 *
 * Values are kept as JSON text, so that a caller never shares an object with the store and sees exactly what the durable
 * engines would give back. Each collection has its keys in an ordered list; ids sort by creation, so that an insertion is
 * nearly always at its end. Expired records are never returned and are swept a few at a time with every write, so that no
 * write stalls the process; the store refuses with `full` instead of growing past its limits.
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { Clock } from '../../runtime/clock.ts'
import { createIndexedHeap, type HeapNode } from '../indexed-heap.ts'
import { assertKey, compareKeys } from '../key-order.ts'
import { storeLimits } from '../limits.ts'
import { assertListOptions, stateValueText, type StateRecord, type StateStore } from '../state-store.ts'
import { StoreError } from '../store-error.ts'

interface Stored {
  readonly collection: string
  readonly key: string
  readonly text: string
  readonly bytes: number
  readonly version: number
  readonly expiresAtMs: number | null
  /** Among those that expire; null where it does not. */
  expiry: HeapNode<Stored> | null
}

interface Collection {
  readonly records: Map<string, Stored>
  /** All keys in byte order, those of expired records included until they are swept. */
  readonly keys: string[]
}

/** More than one, so that sweeping keeps up with writing; few, so that one write stays short. */
const sweptPerWrite = 8
/** Keys from an end that count as close to it: as many as run at once on a busy service. */
const nearEnds = 64

/**
 * Removes one key. The oldest go most often, so what is near the front is closed from the front: taking the first of a list
 * is the one removal that does not move the rest.
 */
function takeOut(keys: string[], index: number): void {
  if (index * 2 > keys.length) {
    keys.splice(index, 1)
    return
  }
  keys.copyWithin(1, 0, index)
  keys.shift()
}

export function createMemoryStateStore(clock: Clock): StateStore {
  const collections = new Map<string, Collection>()
  const expiries = createIndexedHeap<Stored>((a, b) => (a.expiresAtMs ?? 0) < (b.expiresAtMs ?? 0))
  let recordCount = 0
  let byteCount = 0
  let lastVersion = 0
  let closed = false

  const isLive = (record: Stored): boolean => record.expiresAtMs === null || record.expiresAtMs > clock.nowMs()

  const live = (collection: string, key: string): Stored | undefined => {
    const record = collections.get(collection)?.records.get(key)
    return record !== undefined && isLive(record) ? record : undefined
  }

  /** Where the key is, or where it would be inserted. */
  const position = (keys: readonly string[], key: string): number => {
    const last = keys.at(-1)
    if (last === undefined || compareKeys(last, key) < 0) return keys.length
    let low = 0
    let high = keys.length
    // Results come nearly in the order of their ids, and the oldest go: most positions are close to one of the ends.
    if (high > 2 * nearEnds) {
      if (compareKeys(keys[high - nearEnds] ?? '', key) < 0) low = high - nearEnds + 1
      else if (compareKeys(keys[nearEnds] ?? '', key) >= 0) high = nearEnds
    }
    while (low < high) {
      const middle = (low + high) >> 1
      if (compareKeys(keys[middle] ?? '', key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  const forgetRecord = (record: Stored): void => {
    recordCount -= 1
    byteCount -= record.bytes
    if (record.expiry !== null) expiries.remove(record.expiry)
  }

  const remove = (record: Stored): void => {
    const collection = collections.get(record.collection)
    if (collection === undefined) return
    forgetRecord(record)
    collection.records.delete(record.key)
    takeOut(collection.keys, position(collection.keys, record.key))
    if (collection.keys.length === 0) collections.delete(record.collection)
  }

  const sweep = (atMost: number): void => {
    for (let count = 0; count < atMost; count += 1) {
      const record = expiries.first()
      if (record === undefined || isLive(record)) return
      remove(record)
    }
  }

  const assertRoom = (bytes: number, replaced: Stored | undefined): void => {
    const isFull = (): boolean =>
      (replaced === undefined && recordCount >= storeLimits.memoryRecords) || byteCount - (replaced?.bytes ?? 0) + bytes > storeLimits.memoryBytes
    if (!isFull()) return
    sweep(recordCount)
    if (isFull()) throw new StoreError('full', 'The memory store is full: use the sqlite or redis engine, or shorter retention.')
  }

  const assertOpen = (): void => {
    if (closed) throw new StoreError('closed', 'The store is closed.')
  }

  const toRecord = (stored: Stored): StateRecord => ({
    key: stored.key,
    value: JSON.parse(stored.text) as JsonValue,
    version: stored.version,
    expiresAtMs: stored.expiresAtMs,
  })

  return {
    async get(collection, key) {
      assertOpen()
      const stored = live(collection, key)
      return stored === undefined ? undefined : toRecord(stored)
    },

    async put(collectionName, key, value, options = {}) {
      assertOpen()
      assertKey('collection', collectionName)
      assertKey('key', key)
      const text = stateValueText(value)
      sweep(sweptPerWrite)
      const current = live(collectionName, key)
      if (options.ifVersion !== undefined && options.ifVersion !== (current?.version ?? 'absent')) {
        return { stored: false, current: current === undefined ? undefined : toRecord(current) }
      }
      const replaced = collections.get(collectionName)?.records.get(key)
      const bytes = Buffer.byteLength(text)
      assertRoom(bytes, replaced)

      lastVersion += 1
      const record: Stored = { collection: collectionName, key, text, bytes, version: lastVersion, expiresAtMs: options.expiresAtMs ?? null, expiry: null }
      // Making room may have swept what was to be replaced, and its collection with it: look again.
      const collection = collections.get(collectionName) ?? { records: new Map<string, Stored>(), keys: [] }
      collections.set(collectionName, collection)
      const before = collection.records.get(key)
      if (before === undefined) collection.keys.splice(position(collection.keys, key), 0, key)
      else forgetRecord(before)
      collection.records.set(key, record)
      recordCount += 1
      byteCount += bytes
      if (record.expiresAtMs !== null) record.expiry = expiries.push(record)
      return { stored: true, version: record.version }
    },

    async delete(collection, key, options = {}) {
      assertOpen()
      const current = live(collection, key)
      if (current === undefined || (options.ifVersion !== undefined && options.ifVersion !== current.version)) return false
      remove(current)
      return true
    },

    async list(collectionName, options) {
      assertOpen()
      assertListOptions(options)
      const collection = collections.get(collectionName)
      if (collection === undefined) return []
      const { keys, records } = collection
      const prefix = options.prefix ?? ''
      const step = options.descending === true ? -1 : 1
      const found: StateRecord[] = []
      for (let index = firstIndex(keys, prefix, options.after, step); index >= 0 && index < keys.length && found.length < options.limit; index += step) {
        const key = keys[index] ?? ''
        if (!key.startsWith(prefix)) break
        const record = records.get(key)
        if (record !== undefined && isLive(record)) found.push(toRecord(record))
      }
      return found
    },

    async check() {
      assertOpen()
    },

    async close() {
      closed = true
      collections.clear()
    },
  }

  function firstIndex(keys: readonly string[], prefix: string, after: string | undefined, step: 1 | -1): number {
    if (step === 1) {
      if (after === undefined || compareKeys(after, prefix) < 0) return position(keys, prefix)
      const index = position(keys, after)
      return keys[index] === after ? index + 1 : index
    }
    const end = endOfPrefix(keys, prefix)
    return (after === undefined ? end : Math.min(end, position(keys, after))) - 1
  }

  /** The first position behind all keys that begin with the prefix, from where those begin. */
  function endOfPrefix(keys: readonly string[], prefix: string): number {
    let low = position(keys, prefix)
    let high = keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((keys[middle] ?? '').startsWith(prefix)) low = middle + 1
      else high = middle
    }
    return low
  }
}
