/**
 * Runs calls on the open file in groups, each group in one transaction: on the calling thread or on the worker, which is
 * all the difference between the two durabilities. A call that is refused leaves its group alone; an error of SQLite's
 * undoes the group, and every call in it gets that error.
 */
import { AssertionError } from 'node:assert'
import type { QueueOptions } from '../message-queue.ts'
import { createQueueCore, type QueueCore } from '../queue-core.ts'
import { StoreError, type StoreFault } from '../store-error.ts'
import { isSqliteError, openSqliteFile, toStoreError, type SqliteFileOptions } from './sqlite-file.ts'
import { createSqliteMessageTable } from './sqlite-message-table.ts'
import { createSqliteStateTable, type StateTable } from './sqlite-state-table.ts'

export interface MetaTable {
  /** The sum of the wall clock's jumps (`steady-clock.ts`). */
  readShift(): number
  writeShift(shiftMs: number): void
  /** Reads and writes, or throws. */
  probe(): void
}

export interface HostTargets {
  readonly queue: QueueCore
  readonly state: StateTable
  readonly meta: MetaTable
}
export interface HostCall {
  readonly target: keyof HostTargets
  readonly method: string
  readonly args: readonly unknown[]
}
/** Can be sent between threads. */
export type HostAnswer = { readonly value: unknown } | { readonly fault: StoreFault | 'assertion'; readonly message: string }

export interface SqliteHost {
  run(calls: readonly HostCall[]): readonly HostAnswer[]
  /** Copies the log into the file; `restart` also begins the log anew. The pages that the log holds. */
  checkpoint(mode: 'passive' | 'restart'): number
  close(): void
}

export function openSqliteHost(options: SqliteFileOptions & { readonly queue: QueueOptions; readonly nowMs: number }): SqliteHost {
  const { path } = options
  const database = openSqliteFile(options)
  const messages = createSqliteMessageTable(database)
  const state = createSqliteStateTable(database)
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const readMeta = database.prepare('SELECT value FROM meta WHERE name = ?')
  const writeMeta = database.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value')
  const readShift = (): number => Number(readMeta.get('clock_shift_ms')?.['value'] ?? 0)

  const targets: HostTargets = {
    queue: createQueueCore(messages, options.queue),
    state,
    meta: {
      readShift,
      writeShift: (shiftMs) => void writeMeta.run('clock_shift_ms', shiftMs),
      probe: () => void writeMeta.run('probe', (Number(readMeta.get('probe')?.['value'] ?? 0) + 1) % 1_000),
    },
  }

  const rollBack = (): void => {
    if (database.isTransaction) database.exec('ROLLBACK')
    messages.recount()
    state.recover()
  }

  const runOne = ({ target, method, args }: HostCall): HostAnswer => {
    try {
      const methods = targets[target] as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>
      const found = methods[method]
      if (found === undefined) return { fault: 'assertion', message: `no method ${method}` }
      return { value: found(...args) }
    } catch (error) {
      if (error instanceof StoreError) return { fault: error.fault, message: error.message }
      if (error instanceof AssertionError) return { fault: 'assertion', message: error.message }
      throw error
    }
  }

  const run = (calls: readonly HostCall[]): readonly HostAnswer[] => {
    try {
      begin.run()
      const answers = calls.map(runOne)
      commit.run()
      return answers
    } catch (error) {
      const { fault, message } = toStoreError(path, error)
      try {
        rollBack()
      } catch (second) {
        // The file is beyond reading: the first error says why, and the next call meets the same.
        if (!isSqliteError(second)) throw second
      }
      return calls.map(() => ({ fault, message }))
    }
  }

  // Whoever held a lease belongs to a process that is gone: the lock says so.
  begin.run()
  targets.queue.recover(options.nowMs - readShift())
  commit.run()

  return {
    run,
    checkpoint(mode) {
      const row = database.prepare(`PRAGMA wal_checkpoint(${mode === 'passive' ? 'PASSIVE' : 'RESTART'})`).get()
      return mode === 'restart' && Number(row?.['busy']) === 0 ? 0 : Math.max(0, Number(row?.['log'] ?? 0))
    },
    close: () => database.close(),
  }
}
