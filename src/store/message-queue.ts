/**
 * The port to the durable queue behind the MCP Router, in the semantics of messages: it shows no connection and no
 * transaction. Every engine passes `message-queue.conformance.ts`.
 *
 * - Order: the priority class first; inside a class the earliest deadline, then arrival. The key is fixed at enqueue, so a
 *   claim is one index look-up at any depth. Every `reservedClaimEvery`-th claim goes to the longest-waiting message of
 *   the lower classes, so that none starves.
 * - Delivery is at least once, under a lease with a token. Who lost the lease cannot complete, extend or release: it was
 *   taken over and the delivery count grew. A lease that is late but was not taken over yet is still its holder's (not on Redis).
 * - Nothing vanishes: a message that expired (expiry wins over claim and cancel) or used up its deliveries is handed out by
 *   `claimEnded`, once, under a lease of its own; when its holder dies before `complete`, it is handed out again. Dead
 *   letters stay listed until an operator retries or drops them, or the list's bound pushes the oldest out.
 * - Instants are wall clock. Engines that belong to one process measure durations by the monotonic clock, so that a
 *   correction of the wall clock neither ends a lease nor expires a message (`docs/decisions/040-store.md`).
 */
import type { JsonValue } from '../operation/converse.ts'
import type { Priority } from '../operation/matrix.ts'

export interface Message {
  /** The operation's id: unique in the queue, dead letters included. */
  readonly id: string
  readonly priority: Priority
  readonly payload: JsonValue
  readonly enqueuedAtMs: number
  /** From this instant on it is not worked on but reported as expired. */
  readonly expiresAtMs: number
  /** Orders inside the class: the instant by which it should be answered. */
  readonly deadlineMs: number
  /** How often it may be handed to a worker; 1 for what must not be repeated. */
  readonly maxDeliveries: number
}

export type EnqueueOutcome =
  | { readonly kind: 'enqueued'; readonly depth: number }
  /** The id is already there, in whatever state. */
  | { readonly kind: 'duplicate' }
  /** The class's share of the depth is used up: the caller answers `overloaded`. */
  | { readonly kind: 'refused'; readonly depth: number; readonly retryAfterMs: number }

export interface Lease {
  readonly id: string
  readonly token: string
}

export type DeliveryEnd = 'lapsed' | 'released' | 'dead_lettered'

/** How an earlier delivery ended. */
export interface DeliveryRecord {
  readonly delivery: number
  readonly workerId: string
  readonly ended: DeliveryEnd
  readonly reason: string
  readonly atMs: number
}

export interface Delivery {
  readonly lease: Lease
  readonly leaseUntilMs: number
  readonly message: Message
  /** From 1: this one. */
  readonly delivery: number
  /** The earlier deliveries, the last few of them. */
  readonly history: readonly DeliveryRecord[]
}

export interface EndedDelivery {
  readonly lease: Lease
  readonly leaseUntilMs: number
  readonly message: Message
  readonly ended: 'expired' | 'dead_lettered'
  /** For people. Whether a worker ever had it is `deliveries`. */
  readonly reason: string
  readonly deliveries: number
  readonly history: readonly DeliveryRecord[]
}

export interface ClaimRequest {
  /** Who holds the lease, as `remove` and the history show it. */
  readonly workerId: string
  readonly leaseMs: number
}

export interface ReleaseRequest {
  readonly delayMs: number
  /** For the history; holds no prompt and no secret. */
  readonly reason: string
  /** False when nothing was tried, as on a shutdown: the delivery does not count. */
  readonly attempted: boolean
}

export type ExtendOutcome = { readonly kind: 'extended'; readonly leaseUntilMs: number } | { readonly kind: 'lost' }
export type CompleteOutcome = { readonly kind: 'completed' } | { readonly kind: 'lost' }
export type ReleaseOutcome =
  | { readonly kind: 'released'; readonly availableAtMs: number }
  /** No delivery is left, or it has expired: `claimEnded` hands it out. */
  | { readonly kind: 'ended'; readonly as: 'expired' | 'dead_lettered' }
  | { readonly kind: 'lost' }

export type RemoveOutcome =
  | { readonly kind: 'removed'; readonly message: Message }
  /** A worker has it: cancelling it there is the caller's business. */
  | { readonly kind: 'leased'; readonly workerId: string; readonly leaseUntilMs: number }
  | { readonly kind: 'ended'; readonly as: 'expired' | 'dead_lettered' }
  | { readonly kind: 'absent' }

export interface DeadLetter {
  readonly message: Message
  readonly deliveries: number
  readonly reason: string
  readonly diedAtMs: number
  readonly history: readonly DeliveryRecord[]
  /** False until somebody completed its `claimEnded` delivery. */
  readonly reported: boolean
}

export interface ClassDepth {
  /** Can be claimed now. */
  readonly waiting: number
  /** Released with a delay that still runs. */
  readonly delayed: number
  readonly leased: number
  /** Of the longest-waiting message that can be claimed; null when there is none. */
  readonly oldestAgeMs: number | null
}

export interface QueueInspection {
  /** Waiting and delayed, all classes: what the bound counts. */
  readonly depth: number
  readonly maxDepth: number
  readonly classes: Readonly<Record<Priority, ClassDepth>>
  /** Expired or dead, not yet reported as such. */
  readonly unreported: number
  readonly deadLetters: number
}

/** What there may be to fetch: an invitation to claim, not a promise. */
export type QueueSignal = 'work' | 'ended'

export interface MessageQueue {
  enqueue(message: Message): Promise<EnqueueOutcome>
  claim(request: ClaimRequest): Promise<Delivery | undefined>
  /** Expired and dead messages that nobody has reported yet, at most `limit`. `complete` says that it is done. */
  claimEnded(request: ClaimRequest & { readonly limit: number }): Promise<readonly EndedDelivery[]>
  /** The lease then ends `leaseMs` from now. */
  extend(lease: Lease, leaseMs: number): Promise<ExtendOutcome>
  complete(lease: Lease): Promise<CompleteOutcome>
  release(lease: Lease, request: ReleaseRequest): Promise<ReleaseOutcome>
  /** For a message that no delivery can mend. */
  deadLetter(lease: Lease, reason: string): Promise<ReleaseOutcome>
  remove(id: string): Promise<RemoveOutcome>
  inspect(): Promise<QueueInspection>
  /** The oldest first; `after` is the id of the last one of the page before. */
  listDeadLetters(page: { readonly limit: number; readonly after?: string }): Promise<readonly DeadLetter[]>
  /** Puts it back with a fresh delivery count, whatever the depth. False when there is no such dead letter at rest. */
  retryDeadLetter(id: string, lifetime: { readonly expiresAtMs: number; readonly deadlineMs: number }): Promise<boolean>
  dropDeadLetter(id: string): Promise<boolean>
  /** Calls back when there may be something to claim, so that workers need not poll. Returns the unsubscription. */
  subscribe(listener: (signal: QueueSignal) => void): () => void
  /** Resolves when the engine works; rejects with a `StoreError`. */
  check(): Promise<void>
  close(): Promise<void>
}

export interface QueueOptions {
  readonly maxDepth: number
  /** Every so many claims one goes to the longest-waiting lower class; 0: never. */
  readonly reservedClaimEvery: number
}
