import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Answer, ConverseStreamEvent, JsonValue } from '../operation/converse.ts'
import { AnswerAssembly, readAnswer } from './answer-assembly.ts'
import { toConverseEvent } from './converse-event.ts'

const usage = { inputTokens: 1, outputTokens: 2, totalTokens: 3 }
const start: ConverseStreamEvent = { type: 'messageStart', payload: { role: 'assistant' } }
const stop = (stopReason = 'end_turn'): ConverseStreamEvent => ({ type: 'messageStop', payload: { stopReason } })
const metadata: ConverseStreamEvent = { type: 'metadata', payload: { usage } }
const delta = (contentBlockIndex: number, fields: Record<string, JsonValue>): ConverseStreamEvent => ({ type: 'contentBlockDelta', payload: { contentBlockIndex, delta: fields } })
const blockStart = (contentBlockIndex: number, fields: Record<string, JsonValue>): ConverseStreamEvent => ({ type: 'contentBlockStart', payload: { contentBlockIndex, start: fields } })
const blockStop = (contentBlockIndex: number): ConverseStreamEvent => ({ type: 'contentBlockStop', payload: { contentBlockIndex } })

function assemble(...events: ConverseStreamEvent[]): AnswerAssembly {
  const assembly = new AnswerAssembly()
  for (const event of events) expect(assembly.add(event)).toBeNull()
  return assembly
}

function contentOf(...events: ConverseStreamEvent[]): Answer['message']['content'] {
  const answer = assemble(start, ...events, metadata).answer(usage)
  if (typeof answer === 'string') throw new Error(answer)
  return answer.message.content
}

/** A text cut into pieces, some of them empty. */
const pieces = fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { minLength: 1, maxLength: 8 })

describe('the events of a stream', () => {
  test('add up to text, reasoning with its signature and tool calls, in the order of their indexes', () => {
    expect(
      contentOf(
        delta(0, { reasoningContent: { text: 'Let me ' } }),
        delta(0, { reasoningContent: { text: 'think.' } }),
        delta(0, { reasoningContent: { signature: 'c2ln' } }),
        blockStop(0),
        blockStart(2, { toolUse: { toolUseId: 't1', name: 'look' } }),
        delta(1, { text: 'I will ' }),
        delta(2, { toolUse: { input: '{"where":' } }),
        delta(1, { text: 'look.' }),
        delta(2, { toolUse: { input: '"here"}' } }),
        blockStop(1),
        blockStop(2),
        stop('tool_use'),
      ),
    ).toEqual([
      { reasoningContent: { reasoningText: { text: 'Let me think.', signature: 'c2ln' } } },
      { text: 'I will look.' },
      { toolUse: { toolUseId: 't1', name: 'look', input: { where: 'here' } } },
    ])
  })

  test('give the text and the tool input that were cut, wherever they were cut', () => {
    fc.assert(
      fc.property(pieces, fc.jsonValue(), fc.integer({ min: 1, max: 9 }), (texts, input, length) => {
        const json = JSON.stringify({ input })
        const cut: ConverseStreamEvent[] = []
        for (let at = 0; at < json.length; at += length) cut.push(delta(1, { toolUse: { input: json.slice(at, at + length) } }))
        const content = contentOf(...texts.map((text) => delta(0, { text })), blockStart(1, { toolUse: { toolUseId: 't', name: 'n' } }), ...cut, stop('tool_use'))
        expect(content).toEqual([{ text: texts.join('') }, { toolUse: { toolUseId: 't', name: 'n', input: (JSON.parse(json) as { input: unknown } | null) as JsonValue } }])
      }),
    )
  })

  test('keep redacted reasoning, citations, tool results and kinds of block that are not known yet', () => {
    expect(contentOf(delta(0, { reasoningContent: { redactedContent: 'cmVk' } }), stop())).toEqual([{ reasoningContent: { redactedContent: 'cmVk' } }])
    expect(contentOf(delta(0, { text: 'It is so.' }), delta(0, { citation: { title: 'A' } }), stop())).toEqual([
      { citationsContent: { content: [{ text: 'It is so.' }], citations: [{ title: 'A' }] } },
    ])
    expect(contentOf(blockStart(0, { toolResult: { toolUseId: 't', status: 'success' } }), delta(0, { toolResult: [{ text: 'a' }] }), delta(0, { toolResult: [{ text: 'b' }] }), stop())).toEqual([
      { toolResult: { toolUseId: 't', status: 'success', content: [{ text: 'a' }, { text: 'b' }] } },
    ])
    expect(contentOf(blockStart(0, { hologram: { format: 'h1' } }), delta(0, { hologram: { data: 'ab' } }), delta(0, { hologram: { data: 'cd' } }), stop())).toEqual([
      { hologram: { format: 'h1', data: 'abcd' } },
    ])
  })

  test('a tool without input has an empty one, and a block without deltas is empty text', () => {
    expect(contentOf(blockStart(0, { toolUse: { toolUseId: 't', name: 'n' } }), blockStop(0), blockStop(1), stop('tool_use'))).toEqual([
      { toolUse: { toolUseId: 't', name: 'n', input: {} } },
      { text: '' },
    ])
  })

  test('tool input that was cut by the token limit is kept as text, any other half input is no answer', () => {
    const half = [blockStart(0, { toolUse: { toolUseId: 't', name: 'n' } }), delta(0, { toolUse: { input: '{"a":' } })]
    expect(contentOf(...half, stop('max_tokens'))).toEqual([{ toolUse: { toolUseId: 't', name: 'n', input: '{"a":' } }])
    expect(assemble(start, ...half, stop('tool_use')).answer(usage)).toBe('tool_input')
  })

  test('are complete only with messageStop and metadata', () => {
    const assembly = assemble(start, delta(0, { text: 'a' }))
    expect([assembly.stopped, assembly.complete, assembly.reportedUsage()]).toEqual([false, false, null])
    assembly.add(stop())
    expect([assembly.stopped, assembly.complete]).toEqual([true, false])
    assembly.add(metadata)
    expect([assembly.complete, assembly.reportedUsage()]).toEqual([true, usage])
  })

  test('out of order are a problem', () => {
    expect(assemble(start).add(start)).toBe('second_start')
    expect(assemble(start, stop()).add(delta(0, { text: 'late' }))).toBe('content_after_stop')
    expect(assemble(start, stop()).add(stop())).toBe('second_stop')
  })

  test('carry what else Bedrock said, but not the padding', () => {
    const assembly = assemble(
      start,
      { type: 'messageStop', payload: { stopReason: 'end_turn', additionalModelResponseFields: { a: 1 } } },
      { type: 'metadata', payload: { usage, metrics: { latencyMs: 3 }, p: 'abcdef', serviceTier: { type: 'default' } } },
    )
    expect(assembly.answer(usage)).toMatchObject({ additional: { additionalModelResponseFields: { a: 1 }, metrics: { latencyMs: 3 }, serviceTier: { type: 'default' } } })
    expect(JSON.stringify(assembly.answer(usage))).not.toContain('abcdef')
  })

  test('cannot reach the prototype of anything', () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":true},"x":{"__proto__":{"polluted":true}}}') as Record<string, JsonValue>
    contentOf(blockStart(0, hostile), delta(0, hostile), delta(0, hostile), stop())
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('many fragments cost no more than they are', () => {
    const assembly = assemble(start)
    // Were the fragments joined one by one, this would copy 800 million elements.
    for (let index = 0; index < 40_000; index += 1) assembly.add(delta(0, { toolResult: [{ text: 'a' }] }))
    assembly.add(stop())
    const answer = assembly.answer(usage)
    expect(answer).toMatchObject({ message: { content: [{ toolResult: { length: 40_000 } }] } })
  })

  test('count their characters for the estimate of the cost', () => {
    expect(assemble(start, delta(0, { text: 'abc' }), delta(1, { toolUse: { input: '{}' } }), delta(2, { reasoningContent: { text: 'de' } })).outputCharacters).toBe(7)
  })
})

describe('an event', () => {
  test.each<[string, unknown, 'malformed' | 'unknown']>([
    ['contentBlockDelta', { contentBlockIndex: 0 }, 'malformed'],
    ['contentBlockDelta', { contentBlockIndex: -1, delta: {} }, 'malformed'],
    ['contentBlockDelta', { contentBlockIndex: 0, delta: 'text' }, 'malformed'],
    ['contentBlockStart', { contentBlockIndex: 0.5 }, 'malformed'],
    ['contentBlockStart', { contentBlockIndex: 0, start: [] }, 'malformed'],
    ['contentBlockStop', {}, 'malformed'],
    ['messageStart', { role: 'system' }, 'malformed'],
    ['messageStop', {}, 'malformed'],
    ['metadata', null, 'malformed'],
    ['messageStop', 'end_turn', 'malformed'],
    ['contentBlockDream', {}, 'unknown'],
  ])('%s with %j is %s', (type, payload, verdict) => {
    expect(toConverseEvent(type, payload)).toBe(verdict)
  })

  test('is never answered with an exception, whatever the payload', () => {
    const types = fc.constantFrom('messageStart', 'contentBlockStart', 'contentBlockDelta', 'contentBlockStop', 'messageStop', 'metadata', 'other')
    fc.assert(
      fc.property(fc.array(fc.tuple(types, fc.jsonValue())), (events) => {
        const assembly = new AnswerAssembly()
        for (const [type, payload] of events) {
          const event = toConverseEvent(type, payload)
          if (typeof event !== 'string') assembly.add(event)
        }
        assembly.answer(usage)
      }),
    )
  })
})

describe('a whole answer', () => {
  const body = { output: { message: { role: 'assistant', content: [{ text: 'abcd' }] } }, stopReason: 'end_turn' }
  const estimate = (outputCharacters: number) => ({ inputTokens: 0, outputTokens: outputCharacters, totalTokens: outputCharacters })

  test('keeps Bedrock\'s usage with whatever it may add', () => {
    const reported = { inputTokens: 1, outputTokens: 2, totalTokens: 3, cacheReadInputTokens: 4, cacheDetails: [{ ttl: '5m', inputTokens: 4 }] }
    expect(readAnswer({ ...body, usage: reported }, estimate)).toMatchObject({ answer: { usage: reported }, estimated: false })
    expect(readAnswer({ ...body, usage: { inputTokens: 1, outputTokens: 2 } }, estimate)).toMatchObject({ answer: { usage: { totalTokens: 3 } }, estimated: false })
  })

  test.each([undefined, {}, { inputTokens: '1', outputTokens: 2 }, { inputTokens: -1, outputTokens: 2, totalTokens: 1 }])('estimates the usage where it is %j', (usage) => {
    expect(readAnswer({ ...body, usage }, estimate)).toMatchObject({ answer: { usage: { outputTokens: 4 } }, estimated: true })
  })

  test.each([null, [], 'text', {}, { output: {} }, { ...body, stopReason: 1 }, { ...body, output: { message: { role: 'assistant', content: 'text' } } }, { ...body, output: { message: { role: 'assistant', content: [1] } } }])(
    '%j is none',
    (none) => {
      expect(readAnswer(none, estimate)).toBeNull()
    },
  )
})
