import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Answer, ConverseStreamEvent } from '../operation/converse.ts'
import { addText, nothingStreamed, remainingEvents, textInProgress, textMarker } from './stream-events.ts'

const answerOf = (...content: Answer['message']['content']): Answer => ({
  message: { role: 'assistant', content },
  stopReason: 'end_turn',
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
})
const textsOf = (events: readonly ConverseStreamEvent[]): string =>
  events.map((event) => (event.type === 'contentBlockDelta' ? (event.payload.delta.text ?? '') : '')).join('')

describe('progress', () => {
  it('is text only with our marker', () => {
    expect(textInProgress({ message: 'a', _meta: { [textMarker]: 0 } })).toEqual({ text: 'a', index: 0 })
    for (const other of [{ message: 'a' }, { _meta: { [textMarker]: 0 } }, { message: '', _meta: { [textMarker]: 0 } }, { message: 'a', _meta: { [textMarker]: 0.5 } }, { message: 'a', _meta: { [textMarker]: 1e9 } }, { message: 5, _meta: { [textMarker]: 0 } }]) {
      expect(textInProgress(other)).toBeNull()
    }
  })
})

describe('a streamed answer', () => {
  it('whichever part of it came as progress, is heard whole and once', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), fc.nat(), (pieces, cut) => {
        const heard: ConverseStreamEvent[] = []
        let streamed = nothingStreamed
        for (const piece of pieces.slice(0, cut % (pieces.length + 1))) {
          const added = addText(streamed, piece, 0)
          streamed = added.streamed
          heard.push(...added.events)
        }
        const rest = remainingEvents(streamed, answerOf({ text: pieces.join('') }))
        heard.push(...(rest ?? []))
        expect(textsOf(heard)).toBe(pieces.join(''))
        expect(heard.filter((event) => event.type === 'messageStart')).toHaveLength(1)
        expect(heard[0]?.type).toBe('messageStart')
        expect(heard.at(-2)?.type).toBe('messageStop')
      }),
    )
  })

  it('that contradicts what was said is refused', () => {
    const { streamed } = addText(nothingStreamed, 'The answer is 4', 0)
    expect(remainingEvents(streamed, answerOf({ text: 'The answer is 5' }))).toBeNull()
    expect(remainingEvents(streamed, answerOf())).toBeNull()
    expect(remainingEvents(streamed, answerOf({ toolUse: { toolUseId: 'x', name: 'y', input: {} } }))).toBeNull()
    expect(remainingEvents(addText(nothingStreamed, 'x', 3).streamed, answerOf({ text: 'x' }))).toBeNull()
  })

  it('brings tool calls and reasoning in the stream’s own shape', () => {
    const events = remainingEvents(nothingStreamed, answerOf({ reasoningContent: { reasoningText: { text: 'hm', signature: 's' } } }, { toolUse: { toolUseId: 'x', name: 'y', input: { a: 1 } } }))
    expect(events?.filter((event) => event.type === 'contentBlockStart' || event.type === 'contentBlockDelta')).toEqual([
      { type: 'contentBlockDelta', payload: { contentBlockIndex: 0, delta: { reasoningContent: { text: 'hm' } } } },
      { type: 'contentBlockDelta', payload: { contentBlockIndex: 0, delta: { reasoningContent: { signature: 's' } } } },
      { type: 'contentBlockStart', payload: { contentBlockIndex: 1, start: { toolUse: { toolUseId: 'x', name: 'y' } } } },
      { type: 'contentBlockDelta', payload: { contentBlockIndex: 1, delta: { toolUse: { input: '{"a":1}' } } } },
    ])
  })
})
