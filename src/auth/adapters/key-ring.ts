/**
 * The ring of configured keys. Only hashes are kept. A presented key is hashed once and compared with every entry in
 * constant time and without leaving early, so that neither the content of a key nor its place in the list shows in the
 * time an answer takes. Hashes of presented keys are not kept: one short hash costs about a microsecond.
 */
import { createHash, hash, timingSafeEqual } from 'node:crypto'
import type { ApiKeyConfig } from '../../config/schema.ts'
import type { KeyHolder, KeyRing } from '../authenticate.ts'

interface Entry {
  readonly digest: Buffer
  readonly holder: KeyHolder
}

export function createKeyRing(keys: readonly ApiKeyConfig[]): KeyRing {
  const entries: readonly Entry[] = keys.map((key) => ({
    digest: key.sha256 === undefined ? createHash('sha256').update(key.secret ?? '').digest() : Buffer.from(key.sha256, 'hex'),
    holder: Object.freeze({ name: key.name, role: key.role, tenant: key.tenant }),
  }))
  return {
    find(presented) {
      const digest = hash('sha256', presented, 'buffer')
      let found: KeyHolder | null = null
      for (const entry of entries) {
        if (timingSafeEqual(entry.digest, digest)) found = entry.holder
      }
      return found
    },
  }
}
