/**
 * One attempt on its path: what the path calls, passed on to the operation that started it, to the live view, and to
 * hindsight as evidence of what its route could do then.
 *
 * It guards the operation against a path that breaks the port's promises: nothing counts after the end or after `cancel`,
 * a second end is none, and a path that throws is a failed attempt. What comes before first content is held back, because
 * nothing may reach the caller before it.
 */
import type { Answer, ConverseStreamEvent } from '../../operation/converse.ts'
import { isContent } from '../../operation/converse.ts'
import { failsEverywhere, type Fault } from '../../operation/fault.ts'
import type { Route } from '../../operation/matrix.ts'
import type { Operation } from '../../operation/operation.ts'
import type { AttemptEnd, AttemptListener, AttemptSpend, RunningAttempt } from '../../operation/path.ts'
import type { MachineEvent } from '../../routing/machine-protocol.ts'
import type { RouteEvidence } from '../../routing/hindsight.ts'
import type { AttemptSubject } from '../../routing/target-states.ts'
import type { RouterState } from './router-state.ts'

export interface AttemptOwner {
  readonly operation: Operation
  feed(event: MachineEvent): void
  /** An event of the attempt that speaks. */
  deliver(event: ConverseStreamEvent): void
  firstContent(number: number, afterMs: number): void
}

/** Framing events before first content that an attempt may send; Bedrock sends one or two. */
const framingEvents = 256

/** One attempt on its path: the listener that the path speaks to. */
export class AttemptRun implements AttemptListener {
  readonly #shared: RouterState
  readonly #owner: AttemptOwner
  readonly number: number
  readonly #route: Route
  readonly #target: string
  readonly #startedAtMs: number
  /** In flight on its target when it was sent, itself included. */
  readonly #among: number
  readonly #subject: AttemptSubject
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

  constructor(shared: RouterState, owner: AttemptOwner, number: number, route: Route, target: string, among: number) {
    this.#shared = shared
    this.#owner = owner
    this.number = number
    this.#route = route
    this.#target = target
    this.#startedAtMs = shared.nowMs()
    this.#among = among
    this.#subject = { route, target, type: owner.operation.type, basis: owner.operation.mode === 'stream' ? 'first_content' : 'completion' }
  }

  start(deadlineMs: number): void {
    const { parts } = this.#shared
    const { operation } = this.#owner
    const path = parts.paths[this.#route]
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
      parts.onInternalError(error)
      this.#fail({ kind: 'protocol', retryable: false, message: 'The path failed to start the attempt' })
    }
  }

  /** The machine is done with it; its end may still tell what it used. */
  cancel(overdue: boolean): void {
    if (this.#closed) return
    this.#closed = true
    this.#tellCancelled(overdue)
    try {
      this.#handle?.cancel()
      // The operation may end in this turn, before the path's own end of it: its cost counts all the same.
      if (!this.#ended) this.spend = this.#handle?.spent?.() ?? null
    } catch (error) {
      this.#shared.parts.onInternalError(error)
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
    this.lastEventAtMs = this.#shared.nowMs()
    if (this.#held === null) {
      this.#owner.deliver(event)
      return
    }
    this.#held.push(event)
    if (this.#firstContentAtMs !== null) return
    if (isContent(event)) {
      this.#firstContentAtMs = this.lastEventAtMs
      this.#shared.states.onFirstContent(this.#subject, this.lastEventAtMs - this.#startedAtMs, this.lastEventAtMs)
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
        this.#tellAnswered(end.spend)
        this.#owner.feed({ type: 'attempt_succeeded', number: this.number })
        return
      }
      case 'failed':
        this.#fail(end.fault)
        return
      case 'cancelled':
        this.#closed = true
        this.#tellCancelled(false)
        this.#owner.feed({ type: 'attempt_cancelled', number: this.number })
    }
  }

  #fail(fault: Fault): void {
    if (this.#closed) return
    this.#closed = true
    const nowMs = this.#shared.nowMs()
    this.#shared.states.onFailed(this.#subject, fault, nowMs - this.#startedAtMs, this.#among, nowMs)
    // What we refused ourselves, or what was wrong with the request, is no evidence about the route.
    if (fault.rejected !== true && !failsEverywhere(fault)) this.#tellHindsight('failed', nowMs - this.#startedAtMs, 0)
    this.#shared.freed(this.#route)
    this.#owner.feed({ type: 'attempt_failed', number: this.number, fault })
  }

  #tellAnswered(spend: AttemptSpend): void {
    const { states } = this.#shared
    const nowMs = this.#shared.nowMs()
    const tookMs = nowMs - this.#startedAtMs
    const firstContentMs = this.#firstContentAtMs === null ? null : this.#firstContentAtMs - this.#startedAtMs
    const { outputTokens } = spend.usage
    states.onAnswered(this.#subject, { tookMs, firstContentMs, outputTokens }, nowMs)
    this.#tellHindsight('answered', this.#subject.basis === 'first_content' ? (firstContentMs ?? tookMs) : tookMs, outputTokens)
    this.#shared.freed(this.#route)
  }

  #tellCancelled(overdue: boolean): void {
    const nowMs = this.#shared.nowMs()
    const waitedMs = nowMs - this.#startedAtMs
    this.#shared.states.onCancelled(this.#subject, overdue, waitedMs, nowMs)
    // A stream that was given up after its first content had given what it is judged by.
    if (this.#firstContentAtMs !== null) this.#tellHindsight('answered', this.#firstContentAtMs - this.#startedAtMs, 0)
    else this.#tellHindsight('given_up', waitedMs, 0)
    this.#shared.freed(this.#route)
  }

  #tellHindsight(outcome: RouteEvidence['outcome'], tookMs: number, size: number): void {
    const { route, basis } = this.#subject
    this.#shared.ledger.onAttempt({ startedAtMs: this.#startedAtMs, route, basis, size, outcome, tookMs })
  }
}
