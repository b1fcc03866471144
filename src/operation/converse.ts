/**
 * The canonical form of a request and its answer: Amazon Bedrock's Converse API, in its wire spelling (API reference,
 * `API_runtime_Converse` and `API_runtime_ConverseStream`). Front doors translate into it and out of it; everything inside
 * reads only what it must and passes the rest through untouched, so that a member AWS adds tomorrow needs no change here.
 */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [member: string]: JsonValue }
export interface JsonObject {
  readonly [member: string]: JsonValue
}

/** A content block holds one member of Bedrock's union; those that the program looks into are named. */
export interface ContentBlock {
  readonly text?: string
  readonly toolUse?: { readonly toolUseId: string; readonly name: string; readonly input: JsonValue }
  readonly toolResult?: JsonObject
  readonly reasoningContent?: JsonObject
  readonly [member: string]: JsonValue | undefined
}

export interface ConverseMessage {
  readonly role: 'user' | 'assistant'
  readonly content: readonly ContentBlock[]
}

export interface InferenceConfig {
  readonly maxTokens?: number
  readonly temperature?: number
  readonly topP?: number
  readonly stopSequences?: readonly string[]
}

/** The members of Converse's request that an operation may carry, besides those read below. */
export const converseMembers = [
  'messages',
  'system',
  'inferenceConfig',
  'toolConfig',
  'guardrailConfig',
  'additionalModelRequestFields',
  'additionalModelResponseFieldPaths',
  'promptVariables',
  'requestMetadata',
  'performanceConfig',
  'serviceTier',
  'outputConfig',
] as const

export interface ConverseRequest {
  readonly messages: readonly ConverseMessage[]
  readonly system?: readonly ContentBlock[]
  readonly inferenceConfig?: InferenceConfig
  readonly toolConfig?: JsonObject
  readonly guardrailConfig?: JsonObject
  readonly additionalModelRequestFields?: JsonValue
  readonly additionalModelResponseFieldPaths?: readonly string[]
  readonly promptVariables?: JsonObject
  readonly requestMetadata?: Readonly<Record<string, string>>
  readonly performanceConfig?: JsonObject
  readonly serviceTier?: JsonObject
  readonly outputConfig?: JsonObject
}

export interface TokenUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly totalTokens: number
  readonly cacheReadInputTokens?: number
  readonly cacheWriteInputTokens?: number
}

/** A whole answer, as Converse gives it or as its stream adds up. */
export interface Answer {
  readonly message: ConverseMessage
  readonly stopReason: string
  readonly usage: TokenUsage
  /** What else Bedrock said (`trace`, `performanceConfig`, `serviceTier`, `additionalModelResponseFields`), untouched. */
  readonly additional?: JsonObject
}

/**
 * One event of a streamed answer: the name of Bedrock's event and its payload as it came. The exceptions of Bedrock's
 * union are not events here: they end the attempt as faults.
 */
export type ConverseStreamEvent =
  | { readonly type: 'messageStart'; readonly payload: { readonly role: 'assistant' | 'user' } }
  | { readonly type: 'contentBlockStart'; readonly payload: { readonly contentBlockIndex: number; readonly start?: JsonObject } }
  | { readonly type: 'contentBlockDelta'; readonly payload: { readonly contentBlockIndex: number; readonly delta: ContentDelta } }
  | { readonly type: 'contentBlockStop'; readonly payload: { readonly contentBlockIndex: number } }
  | { readonly type: 'messageStop'; readonly payload: { readonly stopReason: string; readonly additionalModelResponseFields?: JsonValue } }
  | { readonly type: 'metadata'; readonly payload: { readonly usage?: TokenUsage; readonly [member: string]: JsonValue | TokenUsage | undefined } }

export interface ContentDelta {
  readonly text?: string
  readonly toolUse?: { readonly input: string }
  readonly reasoningContent?: JsonObject
  readonly [member: string]: JsonValue | undefined
}

/** The answer's text: its text blocks, joined without a separator. */
export function textOf(message: ConverseMessage): string {
  let text = ''
  for (const block of message.content) text += block.text ?? ''
  return text
}

/** First content is what a person or a program can use: text, reasoning or a tool call. Role and block framing are not. */
export function isContent(event: ConverseStreamEvent): boolean {
  return event.type === 'contentBlockDelta' || (event.type === 'contentBlockStart' && event.payload.start !== undefined)
}
