/**
 * The canonical operation: what a front door makes of a request once it is validated and admitted, and what every component
 * behind the front doors reads. It is immutable; limits are instants and durations in milliseconds.
 */
import type { ConverseRequest } from './converse.ts'
import type { OperationType, Priority } from './matrix.ts'

export type OperationMode = 'sync' | 'stream' | 'async'

export interface Operation {
  /** `op_…` */
  readonly id: string
  readonly type: OperationType
  /** Orders operations in queue and overload; it never changes the route. */
  readonly priority: Priority
  readonly mode: OperationMode
  readonly converse: ConverseRequest
  /** One of the configured models, where the caller chose; else each target uses its own. */
  readonly modelId?: string
  /** False: an attempt that was sent is never hedged, redelivered or fallen back. */
  readonly repeatable: boolean
  readonly tenant: string | null
  readonly userId?: string
  readonly metadata: Readonly<Record<string, string>>
  /** The arrival of the request: monotonic. Requirement and hard timeout run from here. */
  readonly arrivedAtMs: number
  /** The arrival of the request: wall clock. */
  readonly createdAtMs: number
  readonly latencyRequirementMs: number
  readonly hardTimeoutMs: number
  /** For streams, after first content: the longest silence between events, and the longest stream. */
  readonly streamSilenceMs: number
  readonly streamMaxMs: number
  readonly correlationId: string
  readonly traceparent?: string
  readonly idempotencyKey?: string
  readonly callbackUrl?: string
}

/** What an operation asks of a route, besides text in and text out. A route that does not carry it is no candidate. */
export function needsMoreThanText(request: ConverseRequest): boolean {
  if (request.toolConfig !== undefined || request.guardrailConfig !== undefined || request.outputConfig !== undefined) return true
  return request.messages.some((message) =>
    message.content.some((block) => Object.keys(block).some((member) => member !== 'text' && member !== 'cachePoint')),
  )
}
