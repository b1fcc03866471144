/**
 * The result of `execute_operation`: the answer's text as content and the whole of it as structured content, or the fault
 * with its kind, so that a router on the other side treats it as it would its own (`mcp/fault-classifier.ts` reads it).
 */
import { textOf } from '../operation/converse.ts'
import type { Answer } from '../operation/converse.ts'
import type { Fault } from '../operation/fault.ts'

export interface ToolAnswer {
  readonly content: { type: 'text'; text: string }[]
  readonly structuredContent: Record<string, unknown>
  readonly isError?: boolean
  readonly [member: string]: unknown
}

export function answerResult(answer: Answer): ToolAnswer {
  return {
    content: [{ type: 'text', text: textOf(answer.message) }],
    structuredContent: { message: answer.message, usage: answer.usage, stopReason: answer.stopReason },
  }
}

export function faultResult(fault: Fault): ToolAnswer {
  const { kind, retryable, retryAfterMs } = fault
  return {
    isError: true,
    content: [{ type: 'text', text: fault.message }],
    structuredContent: { fault: { kind, retryable, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } },
  }
}
