/**
 * The port between the Hybrid Router and the two paths, direct and MCP. It lives here, in the shared vocabulary, so that
 * neither path knows the router. A path carries out one attempt; which attempts there are is decided in `routing/`.
 *
 * An attempt speaks through callbacks, not promises: a streamed answer is thousands of events, and the router must hear the
 * first content in the turn in which it arrived. `onEnd` is called exactly once for every started attempt, also after
 * `cancel`, and nothing is called after it.
 */
import type { Answer, ConverseStreamEvent } from './converse.ts'
import type { Fault } from './fault.ts'
import type { Route } from './matrix.ts'
import type { Operation } from './operation.ts'
import type { TokenUsage } from './converse.ts'

export interface AttemptRequest {
  readonly operation: Operation
  /** From 1. */
  readonly number: number
  /** The id of a Bedrock target, or the name of an MCP server. */
  readonly target: string
  /** Whether events are wanted as they come; else only the end. */
  readonly streaming: boolean
  /** The monotonic instant by which a whole answer, or for a stream its first content, must be there. */
  readonly deadlineMs: number
}

export interface AttemptListener {
  /** The request is on its way: from here on an operation that must not be repeated may have been carried out. */
  onSent(): void
  /** Streaming attempts only. In the order of the upstream. */
  onEvent(event: ConverseStreamEvent): void
  onEnd(end: AttemptEnd): void
}

export interface AttemptSpend {
  /** The model that was asked, for the price; null where a server does not say. */
  readonly modelId: string | null
  /** What the upstream reported, or what the lengths of the texts suggest. */
  readonly usage: TokenUsage
  readonly estimated: boolean
}

export type AttemptEnd = (
  | { readonly outcome: 'succeeded'; readonly answer: Answer; readonly spend: AttemptSpend }
  | { readonly outcome: 'failed'; readonly fault: Fault; readonly spend: AttemptSpend }
  | { readonly outcome: 'cancelled'; readonly spend: AttemptSpend }
) & {
  /** How long it waited in a queue before it was begun; a path without one leaves it out. */
  readonly queuedMs?: number
}

export interface RunningAttempt {
  /** Stops it at once, upstream included; `onEnd` follows with `cancelled`. Nothing happens when it has already ended. */
  cancel(): void
  /** What it has used so far, for a path whose end comes after `cancel` and not within it: the caller may have no time to wait for that. */
  spent?(): AttemptSpend
}

export interface Path {
  readonly route: Route
  start(request: AttemptRequest, listener: AttemptListener): RunningAttempt
}
