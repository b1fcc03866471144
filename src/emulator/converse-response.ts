/**
 * Writes an answer as Converse and ConverseStream do. Text blocks have no `contentBlockStart`, tool blocks do, as on the
 * real service; every block is closed; `messageStop` comes before `metadata`.
 */
import type { Answer, AnswerBlock } from './conversation.ts'
import type { ConverseRequest } from './converse-request.ts'

/** One event of a stream before it is framed. */
export interface StreamEvent {
  readonly type: string
  /** The JSON payload. */
  readonly payload: string
  /** How many tokens it carries: the pace of the stream. */
  readonly tokens: number
}

/** A stream whose last event is written when it is sent, because it tells how long that took. */
export interface AnswerStream {
  readonly events: readonly StreamEvent[]
  readonly last: (latencyMs: number) => StreamEvent
}

/** Bedrock sends a few tokens with each event. */
export const tokensPerEvent = 3

export function converseBody(request: ConverseRequest, answer: Answer, latencyMs: number): string {
  return JSON.stringify({
    output: { message: { role: 'assistant', content: answer.blocks.map(contentBlock) } },
    stopReason: answer.stopReason,
    ...closingMembers(request, answer, latencyMs),
  })
}

export function converseStream(request: ConverseRequest, answer: Answer): AnswerStream {
  const events: StreamEvent[] = [event('messageStart', { role: 'assistant' })]
  for (const [contentBlockIndex, block] of answer.blocks.entries()) {
    if (block.kind === 'toolUse') {
      events.push(event('contentBlockStart', { contentBlockIndex, start: { toolUse: { toolUseId: block.id, name: block.name } } }))
    }
    for (let index = 0; index < block.tokens.length; index += tokensPerEvent) {
      const tokens = block.tokens.slice(index, index + tokensPerEvent)
      const text = tokens.join('')
      const delta = block.kind === 'text' ? { text } : { toolUse: { input: text } }
      events.push(event('contentBlockDelta', { contentBlockIndex, delta }, tokens.length))
    }
    events.push(event('contentBlockStop', { contentBlockIndex }))
  }
  events.push(event('messageStop', { stopReason: answer.stopReason }))
  return { events, last: (latencyMs) => event('metadata', closingMembers(request, answer, latencyMs)) }
}

function event(type: string, payload: object, tokens = 0): StreamEvent {
  return { type, payload: JSON.stringify(payload), tokens }
}

function contentBlock(block: AnswerBlock): object {
  return block.kind === 'text' ? { text: block.tokens.join('') } : { toolUse: { toolUseId: block.id, name: block.name, input: block.input } }
}

function closingMembers(request: ConverseRequest, answer: Answer, latencyMs: number): object {
  return {
    usage: { inputTokens: answer.inputTokens, outputTokens: answer.outputTokens, totalTokens: answer.inputTokens + answer.outputTokens },
    metrics: { latencyMs: Math.round(latencyMs) },
    ...(request.performanceConfig === undefined ? {} : { performanceConfig: request.performanceConfig }),
    ...(request.serviceTier === undefined ? {} : { serviceTier: request.serviceTier }),
  }
}
