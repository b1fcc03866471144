/**
 * Reads any value against the configuration's schema: expands references to the environment, turns their texts into the
 * numbers and flags that the schema wants, fills in the defaults, and collects every fault at once, each with its path, the
 * value and what is allowed.
 *
 * Why not a JSON Schema validator: what is read is not yet JSON (references), a fault must name the nearest known member and
 * must not show a secret, and defaults inside variants must be filled in; the messages of a general validator would have to
 * be taken apart again for each. A differential test holds this reader against Ajv on the published schema.
 *
 * It must not know any member of the configuration: what it says comes from the schema's nodes (`fields.ts`).
 */
import type { FieldError } from '../operation/problem.ts'
import { expand, type Environment } from './environment.ts'
import type { SchemaNode } from './fields.ts'
import { configDepth, shownValueLength } from './limits.ts'
import { nearestName } from './nearest-name.ts'

export interface Reading {
  /** Complete only when there are no errors; else whole outside the gaps. */
  readonly value: unknown
  readonly errors: readonly FieldError[]
  /** Paths of the members that are not as they were meant: the faulty ones, and those that a misspelt name stands for. */
  readonly gaps: readonly string[]
}

/** Stands for a value that is faulty and was reported. */
const faulty: unique symbol = Symbol('faulty')

interface Context {
  readonly environment: Environment
  readonly errors: FieldError[]
  readonly gaps: string[]
}

type Members = Readonly<Record<string, unknown>>

export function readConfig(schema: SchemaNode, raw: unknown, environment: Environment): Reading {
  const context: Context = { environment, errors: [], gaps: [] }
  const value = read(context, schema, raw, '')
  return { value: value === faulty ? undefined : value, errors: context.errors, gaps: context.gaps }
}

export function memberPath(path: string, name: string): string {
  if (!/^[\w-]+$/.test(name)) return `${path}[${JSON.stringify(shorten(name))}]`
  return path === '' ? name : `${path}.${name}`
}

function read(context: Context, node: SchemaNode, raw: unknown, path: string): unknown {
  if (typeof raw === 'string') return readText(context, node, raw, path)
  if (innermost(node)['x-environment-only'] === true && raw !== null) return fault(context, path, environmentOnly)
  return readValue(context, node, raw, path, [])
}

const environmentOnly = 'is a secret that is read from the environment only: write ${NAME} and set that variable'

function readText(context: Context, node: SchemaNode, raw: string, path: string): unknown {
  const expansion = expand(raw, context.environment)
  const leaf = innermost(node)
  switch (expansion.kind) {
    case 'malformed':
      return fault(context, path, 'has a "${" that is no reference: write ${NAME} or ${NAME:-default}, and $${ for the characters themselves')
    case 'unset': {
      const names = [...new Set(expansion.variables)].join(', ')
      return fault(context, path, `refers to ${names}, which is not set in the environment; \${NAME:-default} gives a default`)
    }
    case 'literal':
      if (leaf['x-environment-only'] === true) return fault(context, path, environmentOnly)
      return readValue(context, node, expansion.text, path, [])
    case 'expanded': {
      if (leaf['x-environment-only'] === true && !expansion.whole) return fault(context, path, environmentOnly)
      // An unset optional variable (`${NAME:-}`) is the way to leave out a member that may be null.
      if (expansion.text === '' && node.anyOf?.some((variant) => variant.type === 'null') === true) return null
      return readValue(context, node, coerced(leaf, expansion.text), path, expansion.variables)
    }
    default:
      return expansion satisfies never
  }
}

/** Texts from the environment become what the schema wants; what cannot stays a text and is reported as one. */
function coerced(node: SchemaNode, text: string): unknown {
  const wantsNumber = node.type === 'integer' || node.type === 'number'
  if (wantsNumber && /^\s*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\s*$/.test(text)) return Number(text)
  if (node.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function readValue(context: Context, node: SchemaNode, raw: unknown, path: string, variables: readonly string[]): unknown {
  if (node.anyOf !== undefined) return readVariants(context, node, node.anyOf, raw, path, variables)
  const wrong = (allowed: string): typeof faulty => fault(context, path, `${shown(node, raw, variables)} is not ${allowed}`)
  if (node.const !== undefined) return raw === node.const ? raw : wrong(JSON.stringify(node.const))
  if (node.enum !== undefined) return node.enum.includes(raw) ? raw : wrong(oneOfText(node.enum, raw))
  switch (node.type) {
    case 'integer':
      if (typeof raw !== 'number' || !Number.isInteger(raw)) return wrong(`a whole number in ${interval(node)}`)
      return inInterval(node, raw) ? raw : wrong(`in ${interval(node)}`)
    case 'number':
      if (typeof raw !== 'number' || !Number.isFinite(raw)) return wrong(`a number in ${interval(node)}`)
      return inInterval(node, raw) ? raw : wrong(`in ${interval(node)}`)
    case 'boolean':
      return typeof raw === 'boolean' ? raw : wrong('true or false')
    case 'string':
      return readString(context, node, raw, path, wrong)
    case 'array':
      return readList(context, node, raw, path, wrong)
    case 'object':
      return readMembers(context, node, raw, path, wrong)
    default:
      return raw === null ? raw : wrong('null')
  }
}

function readString(context: Context, node: SchemaNode, raw: unknown, path: string, wrong: (allowed: string) => typeof faulty): unknown {
  if (typeof raw !== 'string') return wrong(node['x-form'] ?? 'a text')
  const least = node.minLength ?? 0
  const most = node.maxLength ?? Number.POSITIVE_INFINITY
  const length = Array.from(raw).length
  if (length < least || length > most) {
    return fault(context, path, length === 0 ? 'is empty' : `has ${length} characters, which is not in [${least}, ${most}]`)
  }
  if (node.pattern !== undefined && !new RegExp(node.pattern, 'u').test(raw)) return wrong(node['x-form'] ?? `of the form ${node.pattern}`)
  return raw
}

function readList(context: Context, node: SchemaNode, raw: unknown, path: string, wrong: (allowed: string) => typeof faulty): unknown {
  if (!Array.isArray(raw)) return wrong('a list')
  const least = node.minItems ?? 0
  const most = node.maxItems ?? Number.POSITIVE_INFINITY
  if (raw.length < least || raw.length > most) return fault(context, path, `has ${raw.length} entries, which is not in [${least}, ${most}]`)
  return raw.map((item: unknown, index) => read(context, node.items ?? {}, item, `${path}[${index}]`))
}

function readMembers(context: Context, node: SchemaNode, raw: unknown, path: string, wrong: (allowed: string) => typeof faulty): unknown {
  if (!isMembers(raw)) return wrong('a group of members')
  if (node.properties !== undefined) return readGroup(context, node, node.properties, raw, path)
  const free = Object.entries(node.patternProperties ?? {})[0]
  if (free === undefined) return readFree(context, raw, path, 0)
  const [pattern, valueNode] = free
  const names = new RegExp(pattern, 'u')
  const entries: [string, unknown][] = []
  for (const [name, value] of Object.entries(raw)) {
    const at = memberPath(path, name)
    if (names.test(name)) entries.push([name, read(context, valueNode, value, at)])
    else entries.push([name, fault(context, at, `the name is not ${node['x-form'] ?? `of the form ${pattern}`}`)])
  }
  return Object.fromEntries(entries)
}

function readGroup(context: Context, node: SchemaNode, properties: Readonly<Record<string, SchemaNode>>, raw: Members, path: string): unknown {
  const known = Object.keys(properties)
  for (const name of Object.keys(raw)) {
    if (Object.hasOwn(properties, name)) continue
    const nearest = nearestName(name, known)
    if (nearest !== undefined) context.gaps.push(memberPath(path, nearest))
    fault(context, memberPath(path, name), `is not known here; ${nearest === undefined ? `known are ${known.join(', ')}` : `the nearest known name is ${nearest}`}`)
  }
  const entries: [string, unknown][] = []
  for (const [name, child] of Object.entries(properties)) {
    const at = memberPath(path, name)
    let value: unknown
    if (Object.hasOwn(raw, name)) value = read(context, child, raw[name], at)
    else if (child.default !== undefined) value = read(context, child, child.default, at)
    else if (node.required?.includes(name) === true) value = fault(context, at, `is missing: ${allowed(child)}`)
    else continue
    entries.push([name, value])
  }
  const exclusive = (node.oneOf ?? []).flatMap((variant) => variant.required ?? [])
  if (exclusive.length > 0 && exclusive.filter((name) => Object.hasOwn(raw, name)).length !== 1) fault(context, path, `needs exactly one of ${exclusive.join(' and ')}`)
  return Object.fromEntries(entries)
}

function readVariants(context: Context, node: SchemaNode, variants: readonly SchemaNode[], raw: unknown, path: string, variables: readonly string[]): unknown {
  const others = variants.filter((variant) => variant.type !== 'null')
  if (raw === null && others.length < variants.length) return null
  const [only, second] = others
  if (only !== undefined && second === undefined) return readValue(context, only, raw, path, variables)
  if (!isMembers(raw)) return fault(context, path, `${shown(node, raw, variables)} is not a group of members`)
  const tagged = only === undefined ? undefined : Object.keys(only.properties ?? {}).find((name) => only.properties?.[name]?.const !== undefined)
  if (tagged !== undefined) {
    const tags = others.map((variant) => variant.properties?.[tagged]?.const)
    const tag = read(context, { enum: tags, description: '' }, raw[tagged] ?? null, memberPath(path, tagged))
    const chosen = others[tags.indexOf(tag)]
    return chosen === undefined ? faulty : readValue(context, chosen, raw, path, variables)
  }
  const marks = others.map((variant) => variant.required?.find((name) => others.every((other) => other === variant || other.properties?.[name] === undefined)) ?? '')
  const present = marks.filter((name) => Object.hasOwn(raw, name))
  const chosen = others[marks.indexOf(present[0] ?? '')]
  if (present.length !== 1 || chosen === undefined) return fault(context, path, `needs exactly one of ${marks.join(' and ')}`)
  return readValue(context, chosen, raw, path, variables)
}

/** A value with a free shape: only its references are expanded and its depth is bounded. */
function readFree(context: Context, raw: unknown, path: string, depth: number): unknown {
  if (depth > configDepth) return fault(context, path, `is nested more than ${configDepth} levels deep`)
  if (typeof raw === 'string') return readText(context, { type: 'string' }, raw, path)
  if (Array.isArray(raw)) {
    return raw.map((item: unknown, index) => readFree(context, item, `${path}[${index}]`, depth + 1))
  }
  if (!isMembers(raw)) return raw
  return Object.fromEntries(Object.entries(raw).map(([name, value]): [string, unknown] => [name, readFree(context, value, memberPath(path, name), depth + 1)]))
}

function fault(context: Context, path: string, message: string): typeof faulty {
  context.errors.push({ path, message })
  context.gaps.push(path)
  return faulty
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The type behind `null`: what a text from the environment is turned into. */
function innermost(node: SchemaNode): SchemaNode {
  const others = node.anyOf?.filter((variant) => variant.type !== 'null') ?? []
  return others.length === 1 && others[0] !== undefined ? others[0] : node
}

function inInterval(node: SchemaNode, value: number): boolean {
  return value >= (node.minimum ?? Number.NEGATIVE_INFINITY) && value <= (node.maximum ?? Number.POSITIVE_INFINITY)
}

export function interval(node: SchemaNode): string {
  return `[${node.minimum ?? '-∞'}, ${node.maximum ?? '∞'}]`
}

/** What a member may be, in words: for missing members and the reference page. */
export function allowed(node: SchemaNode): string {
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(allowed))].join(', or ')
  if (node.const !== undefined) return JSON.stringify(node.const)
  if (node.enum !== undefined) return `one of ${node.enum.map(String).join(', ')}`
  switch (node.type) {
    case 'integer':
      return `a whole number in ${interval(node)}`
    case 'number':
      return `a number in ${interval(node)}`
    case 'boolean':
      return 'true or false'
    case 'string':
      return node['x-form'] ?? 'a text'
    case 'array':
      return node.items === undefined ? 'a list' : `a list of: ${allowed(node.items)}`
    case 'object':
      return 'a group of members'
    default:
      return 'null'
  }
}

function oneOfText(values: readonly unknown[], raw: unknown): string {
  const names = values.map(String)
  const nearest = typeof raw === 'string' ? nearestName(raw, names) : undefined
  return `one of ${names.join(', ')}${nearest === undefined ? '' : `; the nearest is ${nearest}`}`
}

/** The value as a message may show it: never a secret, and never more than a line. */
function shown(node: SchemaNode, raw: unknown, variables: readonly string[]): string {
  const from = variables.map((name) => `\${${name}}`).join(', ')
  if (node['x-secret'] === true) return from === '' ? 'the secret' : `the value of ${from}`
  if (Array.isArray(raw)) return 'a list'
  if (isMembers(raw)) return 'a group of members'
  // A text in the place of a whole group may be an address with a password in it.
  if (typeof raw === 'string' && (node.type === 'object' || node.type === 'array' || node.anyOf !== undefined)) return 'a text'
  const text = shorten(typeof raw === 'number' ? String(raw) : (JSON.stringify(raw) ?? 'nothing'))
  return from === '' ? text : `${text} from ${from}`
}

function shorten(text: string): string {
  return text.length <= shownValueLength ? text : `${text.slice(0, shownValueLength)}…`
}
