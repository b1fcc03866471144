/**
 * One `tools/call` on a ready connection, with its limits: the deadline, the silence between signs of life, and for streams
 * the longest stream after first content. Progress extends the silence limit and nothing else. Cancelling reaches the
 * server: as a notification on stdio and on the older wire, as the end of the response's stream on the newer one; and the
 * call's socket is closed in both, because an older HTTP server without sessions never gets to see the notification.
 *
 * It knows no operation, no queue and no health; `onEnd` comes exactly once.
 */
import type { Tool } from '@modelcontextprotocol/client'
import type { JsonObject } from '../../operation/converse.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import type { McpFailure } from '../fault-classifier.ts'
import { mcpLimits } from '../limits.ts'
import type { Connection } from './connection.ts'
import type { CallWire, HttpConnections } from './http-transport.ts'
import { failureOf } from './sdk-errors.ts'

export interface ToolCallRequest {
  readonly tool: Tool
  readonly arguments: JsonObject
  readonly meta: JsonObject
  /** Monotonic: the whole answer, or for a stream its first content. */
  readonly deadlineMs: number
  /** The longest silence before first content. */
  readonly silenceMs: number
  /** The limits of a stream after first content; null where only the end counts. */
  readonly stream: { readonly silenceMs: number; readonly maxMs: number } | null
}

export interface CallProgress {
  readonly message?: unknown
  readonly _meta?: unknown
}

export type CallEnd = { readonly kind: 'result'; readonly result: unknown } | { readonly kind: 'failed'; readonly failure: McpFailure } | { readonly kind: 'cancelled' }

export interface ToolCallListener {
  onSent(): void
  /** True when it held first content or more of it: from then on the stream's limits hold. */
  onProgress(progress: CallProgress): boolean
  onEnd(end: CallEnd): void
}

export interface RunningCall {
  cancel(): void
}

/** Node's timers, and so the SDK's, hold no more. */
const longestTimeoutMs = 2_147_483_647

export function startToolCall(connection: Connection, http: HttpConnections, clock: Clock, request: ToolCallRequest, listener: ToolCallListener): RunningCall {
  const controller = new AbortController()
  let ended = false
  let sent = false
  let noted: McpFailure | null = null
  let hasContent = false
  let lastSignMs = clock.monotonicMs()
  let cancelDeadline: CancelSchedule = () => undefined
  let cancelSilence: CancelSchedule = () => undefined
  let cancelGrace: CancelSchedule = () => undefined

  const finish = (end: CallEnd): void => {
    if (ended) return
    ended = true
    cancelDeadline()
    cancelSilence()
    cancelGrace()
    if (end.kind !== 'result') {
      controller.abort('the caller no longer waits')
      wire.abort?.()
    }
    listener.onEnd(end)
  }
  const fail = (failure: McpFailure): void => finish({ kind: 'failed', failure })

  const onSent = (): void => {
    if (sent || ended) return
    sent = true
    listener.onSent()
  }

  const wire: CallWire = {
    onSent,
    note: (failure) => {
      noted ??= failure
    },
    fail,
    onResponseEnd: (failure) => {
      if (!ended) cancelGrace = clock.schedule(clock.monotonicMs() + mcpLimits.answerGraceMs, () => fail(failure))
    },
    abort: null,
  }

  const watchSilence = (): void => {
    const limitMs = hasContent ? (request.stream?.silenceMs ?? request.silenceMs) : request.silenceMs
    cancelSilence = clock.schedule(lastSignMs + limitMs, () => {
      if (clock.monotonicMs() >= lastSignMs + limitMs) fail({ type: 'silence' })
      else watchSilence()
    })
  }

  const onProgress = (progress: CallProgress): void => {
    if (ended) return
    lastSignMs = clock.monotonicMs()
    if (!listener.onProgress(progress) || hasContent || request.stream === null) return
    hasContent = true
    cancelDeadline()
    cancelDeadline = clock.schedule(lastSignMs + request.stream.maxMs, () => fail({ type: 'stream_too_long' }))
    cancelSilence()
    watchSilence()
  }

  cancelDeadline = clock.schedule(request.deadlineMs, () => fail({ type: 'deadline' }))
  watchSilence()

  const leftMs = Math.max(1, request.deadlineMs - clock.monotonicMs()) + (request.stream?.maxMs ?? 0)
  if (connection.stdio !== null) onSent()
  http
    .within(wire, () =>
      connection.client.callTool(
        { name: request.tool.name, arguments: { ...request.arguments }, _meta: { ...request.meta } },
        {
          signal: controller.signal,
          timeout: Math.min(longestTimeoutMs, Math.ceil(leftMs) + mcpLimits.sdkTimeoutSlackMs),
          onprogress: (progress) => onProgress(progress),
          // The input schema mirrors headers; the output schema is the server's own claim and is not checked against it.
          toolDefinition: { name: request.tool.name, inputSchema: request.tool.inputSchema },
        },
      ),
    )
    .then(
      (result: unknown) => finish({ kind: 'result', result }),
      (error: unknown) => {
        const failure = noted ?? failureOf(error)
        fail(failure.type === 'connection_lost' && connection.stdio?.oversized() === true ? { type: 'oversized' } : failure)
      },
    )

  return { cancel: () => finish({ kind: 'cancelled' }) }
}
