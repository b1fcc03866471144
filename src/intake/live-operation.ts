/**
 * An operation that runs in this process: it hears the runner, keeps the log, and knows who waits. Its end has two steps,
 * because a keyed operation must be on record before anybody is told (a caller that repeats at once must find it): the
 * runner ends it, then it is settled, and only then do waiters and followers hear of it.
 */
import type { ConverseStreamEvent } from '../operation/converse.ts'
import type { RoutingDecision } from '../operation/decision.ts'
import type { Operation } from '../operation/operation.ts'
import type { OperationResult } from '../operation/result.ts'
import type { AttemptNotice, CancelReason, OperationObserver, RunningOperation } from '../operation/runner.ts'
import { ContinuedFollower, type Continuation } from './continued-follower.ts'
import { EventLog, type EventLogLimits, type Follower } from './event-log.ts'
import { pieceOf } from './operation-event.ts'
import type { OperationRecord, ToldEvent } from './operation-record.ts'
import type { Ticket } from './ticket.ts'

export class LiveOperation implements OperationObserver, Ticket {
  readonly operation: Operation
  readonly #log: EventLog
  /** Made when asked for: an operation that has begun is hardly ever asked. */
  readonly #queued: () => OperationResult
  readonly #onEnd: (live: LiveOperation, result: OperationResult) => void
  #running: RunningOperation | undefined
  #ended: OperationResult | undefined
  /** Hears of every event that is kept on record. */
  onTold: (event: ToldEvent) => void = () => undefined
  #settled = false
  #text: string | undefined
  #waiters: ((result: OperationResult) => void)[] = []
  #endWaiters: ((result: OperationResult) => void)[] = []
  /** Set when it goes on elsewhere or later: nothing is told here any more. */
  #continuation: Continuation | undefined
  /** Those who would have to be handed over; null for an operation that ends where it began. */
  readonly #followers: Set<ContinuedFollower> | null

  /** @param told of one that outlives its process: by whoever carried it out before; the numbers go on from there. */
  constructor(operation: Operation, queued: () => OperationResult, limits: EventLogLimits, onEnd: (live: LiveOperation, result: OperationResult) => void, told?: readonly ToldEvent[]) {
    this.operation = operation
    this.#queued = queued
    this.#log = new EventLog(limits)
    this.#onEnd = onEnd
    this.#followers = told === undefined ? null : new Set()
    for (const event of told ?? []) {
      if (event.type === 'decision') this.#log.decided(event.decision)
      else this.#log.attempted(event.notice)
    }
  }

  get id(): string {
    return this.operation.id
  }

  get tenant(): string | null {
    return this.operation.tenant
  }

  /** Whether the caller that left can ask for it again: then it runs on. */
  get isRepeatable(): boolean {
    return this.operation.idempotencyKey !== undefined || this.operation.mode === 'async'
  }

  begin(running: RunningOperation): void {
    this.#running = running
  }

  cancel(reason: CancelReason): void {
    this.#running?.cancel(reason)
  }

  current(): OperationResult {
    return this.#ended ?? this.#running?.snapshot() ?? this.#queued()
  }

  /** Made once of the final result: its caller and the store are given the same text. */
  text(): string {
    if (!this.#settled) return JSON.stringify(this.current())
    this.#text ??= JSON.stringify(this.#ended)
    return this.#text
  }

  record(): OperationRecord {
    return { tenant: this.tenant, endId: this.#settled ? this.#log.lastId : 0, result: this.current() }
  }

  whenSettled(callback: (result: OperationResult) => void): void {
    if (this.#continuation !== undefined) this.#continuation.whenSettled(callback)
    else if (this.#settled && this.#ended !== undefined) callback(this.#ended)
    else this.#waiters.push(callback)
  }

  /** The runner's end of it, before it is settled. */
  whenEnded(): Promise<OperationResult> {
    return new Promise((resolve) => {
      if (this.#ended !== undefined) resolve(this.#ended)
      else this.#endWaiters.push(resolve)
    })
  }

  follow(afterId: number, wake: () => void): Follower {
    if (this.#continuation !== undefined) return this.#continuation.follow(afterId, wake)
    if (this.#followers === null) return this.#log.follow(afterId, wake)
    const follower = new ContinuedFollower(this.#log.follow(afterId, wake), afterId, wake)
    this.#followers.add(follower)
    return follower
  }

  leave(): void {
    if (!this.isRepeatable) this.cancel('caller_gone')
  }

  /** The number that the last event will have, for the record that is written before it is told. */
  endId(): number {
    return this.#log.endId(this.#ended ?? this.#queued(), this.#tellsWholeAnswer)
  }

  /** @param holds the result that is on record, where somebody else ended the operation first. */
  settle(holds?: OperationResult): void {
    if (this.#settled || this.#ended === undefined || this.#continuation !== undefined) return
    this.#settled = true
    if (holds !== undefined) this.#ended = holds
    this.#log.ended(this.#ended, this.#tellsWholeAnswer)
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter(this.#ended)
  }

  /** Its turn here is over and it is not: whoever waits or follows is told the rest from there. */
  abandon(continuation: Continuation): void {
    if (this.#settled || this.#continuation !== undefined) return
    this.#continuation = continuation
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) continuation.whenSettled(waiter)
    for (const follower of this.#followers ?? []) follower.handOver(continuation)
    this.#followers?.clear()
  }

  onDecision(decision: RoutingDecision): void {
    this.#log.decided(decision)
    this.onTold({ type: 'decision', decision })
  }

  onAttempt(notice: AttemptNotice): void {
    this.#log.attempted(notice)
    this.onTold({ type: 'attempt', notice })
  }

  onEvent(event: ConverseStreamEvent): void {
    const piece = pieceOf(event)
    if (piece !== undefined) this.#log.told(piece)
  }

  onResult(result: OperationResult): void {
    if (this.#ended !== undefined) return
    this.#ended = result
    const waiters = this.#endWaiters
    this.#endWaiters = []
    for (const waiter of waiters) waiter(result)
    this.#onEnd(this, result)
  }

  get #tellsWholeAnswer(): boolean {
    return this.operation.mode !== 'stream'
  }
}
