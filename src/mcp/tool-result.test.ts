import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readToolResult } from './tool-result.ts'

const text = (value: string) => ({ type: 'text', text: value })

describe('a tool result', () => {
  it.each([
    ['text blocks are the answer', { content: [text('a'), text('b')] }, 'a\nb'],
    ['what is no text is passed over', { content: [{ type: 'image', data: 'x' }, text('a')] }, 'a'],
    ['no content is an empty answer', { content: [] }, ''],
    ['structured text wins over content', { content: [text('a')], structuredContent: { text: 'b' } }, 'b'],
    ['a structured message wins over structured text', { content: [], structuredContent: { text: 'b', message: { role: 'assistant', content: [{ text: 'c' }] } } }, 'c'],
    ['other structured content without text is its own JSON', { content: [], structuredContent: { n: 1 } }, '{"n":1}'],
    ['the newer wire says that it is complete', { resultType: 'complete', content: [text('a')] }, 'a'],
  ])('%s', (_rationale, result, expected) => {
    const outcome = readToolResult(result, 'text', 8)
    expect(outcome.kind === 'answer' ? outcome.answer.message.content.map((block) => block.text).join('') : outcome).toBe(expected)
  })

  it.each([
    ['null', null],
    ['a string', 'text'],
    ['no content at all', {}],
    ['content that is no list', { content: 'a' }],
    ['a block without a type', { content: [{ text: 'a' }] }],
    ['text that is no string', { content: [{ type: 'text', text: 5 }] }],
    ['a message of the user', { content: [], structuredContent: { message: { role: 'user', content: [] } } }],
    ['a message whose text is a number', { content: [], structuredContent: { message: { role: 'assistant', content: [{ text: 1 }] } } }],
    ['a tool use without a name', { content: [], structuredContent: { message: { role: 'assistant', content: [{ toolUse: { toolUseId: 'x', input: {} } }] } } }],
    ['a kind of result that is not known', { resultType: 'task', content: [text('a')] }],
  ])('that is malformed (%s) is a failure', (_what, result) => {
    expect(readToolResult(result, 'text', 8)).toEqual({ kind: 'failure', failure: { type: 'malformed' } })
  })

  it('with isError is a failed attempt whatever else it holds; its reported fault counts only from routes that carry converse', () => {
    const result = { isError: true, content: [text('stack')], structuredContent: { fault: { kind: 'quota', retryable: false } } }
    expect(readToolResult(result, 'text', 8)).toEqual({ kind: 'failure', failure: { type: 'tool_error' } })
    expect(readToolResult(result, 'converse', 8)).toEqual({ kind: 'failure', failure: { type: 'tool_error', fault: { kind: 'quota', retryable: false } } })
  })

  it('with input_required asks for a person', () => {
    expect(readToolResult({ resultType: 'input_required', inputRequests: {} }, 'text', 8)).toEqual({ kind: 'failure', failure: { type: 'input_required' } })
  })

  it('tells its usage and stop reason, or they are estimated', () => {
    const usage = { inputTokens: 1, outputTokens: 2, totalTokens: 3 }
    expect(readToolResult({ content: [], structuredContent: { text: 'x', usage, stopReason: 'max_tokens' } }, 'text', 8)).toMatchObject({
      usageReported: true,
      answer: { usage, stopReason: 'max_tokens' },
    })
    for (const wrong of [{ inputTokens: -1, outputTokens: 2 }, { inputTokens: 1.5, outputTokens: 2 }, { inputTokens: '1', outputTokens: 2 }, null]) {
      expect(readToolResult({ content: [text('12345678')], structuredContent: { text: '12345678', usage: wrong } }, 'text', 40)).toMatchObject({
        usageReported: false,
        answer: { usage: { inputTokens: 10, outputTokens: 2, totalTokens: 12 }, stopReason: 'end_turn' },
      })
    }
  })

  it('of any JSON at all never throws', () => {
    const members = fc.record(
      { content: fc.jsonValue(), structuredContent: fc.oneof(fc.jsonValue(), fc.record({ message: fc.jsonValue(), text: fc.jsonValue(), usage: fc.jsonValue(), stopReason: fc.jsonValue() })), isError: fc.jsonValue() },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), members), (result) => {
        const outcome = readToolResult(result, 'converse', 3)
        if (outcome.kind === 'answer') expect(outcome.answer.message.role).toBe('assistant')
      }),
    )
  })
})
