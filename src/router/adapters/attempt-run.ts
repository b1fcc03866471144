/**
 * One attempt on its path: what the path calls, passed on to the operation that started it and to the live view.
 *
 * It guards the operation against a path that breaks the port's promises: nothing counts after the end or after `cancel`,
 * a second end is none, and a path that throws is a failed attempt. What comes before first content is held back, because
 * nothing may reach the caller before it.
 */
import type { Answer, ConverseStreamEvent } from '../../operation/converse.ts'
import { isContent } from '../../operation/converse.ts'
import type { Fault } from '../../operation/fault.ts'
import type { Route } from '../../operation/matrix.ts'
import type { Operation } from '../../operation/operation.ts'
import type { AttemptEnd, AttemptListener, AttemptSpend, Path, RunningAttempt } from '../../operation/path.ts'
import type { MachineEvent } from '../../routing/attempt-machine.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { LiveView } from '../live-view.ts'

export interface AttemptOwner {
  readonly operation: Operation
  feed(event: MachineEvent): void
  /** An event of the attempt that speaks. */
  deliver(event: ConverseStreamEvent): void
  firstContent(number: number, afterMs: number): void
}

export interface AttemptMeans {
  readonly paths: { readonly direct?: Path; readonly mcp?: Path }
  readonly clock: Clock
  readonly view: LiveView
  readonly onInternalError: (error: unknown) => void
}

/** Framing events before first content that an attempt may send; Bedrock sends one or two. */
const framingEvents = 256

/** One attempt on its path: the listener that the path speaks to. */
export class AttemptRun implements AttemptListener {
  readonly #means: AttemptMeans
  readonly #owner: AttemptOwner
  readonly number: number
  readonly #route: Route
  readonly #target: string
  readonly #startedAtMs: number
  /** Framing that came before the attempt was allowed to speak; null once it speaks. */
  #held: ConverseStreamEvent[] | null = []
  #handle: RunningAttempt | null = null
  #closed = false
  #ended = false
  #sent = false
  #firstContentAtMs: number | null = null
  lastEventAtMs = 0
  announced = false
  spend: AttemptSpend | null = null
  answer: Answer | null = null
  /** Told at the end, by a path that queues. */
  queuedMs = 0

  constructor(means: AttemptMeans, owner: AttemptOwner, number: number, route: Route, target: string) {
    this.#means = means
    this.#owner = owner
    this.number = number
    this.#route = route
    this.#target = target
    this.#startedAtMs = means.clock.monotonicMs()
  }

  start(deadlineMs: number): void {
    const { paths, onInternalError } = this.#means
    const { operation } = this.#owner
    const path = paths[this.#route]
    if (path === undefined) {
      this.#fail({ kind: 'not_found', retryable: false, message: `The route ${this.#route} has no path`, rejected: true })
      return
    }
    try {
      const streaming = operation.mode === 'stream'
      this.#handle = path.start({ operation, number: this.number, target: this.#target, streaming, deadlineMs }, this)
      // It was given up while it started.
      if (this.#closed && !this.#ended) this.#handle.cancel()
    } catch (error) {
      onInternalError(error)
      this.#fail({ kind: 'protocol', retryable: false, message: 'The path failed to start the attempt' })
    }
  }

  /** The machine is done with it; its end may still tell what it used. */
  cancel(overdue: boolean): void {
    if (this.#closed) return
    this.#closed = true
    const { clock, view, onInternalError } = this.#means
    view.onCancelled(this.#route, this.#target, overdue, clock.monotonicMs())
    try {
      this.#handle?.cancel()
    } catch (error) {
      onInternalError(error)
    }
  }

  /** What was held goes out, and everything from now on at once. */
  speak(): void {
    const held = this.#held
    this.#held = null
    if (held !== null) for (const event of held) this.#owner.deliver(event)
  }

  onSent(): void {
    if (this.#sent || this.#closed) return
    this.#sent = true
    this.#owner.feed({ type: 'attempt_sent', number: this.number })
  }

  onEvent(event: ConverseStreamEvent): void {
    if (this.#closed || this.#owner.operation.mode !== 'stream') return
    this.lastEventAtMs = this.#means.clock.monotonicMs()
    if (this.#held === null) {
      this.#owner.deliver(event)
      return
    }
    this.#held.push(event)
    if (this.#firstContentAtMs !== null) return
    if (isContent(event)) {
      this.#firstContentAtMs = this.lastEventAtMs
      this.#owner.firstContent(this.number, this.lastEventAtMs - this.#startedAtMs)
    } else if (this.#held.length > framingEvents) {
      this.#fail({ kind: 'protocol', retryable: false, message: 'Too many events before the first content' })
      this.#handle?.cancel()
    }
  }

  onEnd(end: AttemptEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.spend = end.spend
    this.queuedMs = end.queuedMs ?? 0
    if (this.#closed) return
    switch (end.outcome) {
      case 'succeeded': {
        this.#closed = true
        this.answer = end.answer
        const nowMs = this.#means.clock.monotonicMs()
        this.#means.view.onAnswered(this.#route, this.#target, (this.#firstContentAtMs ?? nowMs) - this.#startedAtMs, nowMs)
        this.#owner.feed({ type: 'attempt_succeeded', number: this.number })
        return
      }
      case 'failed':
        this.#fail(end.fault)
        return
      case 'cancelled':
        this.#closed = true
        this.#means.view.onCancelled(this.#route, this.#target, false, this.#means.clock.monotonicMs())
        this.#owner.feed({ type: 'attempt_cancelled', number: this.number })
    }
  }

  #fail(fault: Fault): void {
    if (this.#closed) return
    this.#closed = true
    this.#means.view.onFailed(this.#route, this.#target, fault, this.#means.clock.monotonicMs())
    this.#owner.feed({ type: 'attempt_failed', number: this.number, fault })
  }
}
