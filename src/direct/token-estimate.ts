/**
 * How many tokens an attempt has probably cost when Bedrock did not say: it was cancelled, or it failed on the way. Four
 * characters for a token is the rule of thumb of the model vendors' own guides for English text; everything made of it is
 * marked as an estimate. What is not text (images, documents) is left out rather than invented.
 */
import type { ContentBlock, ConverseRequest, JsonValue, TokenUsage } from '../operation/converse.ts'

const charactersPerToken = 4

export function estimateUsage(inputCharacters: number, outputCharacters: number): TokenUsage {
  const inputTokens = Math.ceil(inputCharacters / charactersPerToken)
  const outputTokens = Math.ceil(outputCharacters / charactersPerToken)
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens }
}

/** Characters of everything the model reads as text: messages, system, tool calls and results, tool descriptions. */
export function inputCharacters(converse: ConverseRequest): number {
  let count = 0
  for (const message of converse.messages) for (const block of message.content) count += charactersOf(block)
  for (const block of converse.system ?? []) count += charactersOf(block)
  if (converse.toolConfig !== undefined) count += charactersOf(converse.toolConfig)
  return count
}

/** Members whose text is data for the model in another form than tokens of text. */
const notText = new Set(['image', 'document', 'video', 'audio', 'cachePoint'])

function charactersOf(value: ContentBlock | JsonValue | undefined): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const element of value as readonly JsonValue[]) count += charactersOf(element)
    return count
  }
  for (const [member, inner] of Object.entries(value as { readonly [member: string]: JsonValue })) {
    if (!notText.has(member)) count += charactersOf(inner)
  }
  return count
}
