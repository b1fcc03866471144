/**
 * What the emulator understands of a request, whatever body it came in: Converse and InvokeModel's formats are read into
 * this, the answer is made from this alone, and written back in the body's own format.
 */
export interface Tool {
  readonly name: string
  readonly description: string
  readonly inputSchema: unknown
}

export type ToolChoice = { readonly kind: 'auto' } | { readonly kind: 'any' } | { readonly kind: 'none' } | { readonly kind: 'tool'; readonly name: string }

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'toolUse'; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly kind: 'toolResult'; readonly id: string; readonly text: string; readonly failed: boolean }
  /** Images, documents, reasoning and the like: they count as tokens, nothing else. */
  | { readonly kind: 'other'; readonly tokens: number }

export interface Turn {
  readonly role: 'user' | 'assistant'
  readonly blocks: readonly Block[]
}

export interface Conversation {
  readonly modelId: string
  readonly system: string
  readonly turns: readonly Turn[]
  readonly tools: readonly Tool[]
  readonly toolChoice: ToolChoice
  readonly maxTokens: number | undefined
  readonly stopSequences: readonly string[]
}

export type AnswerBlock =
  | { readonly kind: 'text'; readonly tokens: readonly string[] }
  | { readonly kind: 'toolUse'; readonly id: string; readonly name: string; readonly input: unknown; readonly tokens: readonly string[] }

export type StopReason = 'end_turn' | 'tool_use' | 'max_tokens' | 'stop_sequence'

export interface Answer {
  readonly blocks: readonly AnswerBlock[]
  readonly stopReason: StopReason
  /** The sequence that ended the text, which is not part of it. */
  readonly stopSequence: string | undefined
  readonly inputTokens: number
  readonly outputTokens: number
}
