import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../operation/converse.ts'
import type { Operation } from '../operation/operation.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { toolArguments, unknownPlaceholders } from './arguments.ts'
import type { McpRoute } from './settings.ts'
import { anOperation } from './testing/attempts.ts'

const clock = createVirtualClock()
const operation: Operation = anOperation(clock, {
  metadata: { team: 'blue' },
  converse: {
    messages: [
      { role: 'user', content: [{ text: 'first' }] },
      { role: 'assistant', content: [{ text: 'yes' }] },
      { role: 'user', content: [{ text: 'say "{{system}}" ' }, { text: 'twice' }] },
    ],
    system: [{ text: 'be ' }, { text: 'brief' }],
    inferenceConfig: { maxTokens: 77 },
  },
})
const routeWith = (template: JsonObject | null, carries: McpRoute['carries'] = 'text'): McpRoute => ({ servers: ['a'], tool: 't', carries, repeatable: false, template })
const filled = (template: JsonObject): JsonObject => toolArguments(routeWith(template), operation, 4_321.9)

describe('the arguments of the contract', () => {
  it('hold every member that the operation has, with what is left of its time', () => {
    expect(toolArguments(routeWith(null), operation, 4_321.9)).toEqual({
      operationId: operation.id,
      operation: 'standard_analysis',
      priority: 'medium',
      prompt: 'say "{{system}}" twice',
      messages: operation.converse.messages,
      system: 'be brief',
      context: { tenant: 'acme', userId: 'u1', metadata: { team: 'blue' } },
      maxTokens: 77,
      deadlineMs: 4_321,
    })
  })

  it('hold the whole request only where the route carries it', () => {
    expect(toolArguments(routeWith(null, 'converse'), operation, 1)['converse']).toEqual(operation.converse)
    expect(toolArguments(routeWith(null, 'text'), operation, 1)).not.toHaveProperty('converse')
  })

  it('leave out what the operation does not have, and never give negative time', () => {
    const { userId: _userId, ...anonymous } = anOperation(clock, { tenant: null, metadata: {} })
    const made = toolArguments(routeWith(null), anonymous, -5)
    expect(Object.keys(made).toSorted()).toEqual(['context', 'deadlineMs', 'messages', 'operation', 'operationId', 'priority', 'prompt'])
    expect(made).toMatchObject({ deadlineMs: 0, context: { metadata: {} } })
  })
})

describe('an arguments template', () => {
  it.each([
    ['one placeholder alone keeps the JSON type', { limit: '{{maxTokens}}' }, { limit: 77 }],
    ['so do objects', { c: '{{context}}' }, { c: { tenant: 'acme', userId: 'u1', metadata: { team: 'blue' } } }],
    ['inside a string it becomes text', { q: 'at most {{maxTokens}}!' }, { q: 'at most 77!' }],
    ['one level deeper', { u: '{{context.userId}}', t: '{{metadata.team}}', again: '{{context.metadata.team}}' }, { u: 'u1', t: 'blue', again: 'blue' }],
    ['what is absent alone is left out', { a: '{{metadata.nothing}}', b: ['{{metadata.nothing}}', 1] }, { b: [1] }],
    ['what is absent inside a string is nothing', { a: '<{{metadata.nothing}}>' }, { a: '<>' }],
    ['braces that come from a prompt stay braces', { q: '{{prompt}}', r: '{{prompt}} {{system}}' }, { q: 'say "{{system}}" twice', r: 'say "{{system}}" twice be brief' }],
    ['literals, nested and of any type, stay', { a: [1, null, { b: true }] }, { a: [1, null, { b: true }] }],
    ['spaces in the braces do not matter', { id: '{{ operation }}' }, { id: 'standard_analysis' }],
    ['members of the prototype are no facts', { a: '{{constructor}}', b: '{{context.__proto__}}', c: '{{metadata.toString}}' }, {}],
    ['the deadline is whole milliseconds', { a: '{{deadlineMs}}' }, { a: 4_321 }],
  ])('%s', (_rationale, template: JsonObject, expected) => {
    expect(filled(template)).toEqual(expected)
  })

  it('that is absurdly deep ends instead of overflowing', () => {
    let template: JsonObject = { leaf: '{{prompt}}' }
    for (let depth = 0; depth < 5_000; depth += 1) template = { down: template }
    expect(JSON.stringify(filled(template)).length).toBeLessThan(500)
  })

  it('names the placeholders that do not exist', () => {
    expect(unknownPlaceholders({ a: '{{prompt}} {{promt}}', b: [{ c: '{{context.userId}} {{prompt.x}}' }], d: 4 })).toEqual(['promt', 'prompt.x'])
    expect(unknownPlaceholders({ a: '{{metadata.anything.deeper}}' })).toEqual([])
  })
})
