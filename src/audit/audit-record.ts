/**
 * One record of the audit trail: who did what, when, and what changed. Pure data; `chain.ts` says how records hold together.
 *
 * A record holds no prompt, no answer and no secret: what levers change are figures, words of closed lists and the
 * operator's own reason. `late` says that the store was away when it happened.
 */
import { canonicalJson } from '../operation/canonical-json.ts'
import type { JsonObject, JsonValue } from '../operation/converse.ts'

export const auditKinds = ['lever', 'lever_ended', 'automatic', 'configuration', 'login_failure', 'operations_log', 'retention'] as const
export type AuditKind = (typeof auditKinds)[number]

/** What happened, as the one who did it tells it. */
export interface AuditDraft {
  readonly id: string
  readonly kind: AuditKind
  /** Wall clock. */
  readonly atMs: number
  /** A key's name, or the component that acted by itself. */
  readonly who: string
  /** The lever, or what else was done, as one word. */
  readonly what: string
  readonly component: string
  readonly reason: string | null
  readonly before: JsonValue
  readonly after: JsonValue
  readonly untilMs?: number
  readonly correlationId?: string
}

export interface AuditRecord extends AuditDraft {
  /** From 1, without gaps. */
  readonly sequence: number
  /** When it was written, where that was not when it happened. */
  readonly lateAtMs?: number
  /** The hash of the record before; of the first one, `genesis`. */
  readonly previous: string
  /** SHA-256 over all of the above, hexadecimal. */
  readonly hash: string
  /** HMAC-SHA-256 of the hash with the trail's key: nobody without the key adds a record that fits. */
  readonly signature: string
}

export const genesis = '0'.repeat(64)

/** The text that is hashed: everything but the hash and the signature, in one spelling. */
export function hashedText(record: Omit<AuditRecord, 'hash' | 'signature'>): string {
  const { hash: _hash, signature: _signature, ...rest } = record as AuditRecord
  return canonicalJson(rest)
}

/** Keys list in byte order, so the number has a fixed width: a record per millisecond for 31 years fits. */
export function recordKey(sequence: number): string {
  return String(sequence).padStart(12, '0')
}

export function isAuditRecord(value: JsonValue): value is JsonValue & JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const record = value as JsonObject
  return typeof record['sequence'] === 'number' && typeof record['previous'] === 'string' && typeof record['hash'] === 'string' && typeof record['signature'] === 'string' && typeof record['id'] === 'string'
}

/** What a listing may be narrowed to. */
export interface AuditFilter {
  readonly kind?: AuditKind
  readonly who?: string
  readonly what?: string
  readonly component?: string
  readonly sinceMs?: number
  readonly untilMs?: number
}

export function fitsFilter(record: AuditRecord, filter: AuditFilter): boolean {
  if (filter.kind !== undefined && record.kind !== filter.kind) return false
  if (filter.who !== undefined && record.who !== filter.who) return false
  if (filter.what !== undefined && record.what !== filter.what) return false
  if (filter.component !== undefined && record.component !== filter.component) return false
  if (filter.sinceMs !== undefined && record.atMs < filter.sinceMs) return false
  return filter.untilMs === undefined || record.atMs <= filter.untilMs
}
