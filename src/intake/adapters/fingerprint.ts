/**
 * The fingerprint of a request: SHA-256 over its canonical JSON, so that the state store keeps no prompt with a key. A
 * client's idempotency key is hashed as well: it may be of any length up to its limit and of any characters.
 */
import { createHash } from 'node:crypto'
import type { JsonValue } from '../../operation/converse.ts'
import { canonicalJson } from '../../operation/canonical-json.ts'

export function fingerprint(request: JsonValue): string {
  return createHash('sha256').update(canonicalJson(request)).digest('base64url')
}

/** The store's key for a tenant's idempotency key; no tenant's can be made to look like another's. */
export function bindingKey(tenant: string | null, key: string): string {
  return createHash('sha256').update(JSON.stringify([tenant, key])).digest('base64url')
}
