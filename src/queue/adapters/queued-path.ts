/**
 * The MCP path as the router sees it: an attempt becomes a durable message, waits its turn by priority and deadline, is
 * carried out by whoever claims it, and answers the caller that waits here. A cancelled attempt leaves the queue, or its
 * call is cancelled.
 *
 * An operation that is itself a leased message (asynchronous, or resumed) is not queued a second time. When the queue does
 * not take the message, the attempt is refused at once, so that the router takes the fallback. A message whose caller is in
 * another process that lives is carried out here and told there over the relay; one whose caller is gone is handed to
 * `orphaned`.
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { Fault } from '../../operation/fault.ts'
import type { Operation } from '../../operation/operation.ts'
import type { AttemptEnd, AttemptListener, AttemptRequest, AttemptSpend, Path, RunningAttempt } from '../../operation/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import { SlotMap } from '../../runtime/slot-map.ts'
import type { Delivery, EndedDelivery } from '../../store/message-queue.ts'
import type { Relay } from '../../store/relay.ts'
import type { Dispatcher, Disposition, WorkHandler } from '../dispatcher.ts'
import { attemptMessage, attemptMessageId, revived, type AttemptWork } from '../work.ts'

export interface Orphan {
  readonly operation: Operation
  readonly cause: 'caller_gone' | 'expired' | 'dead'
  /** Whether a worker ever had it. */
  readonly begun: boolean
}

export interface QueuedPathParts {
  /** Where attempts are carried out. */
  readonly inner: Path
  readonly dispatcher: Dispatcher
  readonly relay: Relay
  readonly clock: Clock
  /** Whether what was sent for this operation may be sent again. */
  isRepeatable(operation: Operation): boolean
  /** Its caller's process is gone; resolves when that is on record. */
  orphaned(orphan: Orphan): Promise<void>
}

export interface QueuedPath extends Path {
  readonly handler: WorkHandler<AttemptWork>
  /** Attempts whose callers wait here. */
  waiting(): number
  close(): void
}

/** What instances tell each other about an attempt. */
type AttemptWord =
  | { readonly about: 'attempt'; readonly word: 'began'; readonly id: string; readonly delivery: number }
  | { readonly about: 'attempt'; readonly word: 'sent'; readonly id: string }
  | { readonly about: 'attempt'; readonly word: 'event'; readonly id: string; readonly event: JsonValue }
  | { readonly about: 'attempt'; readonly word: 'end'; readonly id: string; readonly end: JsonValue }
  | { readonly about: 'attempt'; readonly word: 'cancel'; readonly id: string }

const nothingSpent: AttemptSpend = Object.freeze({ modelId: null, usage: Object.freeze({ inputTokens: 0, outputTokens: 0, totalTokens: 0 }), estimated: false })
const done: Disposition = { kind: 'done' }

export function createQueuedPath(parts: QueuedPathParts): QueuedPath {
  const { inner, dispatcher, relay, clock } = parts
  const waiting = new SlotMap<QueuedAttempt>()
  /** Attempts that are carried out here for a caller in another process. */
  const guests = new SlotMap<RunningAttempt>()

  const start = (request: AttemptRequest, listener: AttemptListener): RunningAttempt => {
    const { operation } = request
    if (dispatcher.holds(operation.id)) return inner.start(request, listener)
    const attempt = new QueuedAttempt(request, listener, inner, clock, (ended) => {
      waiting.delete(ended.id)
      if (ended.isElsewhere) relay.send(null, { about: 'attempt', word: 'cancel', id: ended.id })
    })
    waiting.set(attempt.id, attempt)
    const { number, target, streaming, deadlineMs } = request
    const work: AttemptWork = { kind: 'attempt', operation, number, target, streaming, home: relay.instanceId }
    const message = attemptMessage(work, deadlineMs, parts.isRepeatable(operation), { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() })
    dispatcher.enqueue(message, true).then(
      (outcome) => {
        if (outcome.kind === 'refused') attempt.refuse({ ...refused('The message queue is full.'), retryAfterMs: outcome.retryAfterMs })
        // It was cancelled while it was being put in.
        else if (attempt.isOver && !attempt.isBegun) leave(attempt.id)
      },
      () => {
        attempt.refuse(refused('The message queue does not answer.'))
        leave(attempt.id)
      },
    )
    return {
      cancel() {
        const wasWaiting = !attempt.isBegun && !attempt.isOver
        attempt.cancel()
        if (wasWaiting) leave(attempt.id)
      },
    }
  }

  /** Out of the queue, if it is still there; a worker that has it finds that nobody waits. */
  const leave = (id: string): void => {
    dispatcher.remove(id).then(
      (outcome) => {
        if (outcome.kind === 'leased' && relay.shared) relay.send(null, { about: 'attempt', word: 'cancel', id })
      },
      () => {
        // The store is away: the message is claimed later by somebody who finds that nobody waits.
      },
    )
  }

  const workForAnother = (work: AttemptWork, delivery: Delivery, lost: AbortSignal): Promise<Disposition> =>
    new Promise((resolve) => {
      const { id } = delivery.message
      const tell = (said: AttemptWord): void => relay.send(work.home, said)
      const now = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }
      const operation = revived(work.operation, work.operation.createdAtMs + work.operation.hardTimeoutMs, now)
      const deadlineMs = now.monotonicMs + Math.max(0, delivery.message.expiresAtMs - now.wallMs)
      tell({ about: 'attempt', word: 'began', id, delivery: delivery.delivery })
      const running = inner.start(
        { operation, number: work.number, target: work.target, streaming: work.streaming, deadlineMs },
        {
          onSent: () => tell({ about: 'attempt', word: 'sent', id }),
          onEvent: (event) => tell({ about: 'attempt', word: 'event', id, event: event as unknown as JsonValue }),
          onEnd(end) {
            guests.delete(id)
            tell({ about: 'attempt', word: 'end', id, end: end as unknown as JsonValue })
            resolve(done)
          },
        },
      )
      guests.set(id, running)
      lost.addEventListener('abort', () => running.cancel(), { once: true })
    })

  const unsubscribe = relay.subscribe((message) => {
    const said = readWord(message)
    if (said === undefined) return
    if (said.word === 'cancel') guests.get(said.id)?.cancel()
    else waiting.get(said.id)?.hear(said)
  })

  return {
    route: inner.route,
    start,
    waiting: () => waiting.size,
    handler: {
      async work(work, delivery, lost) {
        const attempt = waiting.get(delivery.message.id)
        if (attempt !== undefined) return attempt.work()
        if (work.home === relay.instanceId) return done
        if (await relay.isAlive(work.home)) return workForAnother(work, delivery, lost)
        await parts.orphaned({ operation: work.operation, cause: 'caller_gone', begun: delivery.delivery > 1 })
        return done
      },
      async ended(work, ended) {
        const { id } = ended.message
        const attempt = waiting.get(id)
        if (attempt !== undefined) {
          attempt.refuse(endFault(ended))
          return
        }
        if (work.home === relay.instanceId) return
        if (await relay.isAlive(work.home)) {
          const end: AttemptEnd = { outcome: 'failed', fault: endFault(ended), spend: nothingSpent }
          relay.send(work.home, { about: 'attempt', word: 'end', id, end: end as unknown as JsonValue })
          return
        }
        await parts.orphaned({ operation: work.operation, cause: ended.ended === 'expired' ? 'expired' : 'dead', begun: ended.deliveries > 0 })
      },
    },
    close: unsubscribe,
  }
}

/** One attempt whose caller waits in this process. */
class QueuedAttempt {
  readonly id: string
  readonly #request: AttemptRequest
  readonly #listener: AttemptListener
  readonly #inner: Path
  readonly #clock: Clock
  readonly #queuedAtMs: number
  readonly #onOver: (attempt: QueuedAttempt) => void
  #queuedMs = 0
  #running: RunningAttempt | null = null
  #begunElsewhere = 0
  #hasEvents = false
  #begun = false
  #over = false
  #workEnded: (disposition: Disposition) => void = () => undefined

  constructor(request: AttemptRequest, listener: AttemptListener, inner: Path, clock: Clock, onOver: (attempt: QueuedAttempt) => void) {
    this.id = attemptMessageId(request.operation.id, request.number)
    this.#request = request
    this.#listener = listener
    this.#inner = inner
    this.#clock = clock
    this.#queuedAtMs = clock.monotonicMs()
    this.#onOver = onOver
  }

  get isBegun(): boolean {
    return this.#begun
  }

  get isOver(): boolean {
    return this.#over
  }

  get isElsewhere(): boolean {
    return this.#begunElsewhere > 0
  }

  /** It was claimed here: the call is made. Resolves when the message is done with. */
  work(): Promise<Disposition> {
    // Two deliveries of one message, because a lease ran out: the first goes on.
    if (this.#over || this.#running !== null) return Promise.resolve(done)
    this.#begin()
    return new Promise((resolve) => {
      this.#workEnded = resolve
      this.#running = this.#inner.start(this.#request, {
        onSent: () => this.#listener.onSent(),
        onEvent: (event) => {
          if (!this.#over) this.#listener.onEvent(event)
        },
        onEnd: (end) => this.#end(end),
      })
    })
  }

  /** Another process has it. */
  hear(said: Exclude<AttemptWord, { readonly word: 'cancel' }>): void {
    if (this.#over || this.#running !== null) return
    switch (said.word) {
      case 'began':
        if (this.#hasEvents) {
          // The one that spoke is gone; text cannot be taken back here, but the router can start anew.
          this.#end({ outcome: 'failed', fault: lostWorker, spend: nothingSpent })
          return
        }
        this.#begunElsewhere = said.delivery
        this.#begin()
        return
      case 'sent':
        this.#listener.onSent()
        return
      case 'event':
        this.#hasEvents = true
        this.#listener.onEvent(said.event as unknown as Parameters<AttemptListener['onEvent']>[0])
        return
      case 'end':
        this.#begunElsewhere = 0
        this.#end(said.end as unknown as AttemptEnd)
    }
  }

  refuse(fault: Fault): void {
    if (!this.#begun) this.#end({ outcome: 'failed', fault, spend: nothingSpent })
  }

  cancel(): void {
    if (this.#over) return
    if (this.#running === null) this.#end({ outcome: 'cancelled', spend: nothingSpent })
    else this.#running.cancel()
  }

  #begin(): void {
    if (!this.#begun) this.#queuedMs = this.#clock.monotonicMs() - this.#queuedAtMs
    this.#begun = true
  }

  #end(end: AttemptEnd): void {
    if (this.#over) return
    this.#over = true
    if (!this.#begun) this.#queuedMs = this.#clock.monotonicMs() - this.#queuedAtMs
    this.#onOver(this)
    this.#listener.onEnd({ ...end, queuedMs: this.#queuedMs })
    this.#workEnded(done)
  }
}

const lostWorker: Fault = { kind: 'network', retryable: true, message: 'The process that carried out the attempt is gone.' }

function refused(message: string): Fault {
  return { kind: 'overloaded', retryable: true, message, rejected: true }
}

function endFault(ended: EndedDelivery): Fault {
  if (ended.ended === 'expired') return { kind: 'timeout', retryable: false, message: 'It waited in the message queue until its deadline.', ...(ended.deliveries === 0 ? { rejected: true } : {}) }
  return { kind: 'network', retryable: false, message: 'The process that carried out the attempt is gone, and it must not be handed out again.' }
}


function readWord(message: JsonValue): AttemptWord | undefined {
  if (message === null || typeof message !== 'object') return undefined
  const said = message as unknown as Partial<AttemptWord>
  return said.about === 'attempt' && typeof said.id === 'string' ? (said as AttemptWord) : undefined
}
