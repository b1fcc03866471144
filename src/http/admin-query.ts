/**
 * The queries of the operators' listings: a limit, an opaque cursor, and filters by name. Garbage is refused by name, as in
 * `listing-query.ts`.
 */
import { httpLimits } from './limits.ts'
import type { FieldError } from '../operation/problem.ts'
import { invalidRequest } from './validation-errors.ts'

export interface AdminQuery<Name extends string> {
  /** As given; only what is known and given once. */
  readonly texts: Readonly<Partial<Record<Name, string>>>
  readonly limit: number
  /** What `toAdminCursor` was given for the page before. */
  readonly after: string | undefined
  /** Adds a fault of a filter that the caller reads itself. */
  refuse(path: string, message: string): undefined
  /** Throws all faults at once. */
  check(): void
}

const paging = ['limit', 'cursor'] as const

export function readAdminQuery<const Name extends string>(query: unknown, names: readonly Name[], pages: { readonly limit: number; readonly usual: number } | null = { limit: httpLimits.pageLimit, usual: httpLimits.pageDefault }): AdminQuery<Name> {
  const given = (query ?? {}) as Readonly<Record<string, unknown>>
  const errors: FieldError[] = []
  const refuse = (path: string, message: string): undefined => {
    errors.push({ path, message })
    return undefined
  }
  const known: readonly string[] = pages === null ? names : [...names, ...paging]
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    if (errors.length >= 8) break
    if (!known.includes(name)) refuse(name.slice(0, httpLimits.shownCharacters), `is not a known parameter; known are ${known.join(', ')}.`)
    else if (typeof value !== 'string') refuse(name, 'is given more than once.')
    else texts[name] = value
  }
  let limit = pages?.usual ?? 0
  const limitText = texts['limit']
  if (pages !== null && limitText !== undefined) {
    limit = /^\d{1,4}$/.test(limitText) ? Number(limitText) : 0
    if (limit < 1 || limit > pages.limit) refuse('limit', `${shown(limitText)} is not in [1, ${pages.limit}].`)
  }
  const cursor = texts['cursor']
  const after = cursor === undefined ? undefined : (readCursor(cursor) ?? refuse('cursor', 'is not one that this service gave.'))
  return {
    texts: texts as Partial<Record<Name, string>>,
    limit,
    after,
    refuse,
    check() {
      if (errors.length > 0) throw invalidRequest(errors)
    },
  }
}

export function toAdminCursor(after: string): string {
  return Buffer.from(after, 'latin1').toString('base64url')
}

function readCursor(cursor: string): string | undefined {
  const after = Buffer.from(cursor, 'base64url').toString('latin1')
  return /^(?:\d{1,15}|log_[0-9a-z]{26}|(?:callback\.)?op_[0-9a-z]{26}(?:\.\d{1,3})?)$/.test(after) && toAdminCursor(after) === cursor ? after : undefined
}

/** RFC 3339, section 5.6. */
const rfc3339Pattern = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/

export function readInstant<Name extends string>(query: AdminQuery<Name>, name: Name): number | undefined {
  const text = query.texts[name]
  if (text === undefined) return undefined
  const atMs = rfc3339Pattern.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(atMs) ? query.refuse(name, `${shown(text)} is not an RFC 3339 time such as 2026-01-31T08:00:00Z.`) : atMs
}

export function readWord<Name extends string, Word extends string>(query: AdminQuery<Name>, name: Name, words: readonly Word[]): Word | undefined {
  const text = query.texts[name]
  if (text === undefined) return undefined
  return words.find((word) => word === text) ?? query.refuse(name, `${shown(text)} is not one of ${words.join(', ')}.`)
}

function shown(value: string): string {
  return JSON.stringify(value.slice(0, httpLimits.shownCharacters))
}
