/**
 * What the operations MCP server asks of whatever reaches a model: the port that the composition root fills, for `demo` and
 * `mcp-server` with the Direct Bedrock Client on targets of its own (`adapters/path-executor.ts`). An execution has an end
 * that is a value: an answer or a fault; it never throws for what an upstream does.
 */
import type { Answer, ConverseRequest } from '../operation/converse.ts'
import type { Fault } from '../operation/fault.ts'
import type { OperationType, Priority } from '../operation/matrix.ts'

export interface ExecutionRequest {
  readonly operationId: string
  readonly operation: OperationType
  readonly priority: Priority
  readonly converse: ConverseRequest
  readonly userId?: string
  readonly traceparent?: string
}

export interface ExecutionOptions {
  /** Monotonic: the whole answer, or for a stream its first content. */
  readonly deadlineMs: number
  readonly signal: AbortSignal
  /** Present when text is wanted as it comes: the next text of the content block. */
  readonly onText?: (text: string, contentBlockIndex: number) => void
  /** After first content of a stream. */
  readonly streamSilenceMs: number
  readonly streamMaxMs: number
}

export type ExecutionEnd = { readonly kind: 'answer'; readonly answer: Answer } | { readonly kind: 'fault'; readonly fault: Fault } | { readonly kind: 'cancelled' }

export type Execute = (request: ExecutionRequest, options: ExecutionOptions) => Promise<ExecutionEnd>
