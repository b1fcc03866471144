/**
 * Adds the events of a stream up to the answer that the same request would have got whole. Also reads a whole answer, so
 * that both kinds end as the same `Answer`.
 *
 * Text, tool input and reasoning arrive in fragments and are joined per content block; a member this file does not know is
 * joined in the same way (strings and lists are appended, objects merged), so that a new kind of block is kept. A tool's
 * input is JSON text cut anywhere: it is parsed once, at the end. Where the model itself was cut short (`max_tokens`), the
 * unparsable input is kept as text; otherwise it makes the answer malformed.
 *
 * Source: API reference, `API_runtime_ContentBlockDelta`, `API_runtime_ReasoningContentBlock`, `API_runtime_CitationsContentBlock`.
 */
import type {
  Answer,
  ContentBlock,
  ContentDelta,
  ConverseMessage,
  ConverseStreamEvent,
  JsonObject,
  JsonValue,
  TokenUsage,
} from '../operation/converse.ts'
import { isObject } from './converse-event.ts'

/** Why a stream is not an answer. */
export type AssemblyProblem = 'second_start' | 'content_after_stop' | 'second_stop' | 'tool_input'

interface OpenBlock {
  text: string
  citations: JsonValue[]
  /** Everything but text and citations: the fragments of each member, joined once at the end, so that many are as cheap as few. */
  fragments: Map<string, JsonValue[]>
}

export class AnswerAssembly {
  /** Characters of text, reasoning and tool input so far: what an estimate of the cost is made from. */
  outputCharacters = 0
  /** Whether `messageStop` came: only then is there an answer. */
  stopped = false
  /** Whether the stream has said everything: `metadata` is its last event. */
  complete = false

  private role: 'assistant' | 'user' | null = null
  private stopReason = ''
  private usage: TokenUsage | null = null
  private readonly blocks = new Map<number, OpenBlock>()
  private additional: Record<string, JsonValue> | null = null

  add(event: ConverseStreamEvent): AssemblyProblem | null {
    if (this.stopped && event.type !== 'metadata') return event.type === 'messageStop' ? 'second_stop' : 'content_after_stop'
    switch (event.type) {
      case 'contentBlockDelta':
        this.addDelta(event.payload.contentBlockIndex, event.payload.delta)
        return null
      case 'messageStart':
        if (this.role !== null) return 'second_start'
        this.role = event.payload.role
        return null
      case 'contentBlockStart':
        this.addStart(event.payload.contentBlockIndex, event.payload.start)
        return null
      case 'contentBlockStop':
        // A block of empty text has a start and a stop and nothing between.
        this.block(event.payload.contentBlockIndex)
        return null
      case 'messageStop': {
        this.stopped = true
        this.stopReason = event.payload.stopReason
        const fields = event.payload.additionalModelResponseFields
        if (fields !== undefined && fields !== null) this.addAdditional('additionalModelResponseFields', fields)
        return null
      }
      case 'metadata': {
        for (const [member, value] of Object.entries(event.payload)) {
          // `p` is padding, put there against guessing an answer by the lengths of its packets.
          if (member === 'usage') this.usage = readUsage(value)
          else if (member !== 'p' && value !== undefined) this.addAdditional(member, value as JsonValue)
        }
        if (this.stopped) this.complete = true
        return null
      }
    }
  }

  /** What Bedrock reported, or null while it has not. */
  reportedUsage(): TokenUsage | null {
    return this.usage
  }

  answer(usage: TokenUsage): Answer | AssemblyProblem {
    const content: ContentBlock[] = []
    for (const index of [...this.blocks.keys()].sort((a, b) => a - b)) {
      const block = this.blocks.get(index)
      if (block === undefined) continue
      const closed = closeBlock(block, this.stopReason)
      if (closed === 'tool_input') return closed
      content.push(closed)
    }
    return {
      message: { role: this.role ?? 'assistant', content },
      stopReason: this.stopReason,
      usage,
      ...(this.additional === null ? {} : { additional: this.additional }),
    }
  }

  private block(index: number): OpenBlock {
    let block = this.blocks.get(index)
    if (block === undefined) {
      block = { text: '', citations: [], fragments: new Map() }
      this.blocks.set(index, block)
    }
    return block
  }

  private addStart(index: number, start: JsonObject | undefined): void {
    const block = this.block(index)
    if (start === undefined) return
    for (const [member, value] of Object.entries(start)) addFragment(block, member, value)
  }

  private addDelta(index: number, delta: ContentDelta): void {
    const block = this.block(index)
    const text = delta.text
    if (typeof text === 'string') {
      block.text += text
      this.outputCharacters += text.length
      return
    }
    for (const [member, value] of Object.entries(delta)) {
      if (value === undefined) continue
      if (member === 'citation') {
        block.citations.push(value)
        continue
      }
      this.outputCharacters += textLength(value)
      addFragment(block, member, value)
    }
  }

  private addAdditional(member: string, value: JsonValue): void {
    this.additional ??= {}
    this.additional[member] = value
  }
}

/** A whole answer as Converse gives it; null when it is none. */
export function readAnswer(body: unknown, estimate: (outputCharacters: number) => TokenUsage): { answer: Answer; estimated: boolean } | null {
  if (!isObject(body) || !isObject(body['output'])) return null
  const message = body['output']['message']
  if (!isObject(message) || typeof body['stopReason'] !== 'string') return null
  const content = message['content']
  if ((message['role'] !== 'assistant' && message['role'] !== 'user') || !Array.isArray(content) || !content.every(isObject)) return null
  const additional: Record<string, JsonValue> = {}
  for (const [member, value] of Object.entries(body)) {
    if (member !== 'output' && member !== 'stopReason' && member !== 'usage') additional[member] = value as JsonValue
  }
  const reported = readUsage(body['usage'])
  return {
    answer: {
      message: message as unknown as ConverseMessage,
      stopReason: body['stopReason'],
      usage: reported ?? estimate(textLength(content as JsonValue)),
      ...(Object.keys(additional).length === 0 ? {} : { additional }),
    },
    estimated: reported === null,
  }
}

/** Bedrock's own usage, with whatever it may add; null when the counts are not counts. */
function readUsage(value: unknown): TokenUsage | null {
  if (!isObject(value) || !isCount(value['inputTokens']) || !isCount(value['outputTokens'])) return null
  if (isCount(value['totalTokens'])) return value as unknown as TokenUsage
  return { ...value, inputTokens: value['inputTokens'], outputTokens: value['outputTokens'], totalTokens: value['inputTokens'] + value['outputTokens'] }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** Stop reasons under which the model did not finish what it was writing. */
const cutShort = new Set(['max_tokens', 'model_context_window_exceeded', 'malformed_tool_use', 'malformed_model_output', 'content_filtered', 'guardrail_intervened'])

function addFragment(block: OpenBlock, member: string, value: JsonValue): void {
  const fragments = block.fragments.get(member)
  if (fragments === undefined) block.fragments.set(member, [value])
  else fragments.push(value)
}

function closeBlock(block: OpenBlock, stopReason: string): ContentBlock | 'tool_input' {
  if (block.citations.length > 0) return { citationsContent: { content: [{ text: block.text }], citations: block.citations } }
  if (block.fragments.size === 0) return { text: block.text }
  const members: Record<string, JsonValue> = Object.fromEntries([...block.fragments].map(([member, fragments]) => [member, joined(fragments)]))
  const { toolUse, reasoningContent } = members
  if (isObject(toolUse)) {
    const input = parseToolInput(toolUse['input'])
    if (input === undefined && !cutShort.has(stopReason)) return 'tool_input'
    members['toolUse'] = { ...toolUse, input: input ?? toolUse['input'] ?? null }
  }
  if (isObject(reasoningContent)) members['reasoningContent'] = closeReasoning(reasoningContent)
  return block.text === '' ? members : { ...members, text: block.text }
}

function parseToolInput(input: unknown): JsonValue | undefined {
  if (input === undefined || input === '') return {}
  if (typeof input !== 'string') return input as JsonValue
  try {
    return JSON.parse(input) as JsonValue
  } catch {
    // Whether that is acceptable depends on why the model stopped; the caller knows.
    return undefined
  }
}

/** A stream says `text` and `signature`; a message says `reasoningText: { text, signature }`. */
function closeReasoning(reasoning: JsonObject): JsonObject {
  const { text, signature, redactedContent, ...rest } = reasoning
  if (redactedContent !== undefined) return { ...rest, redactedContent }
  return { ...rest, reasoningText: { text: text ?? '', ...(signature === undefined ? {} : { signature }) } }
}

function joined(fragments: readonly JsonValue[]): JsonValue {
  const first = fragments[0] ?? null
  if (fragments.length === 1) return first
  if (fragments.every((fragment) => typeof fragment === 'string')) return fragments.join('')
  if (fragments.every((fragment) => Array.isArray(fragment))) return fragments.flat() as JsonValue
  const objects = fragments.filter(isObject) as JsonObject[]
  if (objects.length === 0) return fragments.at(-1) ?? null
  const byMember = new Map<string, JsonValue[]>()
  const add = (member: string, value: JsonValue): void => {
    const values = byMember.get(member)
    if (values === undefined) byMember.set(member, [value])
    else values.push(value)
  }
  for (const object of objects) for (const [member, value] of Object.entries(object)) add(member, value)
  // A tool result starts as an object and continues with lists: the pieces of its content.
  for (const list of fragments) if (Array.isArray(list)) add('content', list as JsonValue)
  return Object.fromEntries([...byMember].map(([member, values]) => [member, joined(values)]))
}

function textLength(value: JsonValue): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  for (const inner of Object.values(value)) count += textLength(inner)
  return count
}
