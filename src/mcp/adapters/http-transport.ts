/**
 * Streamable HTTP through the SDK's transport, with a `fetch` of our own underneath. The transport hides what a router must
 * know, and this `fetch` is where it shows: when the request went onto the wire, that the answer ended without an answer in
 * it, its size, `Retry-After`, and why a connection did not come about. It gives each call an AbortController of its own, so
 * that no listeners pile up on the transport's one signal.
 *
 * Which call a request belongs to is known by the asynchronous context in which the SDK was called.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Agent, Dispatcher, fetch as undiciFetch } from 'undici'
import type { Clock } from '../../runtime/clock.ts'
import type { McpFailure } from '../fault-classifier.ts'
import { mcpLimits } from '../limits.ts'
import type { HttpServerSettings } from '../settings.ts'
import { connectionFailure } from './sdk-errors.ts'

/** What the wire tells about one call. */
export interface CallWire {
  /** The request is on a connection: from here on it may have been carried out. */
  onSent(): void
  /** Says better than the SDK's error, which follows, what went wrong. */
  note(failure: McpFailure): void
  /** Ends the call: the SDK would only wait for its timeout. */
  fail(failure: McpFailure): void
  /** The response is complete. When its last message was not the answer, that is the failure. */
  onResponseEnd(failure: McpFailure): void
  /** Closes the call's socket, whatever the SDK waits for. */
  abort: (() => void) | null
}

export interface HttpConnections {
  createTransport(settings: HttpServerSettings, token: (() => Promise<string | undefined>) | null): StreamableHTTPClientTransport
  /** Runs the SDK's call so that its request is known to be this call's. */
  within<Result>(wire: CallWire, run: () => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

export function createHttpConnections(clock: Clock, connectTimeoutMs: number): HttpConnections {
  // The SDK's and our own timers bound a call; undici's are coarse and would cut a model that thinks.
  const agent = new Agent({ connect: { timeout: connectTimeoutMs }, headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 30_000 })
  const context = new AsyncLocalStorage<CallWire>()

  const observedFetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const store = context.getStore()
    // A cancellation is posted in the same context: only the first request is the call.
    const wire = store !== undefined && store.abort === null && init?.method === 'POST' ? store : null
    const controller = new AbortController()
    const outer = init?.signal ?? null
    const onOuterAbort = (): void => controller.abort(outer?.reason)
    if (outer?.aborted === true) controller.abort(outer.reason)
    else outer?.addEventListener('abort', onOuterAbort, { once: true })
    const release = (): void => outer?.removeEventListener('abort', onOuterAbort)
    if (wire !== null) wire.abort = () => controller.abort()

    let response: Awaited<ReturnType<typeof undiciFetch>>
    try {
      response = await undiciFetch(url, {
        ...(init as Parameters<typeof undiciFetch>[1]),
        signal: controller.signal,
        dispatcher: wire === null ? agent : new SentDispatcher(agent, () => wire.onSent()),
      })
    } catch (error) {
      release()
      if (wire !== null && !controller.signal.aborted) wire.note(connectionFailure(error))
      throw error
    }
    if (wire !== null && !response.ok) {
      const retryAfterMs = retryAfterOf(response.headers.get('retry-after'), clock.nowMs())
      if (retryAfterMs !== undefined) wire.note({ type: 'http_status', status: response.status, retryAfterMs })
    }
    const headers = new Headers([...response.headers])
    if (response.body === null) {
      release()
      return new Response(null, { status: response.status, statusText: response.statusText, headers })
    }
    const isEventStream = (headers.get('content-type') ?? '').startsWith('text/event-stream')
    const body = boundedBody(response.body as ReadableStream<Uint8Array>, isEventStream, {
      onOversized() {
        wire?.fail({ type: 'oversized' })
        controller.abort()
      },
      onBroken() {
        release()
        if (!controller.signal.aborted) wire?.fail({ type: 'connection_lost' })
      },
      onEnd(resumable) {
        release()
        // A server that numbers its events may close and let the client resume; the SDK does that by itself.
        if (response.ok && !resumable) wire?.onResponseEnd({ type: isEventStream ? 'connection_lost' : 'malformed' })
      },
    })
    return new Response(body, { status: response.status, statusText: response.statusText, headers })
  }

  return {
    createTransport(settings, token) {
      return new StreamableHTTPClientTransport(new URL(settings.url), {
        fetch: observedFetch,
        requestInit: { headers: { ...settings.headers } },
        ...(token === null ? {} : { authProvider: { token } }),
      })
    },
    within: (wire, run) => context.run(wire, run),
    close: () => agent.destroy(),
  }
}

interface BodyObserver {
  onOversized(): void
  onBroken(): void
  onEnd(resumable: boolean): void
}

/** An event id at the start of a line makes a stream resumable (HTML standard, "Server-sent events"). */
const eventId = /(?:^|\n)id:/

/** One message is bounded: the whole body, or each event of a stream, which may be long as such. */
function boundedBody(body: ReadableStream<Uint8Array>, isEventStream: boolean, observer: BodyObserver): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  const decoder = new TextDecoder('latin1')
  let isFirst = true
  let messageBytes = 0
  let resumable = false
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      let chunk: Awaited<ReturnType<typeof reader.read>>
      try {
        chunk = await reader.read()
      } catch (error) {
        observer.onBroken()
        controller.error(error)
        return
      }
      if (chunk.done) {
        observer.onEnd(resumable)
        controller.close()
        return
      }
      // The event that makes a stream resumable is the first one (MCP 2025-11-25, transports).
      if (isFirst && chunk.value.length < 4_096) resumable = eventId.test(decoder.decode(chunk.value))
      isFirst = false
      const boundary = isEventStream ? lastEmptyLine(chunk.value) : -1
      messageBytes = boundary === -1 ? messageBytes + chunk.value.length : chunk.value.length - boundary
      if (messageBytes > mcpLimits.resultBytes) {
        observer.onOversized()
        controller.error(new Error('the response is larger than a result may be'))
        return
      }
      controller.enqueue(chunk.value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** Where the last event of the chunk ended: after an empty line; -1 when none did. */
function lastEmptyLine(chunk: Uint8Array): number {
  for (let index = chunk.length - 1; index > 0; index -= 1) {
    if (chunk[index] !== 10) continue
    if (chunk[index - 1] === 10 || (chunk[index - 1] === 13 && chunk[index - 2] === 10)) return index + 1
  }
  return -1
}

/** Tells when a request is written to a connection; all else goes through. */
class SentDispatcher extends Dispatcher {
  readonly #agent: Agent
  readonly #onSent: () => void

  constructor(agent: Agent, onSent: () => void) {
    super()
    this.#agent = agent
    this.#onSent = onSent
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const onSent = this.#onSent
    const observed = Object.create(handler) as Dispatcher.DispatchHandler
    observed.onRequestStart = (controller, context) => {
      onSent()
      handler.onRequestStart?.(controller, context)
    }
    return this.#agent.dispatch(options, observed)
  }
}

/** `Retry-After` in seconds or as an HTTP date (RFC 9110, section 10.2.3); undefined for anything else. */
function retryAfterOf(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1_000
  const instant = Date.parse(header)
  return Number.isNaN(instant) ? undefined : Math.max(0, instant - nowMs)
}
