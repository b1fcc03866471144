/**
 * A request body becomes a JSON value, or a 400 that says where it is wrong. Stricter than `JSON.parse` on three points: the
 * text must be valid UTF-8, escaped characters included (half of a surrogate pair cannot be sent on, and a replaced character
 * would change a prompt in silence), nesting is bounded, and a member may be given only once, because whatever stands between the client and this service might read the other one. `__proto__` is refused
 * as a member name: copied carelessly it would change an object's nature.
 *
 * It walks the text once before parsing, skipping strings by search, so that what is too deep is never built. No bytes at all
 * are null: many clients say `Content-Type: application/json` on a DELETE that carries nothing.
 */
import { isUtf8 } from 'node:buffer'
import type { JsonValue } from '../operation/converse.ts'
import { OperationError } from '../operation/problem.ts'
import { httpLimits } from './limits.ts'

interface Level {
  /** The members so far; null for a list. */
  readonly members: Set<string> | null
  member: string
  index: number
}

export function parseJsonBody(body: Buffer, maxDepth: number): JsonValue {
  if (body.length === 0) return null
  if (!isUtf8(body)) throw invalidBody('body', 'is not valid UTF-8.')
  const text = body.toString('utf8')
  assertStructure(text, maxDepth)
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // The engine's message quotes the text around the fault, which may be a prompt.
    throw invalidBody('body', 'is not valid JSON.')
  }
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c
const colon = 0x3a
/** Rare, so that only a body which has one pays for the closer look at its strings. */
const surrogateEscape = /\\u[dD][89a-fA-F]/

function assertStructure(text: string, maxDepth: number): void {
  const mayHoldSurrogates = surrogateEscape.test(text)
  const levels: Level[] = []
  let level: Level | undefined
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case quote: {
        const end = endOfString(text, index)
        if (mayHoldSurrogates && !unescaped(text.slice(index + 1, end)).isWellFormed()) throw invalidBody(pathOf(levels), 'is not valid UTF-8: it holds half of a surrogate pair.')
        if (level !== undefined && level.members !== null && nextIsColon(text, end + 1)) addMember(levels, level, level.members, text.slice(index + 1, end))
        index = end
        break
      }
      case openBrace:
      case openBracket:
        // The member of the body is name enough: the whole path would be as long as it is deep.
        if (levels.length === maxDepth) throw invalidBody(pathOf(levels.slice(0, 1)), `is nested deeper than ${maxDepth} levels.`)
        level = { members: text.charCodeAt(index) === openBrace ? new Set() : null, member: '', index: 0 }
        levels.push(level)
        break
      case closeBrace:
      case closeBracket:
        levels.pop()
        level = levels.at(-1)
        break
      case comma:
        if (level !== undefined) level.index += 1
        break
      default:
        break
    }
  }
}

function addMember(levels: readonly Level[], level: Level, members: Set<string>, raw: string): void {
  const name = raw.includes('\\') ? unescaped(raw) : raw
  level.member = name
  if (name === '__proto__') throw invalidBody(pathOf(levels), 'is not allowed as a member name.')
  if (members.has(name)) throw invalidBody(pathOf(levels), 'is given twice.')
  members.add(name)
}

function unescaped(raw: string): string {
  try {
    return String(JSON.parse(`"${raw}"`))
  } catch {
    // Not a valid string: parsing the whole will say so.
    return raw
  }
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes += 1
    if (escapes % 2 === 0) return end
  }
  return text.length
}

function nextIsColon(text: string, from: number): boolean {
  let index = from
  while (text.charCodeAt(index) <= 0x20) index += 1
  return text.charCodeAt(index) === colon
}

function pathOf(levels: readonly Level[]): string {
  let path = ''
  for (const { members, member, index } of levels) {
    if (members === null) path += `[${index}]`
    else if (member !== '') path += `${path === '' ? '' : '.'}${member.slice(0, httpLimits.shownCharacters)}`
  }
  return path === '' ? 'body' : path.slice(0, 512)
}

function invalidBody(path: string, message: string): OperationError {
  return new OperationError('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] })
}
