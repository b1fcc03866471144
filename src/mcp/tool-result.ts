/**
 * From the result of a tool call to an answer, or to what is wrong with it (public contract, part 5): the answer is the
 * result's `content` text; `structuredContent` may give `{ text, message, usage, stopReason }`; `isError: true` is a failure.
 *
 * The result comes from a server that nothing here trusts: each member is checked before it is used, and what it says beyond
 * these members is dropped.
 */
import type { Answer, ContentBlock, ConverseMessage, TokenUsage } from '../operation/converse.ts'
import { textOf } from '../operation/converse.ts'
import { readReportedFault } from './fault-classifier.ts'
import type { McpFailure } from './fault-classifier.ts'
import type { Carries } from './settings.ts'

export type ToolOutcome =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly usageReported: boolean }
  | { readonly kind: 'failure'; readonly failure: McpFailure }

/**
 * @param promptLength characters of the request, for the estimate of a server that does not report its usage.
 */
export function readToolResult(result: unknown, carries: Carries, promptLength: number): ToolOutcome {
  if (!isRecord(result)) return malformed
  const structured = isRecord(result['structuredContent']) ? result['structuredContent'] : undefined
  if (result['isError'] === true) {
    const reported = carries === 'converse' ? readReportedFault(structured?.['fault']) : undefined
    return { kind: 'failure', failure: { type: 'tool_error', ...(reported === undefined ? {} : { fault: reported }) } }
  }
  const resultType = result['resultType']
  if (resultType === 'input_required') return { kind: 'failure', failure: { type: 'input_required' } }
  if (resultType !== undefined && resultType !== 'complete') return malformed

  const message = messageOf(result, structured)
  if (message === null) return malformed
  const reported = usageOf(structured?.['usage'])
  const stopReason = structured?.['stopReason']
  return {
    kind: 'answer',
    usageReported: reported !== null,
    answer: {
      message,
      stopReason: typeof stopReason === 'string' && stopReason !== '' ? stopReason : 'end_turn',
      usage: reported ?? estimateUsage(promptLength, textOf(message).length),
    },
  }
}

/** Four characters a token: the usual rule of thumb for European languages, marked as an estimate wherever it is shown. */
export function estimateUsage(inputLength: number, outputLength: number): TokenUsage {
  const inputTokens = Math.ceil(inputLength / 4)
  const outputTokens = Math.ceil(outputLength / 4)
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens }
}

const malformed: ToolOutcome = { kind: 'failure', failure: { type: 'malformed' } }

function messageOf(result: Record<string, unknown>, structured: Record<string, unknown> | undefined): ConverseMessage | null {
  if (structured?.['message'] !== undefined) return converseMessage(structured['message'])
  const structuredText = structured?.['text']
  if (typeof structuredText === 'string') return textMessage(structuredText)
  const content = result['content']
  // A tool may answer with structured content alone; without `text` or `message` its JSON is the answer.
  if (!Array.isArray(content)) return content === undefined && structured !== undefined ? textMessage(JSON.stringify(structured)) : null
  const texts: string[] = []
  for (const block of content) {
    if (!isRecord(block) || typeof block['type'] !== 'string') return null
    if (block['type'] !== 'text') continue
    if (typeof block['text'] !== 'string') return null
    texts.push(block['text'])
  }
  if (texts.length === 0 && structured !== undefined) return textMessage(JSON.stringify(structured))
  return textMessage(texts.join('\n'))
}

function textMessage(text: string): ConverseMessage {
  return { role: 'assistant', content: [{ text }] }
}

function converseMessage(value: unknown): ConverseMessage | null {
  if (!isRecord(value) || value['role'] !== 'assistant' || !Array.isArray(value['content'])) return null
  const content: unknown[] = value['content']
  return content.every(isContentBlock) ? { role: 'assistant', content } : null
}

function isContentBlock(value: unknown): value is ContentBlock {
  if (!isRecord(value)) return false
  if ('text' in value && typeof value['text'] !== 'string') return false
  if (!('toolUse' in value)) return true
  const toolUse = value['toolUse']
  return isRecord(toolUse) && typeof toolUse['toolUseId'] === 'string' && typeof toolUse['name'] === 'string' && toolUse['input'] !== undefined
}

function usageOf(value: unknown): TokenUsage | null {
  if (!isRecord(value)) return null
  const { inputTokens, outputTokens, totalTokens, cacheReadInputTokens, cacheWriteInputTokens } = value
  if (!isCount(inputTokens) || !isCount(outputTokens)) return null
  return {
    inputTokens,
    outputTokens,
    totalTokens: isCount(totalTokens) ? totalTokens : inputTokens + outputTokens,
    ...(isCount(cacheReadInputTokens) ? { cacheReadInputTokens } : {}),
    ...(isCount(cacheWriteInputTokens) ? { cacheWriteInputTokens } : {}),
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
