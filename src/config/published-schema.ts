/**
 * The published JSON Schema (draft 2020-12), for editors and for checking a file before it is deployed. It is the one
 * schema with three changes: members with a default are not required; unit, reload class and where a secret comes from are
 * said in the description; and nothing is left that a strict validator does not know.
 *
 * A file with references (`port: "${PORT}"`) is checked by the program, which sees what they stand for; the published
 * schema therefore also takes a text with a reference wherever a number, a flag or a choice is wanted.
 */
import { configNode } from './schema.ts'
import type { SchemaNode } from './fields.ts'

export interface JsonSchemaDocument {
  readonly [keyword: string]: unknown
}

/** A text with at least one reference to the environment. */
const referencePattern = String.raw`\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`

export function publishedSchema(): JsonSchemaDocument {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Hybrid Routing',
    ...published(configNode),
    $defs: { reference: { type: 'string', pattern: referencePattern, description: 'A reference to the environment: ${NAME} or ${NAME:-default}.' } },
  }
}

/** The file as it is committed and served. */
export function publishedSchemaText(): string {
  return `${JSON.stringify(publishedSchema(), null, 2)}\n`
}

function published(node: SchemaNode): JsonSchemaDocument {
  const about = annotations(node)
  if (node.anyOf !== undefined) return { ...about, anyOf: node.anyOf.map(published) }
  if (node.type === 'object') return { ...about, ...publishedObject(node) }
  if (node.type === 'array') {
    return { ...about, type: 'array', ...(node.items === undefined ? {} : { items: published(node.items) }), ...picked(node, ['minItems', 'maxItems']) }
  }
  if (node.type === 'null' || node.const !== undefined) return { ...about, ...picked(node, ['type', 'const']) }
  const bounds = picked(node, ['type', 'enum', 'minimum', 'maximum', 'minLength', 'maxLength', 'pattern'])
  const reference = { $ref: '#/$defs/reference' }
  if (node['x-environment-only'] === true) return { ...about, ...reference }
  const referable = node.type !== 'string' || node.pattern !== undefined
  return referable ? { ...about, anyOf: [bounds, reference] } : { ...about, ...bounds }
}

function publishedObject(node: SchemaNode): JsonSchemaDocument {
  if (node.patternProperties !== undefined) {
    const entries = Object.entries(node.patternProperties).map(([pattern, child]) => [pattern, published(child)])
    return { type: 'object', patternProperties: Object.fromEntries(entries), additionalProperties: false }
  }
  if (node.properties === undefined) return { type: 'object' }
  const properties = Object.entries(node.properties)
  const required = (node.required ?? []).filter((name) => node.properties?.[name]?.default === undefined)
  return {
    type: 'object',
    properties: Object.fromEntries(properties.map(([name, child]) => [name, published(child)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
    ...(node.oneOf === undefined ? {} : { oneOf: node.oneOf.map((variant) => ({ type: 'object', required: variant.required, properties: Object.fromEntries((variant.required ?? []).map((name) => [name, true])) })) }),
  }
}

function annotations(node: SchemaNode): JsonSchemaDocument {
  const unit = unitOf(node)
  const sentences = [
    node.description ?? '',
    unit === undefined ? '' : `Unit: ${unit}.`,
    node['x-environment-only'] === true ? 'Only as a reference to the environment.' : '',
    node['x-reload'] === undefined || node.description === '' ? '' : node['x-reload'] === 'live' ? 'Takes effect at once.' : 'Takes effect with the next start.',
  ].filter((sentence) => sentence !== '')
  return {
    ...(sentences.length === 0 ? {} : { description: sentences.join(' ') }),
    ...(node['x-secret'] === true ? { writeOnly: true } : {}),
    ...(node.default === undefined ? {} : { default: node.default }),
  }
}

/** The unit of a number, also where the number may be `null`. */
export function unitOf(node: SchemaNode): string | undefined {
  return node['x-unit'] ?? node.anyOf?.find((variant) => variant['x-unit'] !== undefined)?.['x-unit']
}

function picked(node: SchemaNode, keywords: readonly (keyof SchemaNode)[]): JsonSchemaDocument {
  return Object.fromEntries(keywords.filter((keyword) => node[keyword] !== undefined).map((keyword) => [keyword, node[keyword]]))
}
