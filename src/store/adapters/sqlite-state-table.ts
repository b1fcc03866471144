/**
 * The state store's records in SQLite, synchronously. Versions come from one counter per file, so that they grow over
 * deletions too; the counter is saved in blocks, which costs a write every so many versions instead of one for each.
 */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { endOfPrefix } from '../key-order.ts'
import type { ListOptions, PutOptions } from '../state-store.ts'

/** A record with its value as JSON text. */
export interface StoredRecord {
  readonly key: string
  readonly text: string
  readonly version: number
  readonly expiresAtMs: number | null
}
export type StoredPutOutcome = { readonly stored: true; readonly version: number } | { readonly stored: false; readonly current: StoredRecord | undefined }

export interface StateTable {
  get(collection: string, key: string, nowMs: number): StoredRecord | undefined
  put(collection: string, key: string, text: string, options: PutOptions, nowMs: number): StoredPutOutcome
  delete(collection: string, key: string, ifVersion: number | undefined, nowMs: number): boolean
  list(collection: string, options: ListOptions, nowMs: number): readonly StoredRecord[]
}

/** Versions per block: 2^53 of them last for nine thousand million starts. */
const versionBlock = 1_000_000
/** More than one, so that sweeping keeps up with writing; few, so that one write stays short. */
const sweptPerWrite = 8
/** In SQLite's order every text is less than every blob. */
const aboveAllText = new Uint8Array()

export function createSqliteStateTable(database: DatabaseSync): StateTable & { recover(): void } {
  const live = '(expires IS NULL OR expires > ?)'
  const get = database.prepare(`SELECT key, value, version, expires FROM record WHERE collection = ? AND key = ? AND ${live}`)
  const put = database.prepare(
    `INSERT INTO record (collection, key, value, version, expires) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (collection, key) DO UPDATE SET value = excluded.value, version = excluded.version, expires = excluded.expires`,
  )
  const remove = database.prepare('DELETE FROM record WHERE collection = ? AND key = ?')
  const sweep = database.prepare(`DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ${sweptPerWrite})`)
  const page = (order: string, after: string) =>
    database.prepare(`SELECT key, value, version, expires FROM record WHERE collection = ? AND key >= ? AND key < ? AND key ${after} ? AND ${live} ORDER BY key ${order} LIMIT ?`)
  const ascending = page('ASC', '>')
  const descending = page('DESC', '<')
  const readBlock = database.prepare("SELECT value FROM meta WHERE name = 'version_block'")
  const writeBlock = database.prepare("INSERT INTO meta (name, value) VALUES ('version_block', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")

  let version = 0
  let blockEnd = 0
  const recover = (): void => {
    version = Number(readBlock.get()?.['value'] ?? 0)
    blockEnd = version
  }
  recover()

  const nextVersion = (): number => {
    if (version >= blockEnd) {
      blockEnd = version + versionBlock
      writeBlock.run(blockEnd)
    }
    version += 1
    return version
  }

  return {
    recover,
    get: (collection, key, nowMs) => toRecord(get.get(collection, key, nowMs)),
    put(collection, key, text, { ifVersion, expiresAtMs }, nowMs) {
      sweep.run(nowMs)
      if (ifVersion !== undefined) {
        const current = toRecord(get.get(collection, key, nowMs))
        if (ifVersion !== (current?.version ?? 'absent')) return { stored: false, current }
      }
      const written = nextVersion()
      put.run(collection, key, text, written, expiresAtMs ?? null)
      return { stored: true, version: written }
    },
    delete(collection, key, ifVersion, nowMs) {
      const current = toRecord(get.get(collection, key, nowMs))
      if (current === undefined || (ifVersion !== undefined && ifVersion !== current.version)) return false
      remove.run(collection, key)
      return true
    },
    list(collection, options, nowMs) {
      const prefix = options.prefix ?? ''
      const end = endOfPrefix(prefix) ?? aboveAllText
      const rows =
        options.descending === true
          ? descending.all(collection, prefix, end, options.after ?? aboveAllText, nowMs, options.limit)
          : ascending.all(collection, prefix, end, options.after ?? '', nowMs, options.limit)
      return rows.flatMap((columns) => toRecord(columns) ?? [])
    },
  }
}

function toRecord(columns: Record<string, SQLOutputValue> | undefined): StoredRecord | undefined {
  if (columns === undefined) return undefined
  const expires = columns['expires']
  return {
    key: String(columns['key']),
    text: String(columns['value']),
    version: Number(columns['version']),
    expiresAtMs: expires === null || expires === undefined ? null : Number(expires),
  }
}
