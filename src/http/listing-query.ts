/**
 * The query of `GET /v1/operations`: what may be filtered by, how long a page is, and the cursor, which is the id of the
 * last operation that was looked at, in a form that invites nobody to build one. Garbage is refused by name.
 */
import type { OperationFilter } from '../intake/operation-record.ts'
import type { PageRequest } from '../intake/listing.ts'
import { operationTypes, routes } from '../operation/matrix.ts'
import type { FieldError } from '../operation/problem.ts'
import { operationStatuses } from '../operation/result.ts'
import { httpLimits } from './limits.ts'
import { invalidRequest } from './validation-errors.ts'

const known = ['status', 'operation', 'route', 'since', 'limit', 'cursor'] as const
/** RFC 3339, section 5.6. */
const rfc3339Pattern = /^(\d{4}-\d{2}-\d{2})[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/
const idPattern = /^op_[0-9a-z]{26}$/

export function readListingQuery(query: unknown): PageRequest {
  const given = (query ?? {}) as Readonly<Record<string, unknown>>
  const errors: FieldError[] = []
  const refuse = (path: string, message: string): undefined => {
    errors.push({ path, message })
    return undefined
  }
  const text = (name: (typeof known)[number]): string | undefined => {
    const value = given[name]
    if (value === undefined || typeof value === 'string') return value
    return refuse(name, 'is given more than once.')
  }
  const oneOf = <Word extends string>(name: (typeof known)[number], words: readonly Word[]): Word | undefined => {
    const value = text(name)
    if (value === undefined) return undefined
    return words.find((word) => word === value) ?? refuse(name, `${shown(value)} is not one of ${words.join(', ')}.`)
  }

  for (const name of Object.keys(given)) {
    if (!known.some((word) => word === name)) refuse(name.slice(0, httpLimits.shownCharacters), `is not a known parameter; known are ${known.join(', ')}.`)
    if (errors.length >= 8) break
  }
  const status = oneOf('status', operationStatuses)
  const operation = oneOf('operation', operationTypes)
  const route = oneOf('route', routes)
  const since = text('since')
  const sinceMs = since === undefined ? undefined : (readTime(since) ?? refuse('since', `${shown(since)} is not an RFC 3339 time such as 2026-01-31T08:00:00Z.`))
  const limitText = text('limit')
  const limit = limitText === undefined ? httpLimits.pageDefault : readLimit(limitText)
  if (limit === undefined) refuse('limit', `${shown(limitText ?? '')} is not in [1, ${httpLimits.pageLimit}].`)
  const cursor = text('cursor')
  const after = cursor === undefined ? undefined : (readCursor(cursor) ?? refuse('cursor', 'is not one that this service gave.'))
  if (errors.length > 0) throw invalidRequest(errors)

  const filter: OperationFilter = {
    ...(status === undefined ? {} : { status }),
    ...(operation === undefined ? {} : { operation }),
    ...(route === undefined ? {} : { route }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
  }
  return { filter, limit: limit ?? httpLimits.pageDefault, ...(after === undefined ? {} : { after }) }
}

export function toCursor(id: string): string {
  return Buffer.from(id, 'latin1').toString('base64url')
}

function readCursor(cursor: string): string | undefined {
  const id = Buffer.from(cursor, 'base64url').toString('latin1')
  // Decoding passes over what is not base64url, so the way back is the test.
  return idPattern.test(id) && toCursor(id) === cursor ? id : undefined
}

/** `Date.parse` makes the 3rd of March of the 31st of February; a day that the calendar does not have is garbage. */
function readTime(text: string): number | undefined {
  const day = rfc3339Pattern.exec(text)?.[1]
  if (day === undefined) return undefined
  const midnightMs = Date.parse(`${day}T00:00:00Z`)
  if (Number.isNaN(midnightMs) || !new Date(midnightMs).toISOString().startsWith(day)) return undefined
  const timeMs = Date.parse(text)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

function readLimit(text: string): number | undefined {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0
  return value >= 1 && value <= httpLimits.pageLimit ? value : undefined
}

function shown(value: string): string {
  return JSON.stringify(value.slice(0, httpLimits.shownCharacters))
}
