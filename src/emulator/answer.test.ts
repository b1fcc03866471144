import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerFor, countInput, defaultAnswerLength } from './answer.ts'
import type { Answer, Conversation, Turn } from './conversation.ts'

const user = (text: string): Turn => ({ role: 'user', blocks: [{ kind: 'text', text }] })
const conversation = (parts: Partial<Conversation> = {}): Conversation => ({
  modelId: 'anthropic.claude-sonnet-4-6',
  system: '',
  turns: [user('Why is the site slow?')],
  tools: [],
  toolChoice: { kind: 'auto' },
  maxTokens: undefined,
  stopSequences: [],
  ...parts,
})
const textOf = (answer: Answer): string => answer.blocks.flatMap((block) => (block.kind === 'text' ? block.tokens : [])).join('')

describe('an answer', () => {
  it('is the same for the same conversation, names itself synthetic, and has the length that is wanted', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 300 }), fc.string({ maxLength: 100 }), (prompt, system) => {
        const asked = conversation({ turns: [user(prompt)], system })
        const answer = answerFor(asked)
        expect(answerFor(asked)).toEqual(answer)
        expect(textOf(answer)).toContain('synthetic answer')
        expect(answer.outputTokens).toBeGreaterThanOrEqual(defaultAnswerLength.minTokens)
        expect(answer.inputTokens).toBe(countInput(asked))
      }),
    )
  })

  it('differs between models and between prompts', () => {
    const answers = [conversation(), conversation({ turns: [user('Why is the site down?')] }), conversation({ modelId: 'amazon.nova-lite-v1:0' })].map((asked) => textOf(answerFor(asked)))
    expect(new Set(answers).size).toBe(3)
  })

  it('never exceeds maxTokens, and says so when it is cut', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (maxTokens) => {
        const whole = answerFor(conversation())
        const limited = answerFor(conversation({ maxTokens }))
        expect(limited.outputTokens).toBeLessThanOrEqual(maxTokens)
        expect(limited.stopReason).toBe(whole.outputTokens > maxTokens ? 'max_tokens' : 'end_turn')
        expect(textOf(whole).startsWith(textOf(limited))).toBe(true)
      }),
    )
  })

  it('ends before the first stop sequence, which it names', () => {
    const answer = answerFor(conversation({ stopSequences: ['model', 'AWS'] }))
    expect(answer).toMatchObject({ stopReason: 'stop_sequence', stopSequence: 'AWS' })
    expect(textOf(answer)).toBe('This is a synthetic answer of the ')
  })

  it('does not call a tool that maxTokens leaves no room for', () => {
    const tools = [{ name: 'find_site', description: '', inputSchema: { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] } }]
    expect(answerFor(conversation({ tools })).stopReason).toBe('tool_use')
    expect(answerFor(conversation({ tools, maxTokens: 3 }))).toMatchObject({ stopReason: 'max_tokens', outputTokens: 3 })
  })
})
