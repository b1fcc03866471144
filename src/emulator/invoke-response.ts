/**
 * Writes an answer in the format of the model's maker, whole and as the chunks of InvokeModelWithResponseStream. The last
 * chunk of every stream carries Bedrock's own invocation metrics.
 *
 * Sources: the same pages as `invoke-request.ts`; Anthropic's order of stream events.
 */
import type { Answer, AnswerBlock } from './conversation.ts'
import { converseBody, converseStream, tokensPerEvent, type AnswerStream, type StreamEvent } from './converse-response.ts'
import type { ConverseRequest } from './converse-request.ts'
import type { ModelFamily } from './model-id.ts'

export interface InvokeFacts {
  readonly modelId: string
  readonly family: ModelFamily
  readonly messageId: string
}

export function invokeBody(facts: InvokeFacts, answer: Answer, latencyMs: number): string {
  switch (facts.family) {
    case 'anthropic':
      return JSON.stringify({ ...anthropicMessage(facts, answer), content: answer.blocks.map(anthropicBlock), ...anthropicEnd(answer), usage: anthropicUsage(answer) })
    case 'nova':
      return converseBody(bareConverse(facts), answer, latencyMs)
    case 'generic':
      return JSON.stringify({ outputs: [{ text: textOf(answer), stop_reason: answer.stopReason }], usage: genericUsage(answer) })
  }
}

export function invokeStream(facts: InvokeFacts, answer: Answer): AnswerStream {
  switch (facts.family) {
    case 'anthropic':
      return anthropicStream(facts, answer)
    case 'nova':
      return novaStream(facts, answer)
    case 'generic':
      return genericStream(answer)
  }
}

function anthropicStream(facts: InvokeFacts, answer: Answer): AnswerStream {
  const start = { ...anthropicMessage(facts, answer), content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: answer.inputTokens, output_tokens: 1 } }
  const events: StreamEvent[] = [chunk({ type: 'message_start', message: start })]
  for (const [index, block] of answer.blocks.entries()) {
    const empty = block.kind === 'text' ? { type: 'text', text: '' } : { type: 'tool_use', id: block.id, name: block.name, input: {} }
    events.push(chunk({ type: 'content_block_start', index, content_block: empty }))
    for (const tokens of groups(block.tokens)) {
      const text = tokens.join('')
      const delta = block.kind === 'text' ? { type: 'text_delta', text } : { type: 'input_json_delta', partial_json: text }
      events.push(chunk({ type: 'content_block_delta', index, delta }, tokens.length))
    }
    events.push(chunk({ type: 'content_block_stop', index }))
  }
  events.push(chunk({ type: 'message_delta', delta: anthropicEnd(answer), usage: { output_tokens: answer.outputTokens } }))
  return { events, last: (latencyMs) => chunk({ type: 'message_stop', ...invocationMetrics(answer, latencyMs) }) }
}

/** Nova's chunks are Converse's events, each wrapped in an object with the event's name. */
function novaStream(facts: InvokeFacts, answer: Answer): AnswerStream {
  const stream = converseStream(bareConverse(facts), answer)
  const wrapped = (event: StreamEvent): StreamEvent => ({ type: 'chunk', payload: chunkPayload(`{${JSON.stringify(event.type)}:${event.payload}}`), tokens: event.tokens })
  return {
    events: stream.events.map(wrapped),
    last: (latencyMs) => {
      const metadata: unknown = JSON.parse(stream.last(latencyMs).payload)
      return chunk({ metadata, ...invocationMetrics(answer, latencyMs) })
    },
  }
}

function genericStream(answer: Answer): AnswerStream {
  const events = answer.blocks.flatMap((block) => groups(block.tokens)).map((tokens) => chunk({ outputs: [{ text: tokens.join(''), stop_reason: null }] }, tokens.length))
  return { events, last: (latencyMs) => chunk({ outputs: [{ text: '', stop_reason: answer.stopReason }], ...invocationMetrics(answer, latencyMs) }) }
}

function groups(tokens: readonly string[]): readonly (readonly string[])[] {
  const result: (readonly string[])[] = []
  for (let index = 0; index < tokens.length; index += tokensPerEvent) result.push(tokens.slice(index, index + tokensPerEvent))
  return result
}

function chunk(content: object, tokens = 0): StreamEvent {
  return { type: 'chunk', payload: chunkPayload(JSON.stringify(content)), tokens }
}

function chunkPayload(text: string): string {
  return `{"bytes":"${Buffer.from(text).toString('base64')}"}`
}

function anthropicMessage(facts: InvokeFacts, answer: Answer): object {
  return { id: facts.messageId, type: 'message', role: 'assistant', model: facts.modelId, usage: anthropicUsage(answer) }
}

function anthropicBlock(block: AnswerBlock): object {
  return block.kind === 'text' ? { type: 'text', text: block.tokens.join('') } : { type: 'tool_use', id: block.id, name: block.name, input: block.input }
}

function anthropicEnd(answer: Answer): object {
  return { stop_reason: answer.stopReason, stop_sequence: answer.stopSequence ?? null }
}

function anthropicUsage(answer: Answer): object {
  return { input_tokens: answer.inputTokens, output_tokens: answer.outputTokens }
}

function genericUsage(answer: Answer): object {
  return { prompt_tokens: answer.inputTokens, completion_tokens: answer.outputTokens, total_tokens: answer.inputTokens + answer.outputTokens }
}

function invocationMetrics(answer: Answer, latencyMs: number): object {
  return {
    'amazon-bedrock-invocationMetrics': {
      inputTokenCount: answer.inputTokens,
      outputTokenCount: answer.outputTokens,
      invocationLatency: Math.round(latencyMs),
      firstByteLatency: Math.round(latencyMs),
    },
  }
}

function textOf(answer: Answer): string {
  return answer.blocks.flatMap((block) => (block.kind === 'text' ? block.tokens : [])).join('')
}

function bareConverse(facts: InvokeFacts): ConverseRequest {
  return {
    conversation: { modelId: facts.modelId, system: '', turns: [], tools: [], toolChoice: { kind: 'none' }, maxTokens: undefined, stopSequences: [] },
    serviceTier: undefined,
    performanceConfig: undefined,
  }
}
