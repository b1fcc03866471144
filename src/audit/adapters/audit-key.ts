/**
 * The key that signs the trail. The configuration's where it names one; else one that is made once and kept:
 *
 *   sqlite   in a file beside the database, readable by its owner alone (`<path>.audit-key`, 0600)
 *   redis    in the store itself, since all instances must have the same: whoever can write the store can then also sign,
 *            so that a key in the configuration is better there (`docs/decisions/085-levers-and-audit.md`)
 *   memory   in the process, as the trail itself
 */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { StateStore } from '../../store/state-store.ts'

export type KeyPlace = { readonly kind: 'configured'; readonly key: string } | { readonly kind: 'file'; readonly path: string } | { readonly kind: 'store' } | { readonly kind: 'process' }

const keyBytes = 32
const shortestKey = 32

export async function obtainAuditKey(place: KeyPlace, state: StateStore): Promise<string> {
  switch (place.kind) {
    case 'configured':
      return place.key
    case 'file':
      return keyOfFile(place.path)
    case 'store':
      return keyOfStore(state)
    case 'process':
      return newKey()
  }
}

async function keyOfFile(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  try {
    // `wx` fails where a file is: a key that signed a trail is never replaced.
    await writeFile(path, `${newKey()}\n`, { flag: 'wx', mode: 0o600 })
    // The umask may have taken bits away, never added any; an explicit mode is the same everywhere.
    await chmod(path, 0o600)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const key = (await readFile(path, 'utf8')).trim()
  if (key.length < shortestKey) throw new Error(`${path} holds no audit key: restore it from a backup, or move it away to begin with a new one`)
  return key
}

async function keyOfStore(state: StateStore): Promise<string> {
  const outcome = await state.put('audit-key', 'key', newKey(), { ifVersion: 'absent' })
  const record = outcome.stored ? await state.get('audit-key', 'key') : outcome.current
  if (typeof record?.value !== 'string') throw new Error('the audit key in the store is not readable')
  return record.value
}

function newKey(): string {
  return randomBytes(keyBytes).toString('hex')
}
