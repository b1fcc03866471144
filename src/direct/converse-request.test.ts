import { describe, expect, test } from 'vitest'
import { converseMembers } from '../operation/converse.ts'
import type { ConverseRequest } from '../operation/converse.ts'
import { converseBody, conversePath } from './converse-request.ts'
import { controlPlaneEndpoint, runtimeEndpoint } from './settings.ts'
import { estimateUsage, inputCharacters } from './token-estimate.ts'

const messages: ConverseRequest['messages'] = [{ role: 'user', content: [{ text: 'hello' }] }]

describe('the body of a request', () => {
  test('carries every member of Converse untouched', () => {
    const request = Object.fromEntries(converseMembers.map((member) => [member, member === 'messages' ? messages : { [`${member}-inside`]: [1, null, 'é'] }]))
    expect(JSON.parse(converseBody(request as unknown as ConverseRequest, undefined))).toEqual(request)
  })

  test('takes the operation\'s settings where the request gives none', () => {
    const settings = { maxTokens: 100, temperature: 0.1, topP: 0.9, stopSequences: ['END'] }
    expect(JSON.parse(converseBody({ messages, inferenceConfig: { maxTokens: 5, stopSequences: [] } }, settings))).toEqual({
      messages,
      inferenceConfig: { maxTokens: 5, temperature: 0.1, topP: 0.9, stopSequences: [] },
    })
    expect(JSON.parse(converseBody({ messages }, { modelId: 'm' }))).toEqual({ messages })
    expect(JSON.parse(converseBody({ messages }, { maxTokens: 1 }))).toEqual({ messages, inferenceConfig: { maxTokens: 1 } })
  })
})

describe('the path of a request', () => {
  test.each([
    ['eu.anthropic.claude-v1:0', '/model/eu.anthropic.claude-v1%3A0/converse'],
    ['arn:aws:bedrock:eu-central-1:1:inference-profile/eu.x', '/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.x/converse'],
    ['a b/../c?d#e%', '/model/a%20b%2F..%2Fc%3Fd%23e%25/converse'],
    ["it's(*)!", '/model/it%27s%28%2A%29%21/converse'],
    ['broken \ud800 text', '/model/broken%20%EF%BF%BD%20text/converse'],
  ])('names the model %s whole, as one segment', (modelId, path) => {
    expect(conversePath('', modelId, 'converse')).toBe(path)
  })
})

describe('the endpoint of a target', () => {
  const target = { id: 'a', region: 'eu-west-1', modelId: 'm' }

  test('is the region\'s own, or the override with its base path', () => {
    expect(runtimeEndpoint(target)).toEqual({ origin: 'https://bedrock-runtime.eu-west-1.amazonaws.com', host: 'bedrock-runtime.eu-west-1.amazonaws.com', basePath: '' })
    expect(controlPlaneEndpoint(target).origin).toBe('https://bedrock.eu-west-1.amazonaws.com')
    const override = { ...target, endpoint: 'http://127.0.0.1:9001/a/b//' }
    expect(runtimeEndpoint(override)).toEqual({ origin: 'http://127.0.0.1:9001', host: '127.0.0.1:9001', basePath: '/a/b' })
    expect(controlPlaneEndpoint(override)).toEqual(runtimeEndpoint(override))
  })
})

describe('the estimate of tokens', () => {
  test('counts what the model reads as text, not images or documents', () => {
    expect(
      inputCharacters({
        messages: [
          { role: 'user', content: [{ text: '1234' }, { image: { source: { bytes: 'x'.repeat(5_000) } } }] },
          { role: 'assistant', content: [{ toolUse: { toolUseId: '12', name: '34', input: { a: '56' } } }] },
        ],
        system: [{ text: '12' }],
        toolConfig: { tools: [{ toolSpec: { name: 'abc' } }] },
      }),
    ).toBe(4 + 6 + 2 + 3)
  })

  test('adds up', () => {
    expect(estimateUsage(9, 4)).toEqual({ inputTokens: 3, outputTokens: 1, totalTokens: 4 })
  })
})
