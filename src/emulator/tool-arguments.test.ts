import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toolArguments } from './tool-arguments.ts'

const leaf = fc.oneof(
  fc.record({ type: fc.constant('string') }, { requiredKeys: ['type'] }),
  fc.nat(20).map((minLength) => ({ type: 'string', minLength, maxLength: minLength + 5 })),
  fc.tuple(fc.integer({ min: -50, max: 50 }), fc.nat(20)).map(([minimum, width]) => ({ type: 'integer', minimum, maximum: minimum + width })),
  fc.tuple(fc.integer({ min: -50, max: 50 }), fc.nat(20)).map(([minimum, width]) => ({ type: 'number', minimum, maximum: minimum + width })),
  fc.constant({ type: 'boolean' }),
  fc.constant({ enum: ['red', 'green'] }),
  fc.constant({ const: 7 }),
  fc.constant({ type: ['null', 'string'] }),
  fc.constant({ anyOf: [{ type: 'null' }, { type: 'integer' }] }),
)
const schema = fc.letrec((tie) => ({
  node: fc.oneof({ maxDepth: 3, withCrossShrink: true }, leaf, tie('list'), tie('object')),
  list: fc.tuple(tie('node'), fc.nat(3)).map(([items, minItems]) => ({ type: 'array', items, minItems })),
  object: fc
    .dictionary(fc.constantFrom('city', 'count', 'query', 'flag', '__proto__'), tie('node'), { maxKeys: 4 })
    .map((properties) => ({ type: 'object', properties, required: Object.keys(properties) })),
})).object

describe('arguments of a tool', () => {
  it('are valid by the schema of the tool, whatever the prompt says', () => {
    const ajv = new Ajv({ strict: false })
    fc.assert(
      fc.property(schema, fc.lorem(), (given, prompt) => {
        const validate = ajv.compile(given as object)
        expect(validate(toolArguments(given, prompt)), JSON.stringify(validate.errors)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  const object = (properties: object): object => ({ type: 'object', properties, required: Object.keys(properties) })

  it.each([
    ['a proper name', { city: { type: 'string' } }, 'What is the weather in New York today?', { city: 'New York' }],
    ['a quoted text', { machine: { type: 'string' } }, 'restart "web-3" now', { machine: 'web-3' }],
    ['a number in its bounds', { count: { type: 'integer', maximum: 10 } }, 'of 500 servers take 7', { count: 7 }],
    ['a choice that is mentioned', { unit: { enum: ['celsius', 'fahrenheit'] } }, 'in Fahrenheit, please', { unit: 'fahrenheit' }],
    ['the whole prompt as a query', { query: { type: 'string' } }, 'how do I rotate keys', { query: 'how do I rotate keys' }],
    ['a format', { day: { type: 'string', format: 'date' } }, 'tomorrow', { day: '2026-01-01' }],
  ])('take %s from the prompt', (_what, properties, prompt, expected) => {
    expect(toolArguments(object(properties), prompt)).toEqual(expected)
  })

  it('leave optional members out where others are required', () => {
    expect(toolArguments({ type: 'object', properties: { a: { type: 'boolean' }, b: { type: 'string' } }, required: ['a'] }, 'x')).toEqual({ a: true })
  })

  it('follow a reference, and end where it leads in circles', () => {
    expect(toolArguments({ ...object({ a: { $ref: '#/$defs/flag' } }), $defs: { flag: { type: 'boolean' } } }, '')).toEqual({ a: true })
    const circular = { ...object({ a: { $ref: '#/$defs/again' } }), $defs: { again: object({ a: { $ref: '#/$defs/again' } }) } }
    expect(JSON.stringify(toolArguments(circular, '')).length).toBeLessThan(200)
  })
})
