import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { generatedFiles, readGenerated } from './adapters/generate-reference.ts'
import { parseConfigText } from './config-text.ts'
import { exampleConfig } from './example.ts'
import { publishedSchema } from './published-schema.ts'
import { readConfig } from './read-config.ts'
import { defaultConfig, resolveConfig } from './resolve-config.ts'
import { configNode } from './schema.ts'
import type { SchemaNode } from './fields.ts'

const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: false }).compile(publishedSchema())

test('the committed page and schema are what is generated: run `node src/config/adapters/generate-reference.ts`', () => {
  for (const file of generatedFiles()) expect(readGenerated(file), file.path).toBe(file.text)
})

test('the example of the page is valid, for the program and for the published schema', () => {
  const parsed = parseConfigText(exampleConfig)
  const value = parsed.kind === 'value' ? parsed.value : null
  expect(resolveConfig(value, { OPS_KEY: 'a-secret-that-is-long-enough', MCP_TOKEN: 't' })).toMatchObject({ warnings: [] })
  expect(validate(value)).toBe(true)
})

test('every member describes itself and says when a change takes effect', () => {
  const silent: string[] = []
  const walk = (node: SchemaNode, path: string): void => {
    const isSection = node.properties !== undefined && node['x-reload'] === undefined
    if ((node.description ?? '') === '' || (!isSection && node['x-reload'] === undefined)) silent.push(path)
    const isNumber = node.type === 'integer' || node.type === 'number'
    if (isNumber && (node.minimum === undefined || node.maximum === undefined || node['x-unit'] === undefined)) silent.push(`${path} (bounds, unit)`)
    walkBelow(node, path)
  }
  const walkBelow = (node: SchemaNode, path: string): void => {
    for (const [name, child] of Object.entries(node.properties ?? {})) walk(child, `${path}.${name}`)
    for (const child of Object.values(node.patternProperties ?? {})) walk(child, `${path}.NAME`)
    for (const variant of node.anyOf ?? []) walkBelow(variant, path)
    // The entry of a list in a member that may be null is described by that member.
    if (node.items?.properties !== undefined || node.items?.anyOf !== undefined) walk(node.items, `${path}[]`)
  }
  walk(configNode, 'config')
  expect(silent).toEqual([])
})

describe('the published schema and the program judge alike (Ajv is the judge)', () => {
  const env = {}
  const accepted = (raw: unknown): boolean => readConfig(configNode, raw, env).errors.length === 0

  test('the defaults as a whole', () => {
    const { bearerToken: _, ...direct } = defaultConfig().direct
    expect(validate({ ...defaultConfig(), direct })).toBe(true)
  })

  /** Values around what a node allows: some valid, some not. */
  function valuesOf(node: SchemaNode): fc.Arbitrary<unknown> {
    const odd = fc.constantFrom<unknown>(null, true, '', 'x', -1, 0.5, 1e9, [], {}, ['x'], { x: 1 }, 'eu-west-1', 'http://h/p')
    return fc.oneof({ weight: 1, arbitrary: odd }, { weight: 6, arbitrary: likelyValues(node) })
  }

  function likelyValues(node: SchemaNode): fc.Arbitrary<unknown> {
    if (node.anyOf !== undefined) return fc.oneof(...node.anyOf.map(valuesOf))
    if (node.const !== undefined) return fc.constant(node.const)
    if (node.enum !== undefined) return fc.constantFrom(...node.enum)
    switch (node.type) {
      case 'integer':
      case 'number':
        return fc.constantFrom(node.minimum, node.maximum, (node.minimum ?? 0) - 1, (node.maximum ?? 0) + 1, ((node.minimum ?? 0) + (node.maximum ?? 0)) / 3)
      case 'boolean':
        return fc.boolean()
      case 'string':
        return fc.constantFrom('name', 'eu-central-1', 'anthropic.claude-sonnet-5', 'http://127.0.0.1:1/x', 'ab'.repeat(32), 'USD', '2026-10-05', 'x'.repeat(node.maxLength ?? 1), 'a b', 'é')
      case 'array':
        return fc.array(valuesOf(node.items ?? {}), { maxLength: 3 })
      case 'object':
        return membersOf(node)
      default:
        return fc.constant(null)
    }
  }

  function membersOf(node: SchemaNode): fc.Arbitrary<unknown> {
    const free = Object.values(node.patternProperties ?? {})[0]
    if (free !== undefined) return fc.dictionary(fc.constantFrom('ops', 'local', 'a b', 'X-Y'), valuesOf(free), { maxKeys: 2 })
    const members = Object.fromEntries(Object.entries(node.properties ?? {}).map(([name, child]) => [name, valuesOf(child)]))
    const required = (node.required ?? []).filter((name) => node.properties?.[name]?.default === undefined)
    const usual = fc.record(members, { requiredKeys: required })
    const some = fc.tuple(usual, fc.subarray(Object.keys(members), { maxLength: Math.min(2, Object.keys(members).length) })).map(([all, keep]) =>
      Object.fromEntries(Object.entries(all).filter(([name]) => required.includes(name) || keep.includes(name))),
    )
    return fc.oneof({ weight: 6, arbitrary: some }, { weight: 1, arbitrary: usual }, { weight: 1, arbitrary: some.map((value) => ({ ...value, other: 1 })) })
  }

  test.each(Object.entries(configNode.properties ?? {}))('%s', (name, node) => {
    let valid = 0
    let faulty = 0
    fc.assert(
      fc.property(valuesOf(node), (value) => {
        const raw = { [name]: value }
        const verdict = accepted(raw)
        if (verdict) valid += 1
        else faulty += 1
        expect(verdict, JSON.stringify(validate.errors)).toBe(validate(raw))
      }),
      { numRuns: 300, seed: 20_261_123 },
    )
    expect(Math.min(valid, faulty), `${valid} valid, ${faulty} faulty`).toBeGreaterThan(5)
  })
})
