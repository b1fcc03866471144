/**
 * One text for all spellings of the same JSON value: members sorted by name, no white space (the idea of RFC 8785, for
 * values that came from `JSON.parse`). Two requests are the same request when their canonical texts are equal; the audit
 * trail hashes this text, so that a store may order members as it likes.
 *
 * The depth of what comes in is bounded by the limit on request bodies, so that recursion is safe here.
 */
import type { JsonValue } from './converse.ts'

export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name] ?? null)}`)
  return `{${members.join(',')}}`
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value)
}
