/**
 * Opens the SQLite file: its permissions before the first byte is in it, the lock that keeps a second process out, the
 * settings, the migrations; and maps what SQLite says to a `StoreFault`. It knows nothing of what the tables are for.
 *
 * One process owns a file. Leases and time are then that process's own, and whoever held a lease before a start is known
 * to be gone. The lock is an exclusive transaction on a small file beside it (`-lock`): the kernel gives it back whatever
 * way the process ends, while the engine's own threads can still share the database. Several processes on one store are
 * what the redis engine is for.
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { storeLimits } from '../limits.ts'
import { StoreError, type StoreFault } from '../store-error.ts'
import { migrations } from './sqlite-schema.ts'

/**
 * `process`: what was acknowledged survives the death of the process, not always that of the machine. `power`: it survives
 * both, at the price of a sync to disk per group of calls, on a worker thread.
 */
export type Durability = 'process' | 'power'

export interface SqliteFileOptions {
  readonly path: string
  readonly durability: Durability
  readonly maxBytes?: number
}

const pageBytes = 4_096
/** How long one thread of ours may wait for another one's checkpoint; other processes are kept out by the lock. */
const busyMs = 2_000

/** Creates what is missing and takes the file for this process. The result gives it back. */
export function lockSqliteFile(path: string): () => void {
  return withFaults(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const lockPath = `${path}-lock`
    // Never open a file that exists just to look at it: closing it again would drop this process's locks on it (POSIX).
    createPrivate(lockPath)
    const lock = new DatabaseSync(lockPath, { timeout: 0 })
    try {
      lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
      createPrivate(path)
      chmodSync(path, 0o600)
    } catch (error) {
      lock.close()
      throw error
    }
    return () => lock.close()
  })
}

export function openSqliteFile({ path, durability, maxBytes = storeLimits.sqliteBytes }: SqliteFileOptions): DatabaseSync {
  return withFaults(path, () => {
    const database = new DatabaseSync(path, { timeout: busyMs })
    try {
      database.exec(`
        PRAGMA page_size = ${pageBytes};
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'};
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA max_page_count = ${Math.floor(maxBytes / pageBytes)};
        PRAGMA cache_size = -32768;
        PRAGMA temp_store = MEMORY;
      `)
      migrate(database, path)
      return database
    } catch (error) {
      database.close()
      throw error
    }
  })
}

function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

function migrate(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
  if (version > migrations.length) {
    throw new StoreError('newer_schema', `${path}: written by a newer version of the program (schema ${version}, this one knows ${migrations.length}): run that version, or use another path.`)
  }
  for (let next = version; next < migrations.length; next += 1) {
    database.exec(`BEGIN IMMEDIATE; ${migrations[next]}; PRAGMA user_version = ${next + 1}; COMMIT`)
  }
}

/** The low byte of SQLite's result codes (sqlite.org/rescode.html), as far as an operator can do something about them. */
const faultsByResultCode: Readonly<Record<number, readonly [StoreFault, string]>> = {
  3: ['read_only', 'permission denied: let the service own the file and its folder'],
  5: ['locked', 'another process uses this file: stop it, give each its own path, or use the redis engine for several processes'],
  6: ['locked', 'another process uses this file: stop it, give each its own path, or use the redis engine for several processes'],
  8: ['read_only', 'the file may not be written: let the service own the file and its folder'],
  10: ['unavailable', 'the disk does not read or write: check it and its free space'],
  11: ['corrupt', 'the file is damaged: restore it from a backup, or move it away to start with an empty one'],
  13: ['full', 'the disk or the file’s limit is used up: free space, or shorten the retention'],
  14: ['read_only', 'the file cannot be opened: check that the path is a file that the service may read and write'],
  26: ['corrupt', 'not a database: check the path; move the file away to start with an empty one'],
}

const faultsByErrno: Readonly<Record<string, readonly [StoreFault, string]>> = {
  EACCES: ['read_only', 'permission denied: let the service own the file and its folder'],
  EPERM: ['read_only', 'permission denied: let the service own the file and its folder'],
  EROFS: ['read_only', 'the file system is read-only: use a path that can be written'],
  ENOSPC: ['full', 'the disk is full: free space'],
  EDQUOT: ['full', 'the quota is used up: free space'],
  ENOTDIR: ['read_only', 'a part of the path is not a folder: check the path'],
  EEXIST: ['read_only', 'a part of the path is not a folder: check the path'],
  EISDIR: ['read_only', 'the path is a folder: give the path of a file'],
}

/** True for what SQLite itself reports: then a transaction may have gone. */
export function isSqliteError(error: unknown): error is Error & { readonly errcode: number } {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
}

export function toStoreError(path: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  if (isSqliteError(error)) {
    const [fault, remedy] = faultsByResultCode[error.errcode & 0xff] ?? ['unavailable', `SQLite result code ${error.errcode}`]
    return new StoreError(fault, `${path}: ${remedy}.`, error)
  }
  const errno = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
  const [fault, remedy] = faultsByErrno[errno] ?? ['unavailable', `it cannot be used (${errno})`]
  return new StoreError(fault, `${path}: ${remedy}.`, error)
}

export function withFaults<Result>(path: string, action: () => Result): Result {
  try {
    return action()
  } catch (error) {
    throw toStoreError(path, error)
  }
}
