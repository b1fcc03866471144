/**
 * Arguments for a tool call, made from the tool's input schema and the words of the prompt: every required member is there
 * and has its type, its bounds and its enumeration, and takes a value from the prompt where one fits (a quoted text, a
 * number, a proper name). Optional members are filled only where the schema requires none.
 *
 * The schema comes from a client, so depth and size are bounded, and a reference that leads in circles ends.
 */
import { asArray, asNumber, asObject, asString, type JsonObject } from './json.ts'

const deepestLevel = 8
const longestText = 200

interface Material {
  readonly prompt: string
  readonly quoted: readonly string[]
  readonly names: readonly string[]
  readonly numbers: readonly number[]
}

export function toolArguments(schema: unknown, prompt: string): unknown {
  const root = asObject(schema) ?? {}
  const material = readMaterial(prompt.slice(0, 4_000))
  const value = valueFor(root, root, '', material, 0)
  return asObject(value) ?? {}
}

function readMaterial(prompt: string): Material {
  const quoted = [...prompt.matchAll(/["“'`]([^"”'`\n]{1,200})["”'`]/g)].map((match) => match[1] ?? '').filter((text) => text.trim() !== '')
  const numbers = [...prompt.matchAll(/-?\d+(?:\.\d+)?/g)].map((match) => Number(match[0]))
  // A capital inside a sentence is a name; at its beginning it says nothing.
  const names = [...prompt.matchAll(/(?<=[^.!?\s] )\p{Lu}[\p{L}\p{N}-]*(?:\s+\p{Lu}[\p{L}\p{N}-]*)*/gu)].map((match) => match[0])
  return { prompt, quoted, names, numbers }
}

function valueFor(given: JsonObject, root: JsonObject, name: string, material: Material, level: number): unknown {
  const schema = resolveReference(given, root)
  if ('const' in schema) return schema['const']
  const choices = asArray(schema['enum'])
  if (choices !== undefined && choices.length > 0) return chooseFrom(choices, material.prompt)
  if (level >= deepestLevel) return schema['default'] ?? null
  const alternatives = asArray(schema['anyOf']) ?? asArray(schema['oneOf'])
  if (alternatives !== undefined && schema['type'] === undefined && schema['properties'] === undefined) {
    const first = alternatives.map(asObject).find((alternative) => alternative !== undefined && alternative['type'] !== 'null')
    if (first !== undefined) return valueFor(first, root, name, material, level + 1)
  }
  switch (typeOf(schema)) {
    case 'object':
      return objectFor(schema, root, material, level)
    case 'array':
      return arrayFor(schema, root, name, material, level)
    case 'integer':
    case 'number':
      return numberFor(schema, material, typeOf(schema) === 'integer')
    case 'boolean':
      return schema['default'] ?? true
    case 'null':
      return null
    case 'string':
      return stringFor(schema, name, material)
    default:
      return schema['default'] ?? stringFor(schema, name, material)
  }
}

function typeOf(schema: JsonObject): string | undefined {
  const type = asString(schema['type']) ?? asArray(schema['type'])?.map(asString).find((each) => each !== undefined && each !== 'null')
  if (type !== undefined) return type
  if (schema['properties'] !== undefined) return 'object'
  return schema['items'] === undefined ? undefined : 'array'
}

function resolveReference(schema: JsonObject, root: JsonObject): JsonObject {
  let current = schema
  for (let hops = 0; hops < deepestLevel; hops += 1) {
    const reference = asString(current['$ref'])
    if (reference === undefined || !reference.startsWith('#')) return current
    let found: unknown = root
    for (const step of reference.split('/').slice(1)) found = asObject(found)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')]
    current = asObject(found) ?? {}
  }
  return {}
}

function objectFor(schema: JsonObject, root: JsonObject, material: Material, level: number): unknown {
  const properties = asObject(schema['properties']) ?? {}
  const required = (asArray(schema['required']) ?? []).flatMap((name) => (typeof name === 'string' ? [name] : []))
  const [firstOptional] = Object.keys(properties)
  const members = required.length > 0 || firstOptional === undefined || level > 0 ? required : [firstOptional]
  const value: Record<string, unknown> = {}
  for (const member of members) {
    // Defined, not assigned: a schema may name a member `__proto__`.
    Object.defineProperty(value, member, {
      value: valueFor(asObject(properties[member]) ?? {}, root, member, material, level + 1),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return value
}

/** More elements than this are never asked for in earnest. */
const mostElements = 20

function arrayFor(schema: JsonObject, root: JsonObject, name: string, material: Material, level: number): unknown {
  const count = Math.min(mostElements, Math.max(1, asNumber(schema['minItems']) ?? 1))
  const items = asObject(schema['items']) ?? {}
  return Array.from({ length: count }, () => valueFor(items, root, name, material, level + 1))
}

function numberFor(schema: JsonObject, material: Material, whole: boolean): number {
  const step = asNumber(schema['multipleOf']) ?? (whole ? 1 : undefined)
  const exclusiveLow = asNumber(schema['exclusiveMinimum'])
  const exclusiveHigh = asNumber(schema['exclusiveMaximum'])
  const low = Math.max(asNumber(schema['minimum']) ?? Number.NEGATIVE_INFINITY, exclusiveLow === undefined ? Number.NEGATIVE_INFINITY : exclusiveLow + (step ?? 0.001))
  const high = Math.min(asNumber(schema['maximum']) ?? Number.POSITIVE_INFINITY, exclusiveHigh === undefined ? Number.POSITIVE_INFINITY : exclusiveHigh - (step ?? 0.001))
  const fits = (value: number): boolean => value >= low && value <= high && (step === undefined || Number.isInteger(value / step))
  const candidate = material.numbers.find(fits) ?? asNumber(schema['default'])
  if (candidate !== undefined) return candidate
  const start = Number.isFinite(low) ? low : Math.min(1, high)
  return step === undefined ? start : Math.ceil(start / step) * step
}

const formats: Readonly<Record<string, string>> = {
  'date-time': '2026-01-01T08:00:00Z',
  date: '2026-01-01',
  time: '08:00:00Z',
  email: 'synthetic@example.com',
  uri: 'https://example.com/synthetic',
  uuid: '00000000-0000-4000-8000-000000000000',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  hostname: 'synthetic.example.com',
}

/** Members that stand for the whole request, in the words that tools use for them. */
const wholePromptNames = /query|question|prompt|text|message|content|input|description|summary|reason|body|task/i

function stringFor(schema: JsonObject, name: string, material: Material): string {
  const format = formats[asString(schema['format']) ?? '']
  if (format !== undefined) return format
  const fallback = asString(schema['default'])
  const [quoted] = material.quoted
  const [properName] = material.names
  const whole = material.prompt.trim().slice(0, longestText)
  const value = wholePromptNames.test(name) ? (quoted ?? whole) : (quoted ?? properName ?? fallback ?? whole)
  return fitLength(value === '' ? 'synthetic' : value, schema)
}

function fitLength(value: string, schema: JsonObject): string {
  const least = Math.min(longestText, asNumber(schema['minLength']) ?? 0)
  const most = asNumber(schema['maxLength']) ?? longestText
  return value.slice(0, Math.max(0, most)).padEnd(least, '-')
}

function chooseFrom(choices: readonly unknown[], prompt: string): unknown {
  const lower = prompt.toLowerCase()
  return choices.find((choice) => typeof choice === 'string' && choice !== '' && lower.includes(choice.toLowerCase())) ?? choices[0]
}
