/**
 * One attempt on one target: sends the signed request, reads the answer, whole or as a stream, and ends exactly once with
 * an answer, a fault or a cancellation. It holds the attempt's limits and its connection; what an error means is decided
 * in `fault-classifier.ts`, what the events add up to in `answer-assembly.ts`.
 *
 * Rules: nothing is called after the end, and the end never comes from within `start` or `cancel` but in a microtask after
 * it, so that the caller is never re-entered. A stream has ended well only when `messageStop` came; `metadata`, which
 * carries the usage, comes after it and is waited for, but its absence costs only the exact usage. After a good end the
 * connection is kept, after any other it is closed at once.
 */
import type { Dispatcher } from 'undici'
import { isContent } from '../../operation/converse.ts'
import type { TokenUsage } from '../../operation/converse.ts'
import type { Fault } from '../../operation/fault.ts'
import type { AttemptEnd, AttemptListener, AttemptRequest, AttemptSpend, RunningAttempt } from '../../operation/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Placed } from '../../runtime/dense-set.ts'
import { AnswerAssembly, readAnswer } from '../answer-assembly.ts'
import { toConverseEvent } from '../converse-event.ts'
import {
  classifyConnectionError,
  classifyUpstreamError,
  connectionsUsedUp,
  limitFault,
  noCredentials,
  protocolFault,
  readErrorBody,
} from '../fault-classifier.ts'
import type { ProtocolProblem } from '../fault-classifier.ts'
import { directBounds } from '../settings.ts'
import type { DirectLimits } from '../settings.ts'
import { estimateUsage, inputCharacters } from '../token-estimate.ts'
import { connectionErrorCode } from './connections.ts'
import type { Connection, Connections } from './connections.ts'
import { EventStreamDecoder } from './event-stream-decoder.ts'
import type { FrameHeaders, FrameProblem } from './event-stream-decoder.ts'
import { LimitTimer } from './limit-timer.ts'
import { retryAfterMs } from './retry-after.ts'

export interface AttemptPlan {
  readonly modelId: string
  readonly path: string
  readonly body: Buffer
  readonly connections: Connections
  readonly limits: DirectLimits
  /** The headers with the authorization; a promise only when there are no credentials at hand. */
  readonly authorize: () => string[] | Promise<string[]>
  /** Told of every fault, so that refused credentials are renewed. */
  readonly onFault: (fault: Fault) => void
}

export class ConverseAttempt implements Dispatcher.DispatchHandler, RunningAttempt, Placed {
  place = -1
  private readonly clock: Clock
  private readonly request: AttemptRequest
  private readonly listener: AttemptListener
  private readonly plan: AttemptPlan
  private readonly limits: LimitTimer
  private readonly silenceMs: number
  private connection: Connection | null = null
  private sent = false
  private starting = false
  private ended = false
  private status = 0
  private errorType: string | undefined
  private retryAfterMs: number | undefined
  /** Of a whole answer or an error: the pieces of its body. */
  private pieces: Buffer[] = []
  private receivedBytes = 0
  private decoder: EventStreamDecoder | null = null
  private readonly assembly = new AnswerAssembly()
  private contentSeen = false

  constructor(clock: Clock, request: AttemptRequest, listener: AttemptListener, plan: AttemptPlan) {
    this.clock = clock
    this.request = request
    this.listener = listener
    this.plan = plan
    this.limits = new LimitTimer(clock, (limit) => this.fail(limitFault(limit)))
    this.silenceMs = request.streaming ? Math.min(plan.limits.silenceMs, request.operation.streamSilenceMs) : plan.limits.silenceMs
  }

  start(): void {
    this.starting = true
    try {
      const headers = this.plan.authorize()
      if (Array.isArray(headers)) this.send(headers)
      else {
        this.limits.deadline(this.request.deadlineMs)
        headers.then(
          (ready) => this.send(ready),
          () => this.fail(noCredentials),
        )
      }
    } catch {
      this.fail(noCredentials)
    }
    this.starting = false
  }

  cancel(): void {
    this.finish({ outcome: 'cancelled', spend: this.spent() }, false)
  }

  private send(headers: string[]): void {
    if (this.ended) return
    const connection = this.plan.connections.take(this.plan.limits.connectionsPerTarget)
    if (connection === null) {
      this.fail(connectionsUsedUp)
      return
    }
    this.connection = connection
    this.limits.begin('connect', this.clock.monotonicMs() + this.plan.limits.connectMs, this.request.deadlineMs)
    connection.dispatch({ method: 'POST', path: this.plan.path, headers, body: this.plan.body }, this)
  }

  onRequestStart(): void {
    if (this.ended || this.sent) return
    this.sent = true
    this.limits.enter('first_byte', this.request.streaming ? this.clock.monotonicMs() + this.plan.limits.firstByteMs : Number.POSITIVE_INFINITY)
    this.listener.onSent()
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    // 1xx is no answer yet.
    if (this.ended || status < 200) return
    this.status = status
    this.errorType = single(headers['x-amzn-errortype'])
    if (status !== 200) {
      this.retryAfterMs = retryAfterMs(single(headers['retry-after']), single(headers['x-amz-retry-after']), this.clock.nowMs())
      this.limits.enter('silence', this.clock.monotonicMs() + this.silenceMs)
      return
    }
    const type = (single(headers['content-type']) ?? '').split(';', 1)[0]?.trim().toLowerCase()
    if (type !== (this.request.streaming ? 'application/vnd.amazon.eventstream' : 'application/json')) {
      this.failProtocol('content_type')
      return
    }
    if (this.request.streaming) this.decoder = new EventStreamDecoder(this.plan.limits.maxFrameBytes, this.onFrame)
    // Until the first event of a stream, its first-byte limit runs on: headers alone are no answer.
    else this.limits.enter('silence', this.clock.monotonicMs() + this.silenceMs)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.ended) return
    this.receivedBytes += chunk.length
    if (this.decoder !== null) {
      if (this.receivedBytes > this.plan.limits.maxResponseBytes) {
        this.failProtocol('too_large')
        return
      }
      const problem: FrameProblem | null = this.decoder.push(chunk)
      if (problem !== null && !this.ended) this.failProtocol(problem)
      return
    }
    if (this.status !== 200 && this.receivedBytes > directBounds.errorBodyBytes) {
      this.failStatus()
      return
    }
    if (this.receivedBytes > this.plan.limits.maxResponseBytes) {
      this.failProtocol('too_large')
      return
    }
    // undici's chunks are views on the socket's buffers, which it does not use again.
    this.pieces.push(chunk)
    this.limits.enter('silence', this.clock.monotonicMs() + this.silenceMs)
  }

  onResponseEnd(): void {
    if (this.ended) return
    if (this.status !== 200) this.failStatus()
    else if (this.decoder === null) this.endWhole()
    else if (this.decoder.pendingBytes > 0) this.failProtocol('truncated')
    else if (this.assembly.stopped) this.endStream()
    else this.failProtocol('no_end')
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (this.ended) return
    // The answer was complete; only the connection's own end went wrong, so nothing of it is lost.
    if (this.assembly.stopped && this.decoder?.pendingBytes === 0) this.endStream(false)
    else this.fail(classifyConnectionError(connectionErrorCode(error), this.sent))
  }

  private readonly onFrame = (headers: FrameHeaders, payload: Buffer): boolean => {
    if (headers.messageType !== 'event') {
      this.failFrame(headers, payload)
      return false
    }
    let parsed: unknown
    try {
      parsed = JSON.parse(payload.toString('utf8'))
    } catch {
      this.failProtocol('frame_payload')
      return false
    }
    const event = toConverseEvent(headers.name, parsed)
    this.limits.enter('silence', this.clock.monotonicMs() + this.silenceMs)
    if (event === 'unknown') return true
    if (event === 'malformed') {
      this.failProtocol('frame_payload')
      return false
    }
    if (this.assembly.add(event) !== null) {
      this.failProtocol('order')
      return false
    }
    if (!this.contentSeen && isContent(event)) {
      this.contentSeen = true
      // From first content on a stream has a longest duration instead of the operation's deadline.
      if (this.request.operation.mode === 'stream') this.limits.deadline(this.clock.monotonicMs() + this.request.operation.streamMaxMs)
    }
    this.listener.onEvent(event)
    return !this.ended
  }

  private endWhole(): void {
    let body: unknown
    try {
      body = JSON.parse(this.takeBody())
    } catch {
      this.failProtocol('not_json')
      return
    }
    const read = readAnswer(body, (outputCharacters) => this.estimate(outputCharacters))
    if (read === null) {
      this.failProtocol('no_message')
      return
    }
    this.finish({ outcome: 'succeeded', answer: read.answer, spend: { modelId: this.plan.modelId, usage: read.answer.usage, estimated: read.estimated } }, true)
  }

  private endStream(reusable: boolean = true): void {
    const spend = this.spent()
    const answer = this.assembly.answer(spend.usage)
    if (typeof answer === 'string') this.failProtocol('tool_input')
    else this.finish({ outcome: 'succeeded', answer, spend }, reusable)
  }

  /** An error of HTTP. Its body was read to the end, or is too long to be one of Bedrock's. */
  private failStatus(): void {
    const { code, text } = readErrorBody(this.errorType, this.takeBody())
    const complete = this.receivedBytes <= directBounds.errorBodyBytes
    this.fail(classifyUpstreamError({ status: this.status, code, text, retryAfterMs: this.retryAfterMs }), complete)
  }

  /** An exception or error frame in a stream that began well. */
  private failFrame(headers: FrameHeaders, payload: Buffer): void {
    const { text } = readErrorBody(undefined, payload.toString('utf8', 0, directBounds.errorBodyBytes))
    this.fail(classifyUpstreamError({ status: null, code: headers.name, text }))
  }

  private failProtocol(problem: ProtocolProblem): void {
    this.fail(protocolFault(problem, this.status))
  }

  private fail(fault: Fault, reusable: boolean = false): void {
    if (this.ended) return
    this.plan.onFault(fault)
    this.finish({ outcome: 'failed', fault, spend: this.spent() }, reusable)
  }

  /** What it has cost as far as is known: reported, or estimated from what was sent and what has come. */
  spent(): AttemptSpend {
    const reported: TokenUsage | null = this.assembly.reportedUsage()
    if (reported !== null) return { modelId: this.plan.modelId, usage: reported, estimated: false }
    // An attempt that was never sent, or that Bedrock refused, costs nothing.
    const costs = this.sent && (this.status === 0 || this.status === 200)
    const usage = costs ? this.estimate(this.assembly.outputCharacters) : estimateUsage(0, 0)
    return { modelId: this.plan.modelId, usage, estimated: costs }
  }

  private estimate(outputCharacters: number): TokenUsage {
    return estimateUsage(inputCharacters(this.request.operation.converse), outputCharacters)
  }

  private finish(end: AttemptEnd, reusable: boolean): void {
    if (this.ended) return
    this.ended = true
    this.limits.stop()
    this.pieces = []
    const connection = this.connection
    this.connection = null
    if (connection !== null) {
      if (reusable) this.plan.connections.giveBack(connection)
      else this.plan.connections.drop(connection)
    }
    if (end.outcome === 'cancelled' || this.starting) queueMicrotask(() => this.listener.onEnd(end))
    else this.listener.onEnd(end)
  }

  private takeBody(): string {
    const [first] = this.pieces
    if (first === undefined) return ''
    return this.pieces.length === 1 ? first.toString('utf8') : Buffer.concat(this.pieces).toString('utf8')
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
