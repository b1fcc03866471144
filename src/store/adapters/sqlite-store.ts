/**
 * The embedded store: the message queue and the state store in one SQLite file that belongs to this process
 * (`sqlite-file.ts` says how it is kept from others).
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { Clock } from '../../runtime/clock.ts'
import { assertKey } from '../key-order.ts'
import { queueOptions } from '../message-checks.ts'
import type { MessageQueue, QueueOptions } from '../message-queue.ts'
import { assertListOptions, stateValueText, type StateRecord, type StateStore } from '../state-store.ts'
import { StoreError } from '../store-error.ts'
import { createLocalMessageQueue, type CallQueue } from './local-message-queue.ts'
import { createLocalExecutor, createThreadExecutor, type SqliteExecutor } from './sqlite-executor.ts'
import { lockSqliteFile, toStoreError, type Durability } from './sqlite-file.ts'
import { openSqliteHost, type MetaTable } from './sqlite-host.ts'
import type { StateTable, StoredRecord } from './sqlite-state-table.ts'
import { startSqliteThread } from './sqlite-thread.ts'
import { createSteadyClock } from './steady-clock.ts'

export interface SqliteStoreOptions {
  readonly path: string
  readonly durability: Durability
  readonly clock: Clock
  readonly queue?: Partial<QueueOptions>
  readonly maxBytes?: number
}

export interface SqliteStore {
  readonly queue: MessageQueue
  readonly state: StateStore
  /** Carries out what was asked and gives the file back. */
  close(): Promise<void>
}

/** Rejects with a `StoreError` that says what to mend. */
export async function openSqliteStore({ path, durability, clock, queue, maxBytes }: SqliteStoreOptions): Promise<SqliteStore> {
  const options = queueOptions(queue)
  const unlock = lockSqliteFile(path)
  let executor: SqliteExecutor
  try {
    const fileOptions = { path, durability, queue: options, nowMs: clock.nowMs(), ...(maxBytes === undefined ? {} : { maxBytes }) }
    executor =
      durability === 'power'
        ? createThreadExecutor(await startSqliteThread({ role: 'host', options: fileOptions }))
        : createLocalExecutor(openSqliteHost(fileOptions), path)
  } catch (error) {
    unlock()
    throw toStoreError(path, error)
  }

  const callMeta = <Method extends keyof MetaTable>(method: Method, args: Parameters<MetaTable[Method]>) =>
    executor.submit({ target: 'meta', method, args }) as Promise<ReturnType<MetaTable[Method]>>
  const callState: CallState = (method, args) => executor.submit({ target: 'state', method, args }) as Promise<never>
  const callQueue: CallQueue = (method, ...args) => executor.submit({ target: 'queue', method, args }) as Promise<never>

  const steady = createSteadyClock(clock, await callMeta('readShift', []), (shiftMs) => {
    callMeta('writeShift', [shiftMs]).catch(() => {
      // Only instants read after a restart depend on it, and the calls around it report the engine's trouble.
    })
  })

  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= executor.close().finally(unlock)
    return closing
  }
  const check = (): Promise<void> => callMeta('probe', [])

  let open = 2
  const closeOne = async (): Promise<void> => {
    open -= 1
    if (open === 0) await close()
  }

  const messageQueue = createLocalMessageQueue({ clock, steady, options, call: callQueue, check, close: closeOne })
  const state = createSqliteStateStore(clock, callState, check, closeOne)
  return {
    queue: messageQueue,
    state,
    async close() {
      await messageQueue.close()
      await state.close()
      await close()
    },
  }
}

type CallState = <Method extends keyof StateTable>(method: Method, args: Parameters<StateTable[Method]>) => Promise<ReturnType<StateTable[Method]>>

function createSqliteStateStore(clock: Clock, call: CallState, check: () => Promise<void>, close: () => Promise<void>): StateStore {
  let closed = false
  const assertOpen = (): void => {
    if (closed) throw new StoreError('closed', 'The store is closed.')
  }
  return {
    async get(collection, key) {
      assertOpen()
      const stored = await call('get', [collection, key, clock.nowMs()])
      return stored === undefined ? undefined : toRecord(stored)
    },
    async put(collection, key, value, options = {}) {
      assertOpen()
      assertKey('collection', collection)
      assertKey('key', key)
      const outcome = await call('put', [collection, key, stateValueText(value), options, clock.nowMs()])
      if (outcome.stored) return outcome
      return { stored: false, current: outcome.current === undefined ? undefined : toRecord(outcome.current) }
    },
    async delete(collection, key, options = {}) {
      assertOpen()
      return await call('delete', [collection, key, options.ifVersion, clock.nowMs()])
    },
    async list(collection, options) {
      assertOpen()
      assertListOptions(options)
      return (await call('list', [collection, options, clock.nowMs()])).map(toRecord)
    },
    async check() {
      assertOpen()
      await check()
    },
    async close() {
      if (closed) return
      closed = true
      await close()
    },
  }
}

function toRecord({ key, text, version, expiresAtMs }: StoredRecord): StateRecord {
  return { key, value: JSON.parse(text) as JsonValue, version, expiresAtMs }
}
