/**
 * What the queue's rules need of an engine that belongs to one process: a table of messages with an ordered look-up for
 * each question, all synchronous. `queue-core.ts` decides; a table only keeps and finds.
 *
 * Instants are steady milliseconds: wall time without the jumps (`adapters/steady-clock.ts`).
 */
import type { DeliveryRecord } from './message-queue.ts'

export const messageStates = {
  waiting: 0,
  delayed: 1,
  leased: 2,
  /** Expired, to be reported. */
  expired: 3,
  reportingExpired: 4,
  /** Dead, to be reported. */
  dead: 5,
  reportingDead: 6,
  /** Dead and reported: stays until an operator or the bound removes it. */
  resting: 7,
} as const
export type MessageState = (typeof messageStates)[keyof typeof messageStates]
export const stateCount = 8
/** Priority classes, 0 for critical. */
export const rankCount = 4

export interface NewMessage {
  readonly id: string
  readonly rank: number
  readonly payload: string
  readonly enqueuedMs: number
  readonly expiresMs: number
  readonly deadlineMs: number
  readonly maxDeliveries: number
}

/** What changes in the life of a message. */
export interface MessageProgress {
  readonly state: MessageState
  readonly deliveries: number
  /** Delayed: when it can be claimed. Leased or reporting: when the lease ends. Dead: when it died. Otherwise 0. */
  readonly dueMs: number
  readonly token: string
  readonly holder: string
  readonly history: readonly DeliveryRecord[]
}

export interface MessageRow extends NewMessage, MessageProgress {
  /** Grows with arrival. */
  readonly seq: number
}

export interface MessageTable {
  insert(message: NewMessage, progress: MessageProgress): void
  has(id: string): boolean
  find(id: string): MessageRow | undefined
  update(row: MessageRow, progress: MessageProgress): void
  delete(row: MessageRow): void
  /** Waiting: the least (deadline, arrival) of the class. */
  head(rank: number): MessageRow | undefined
  /** Waiting: the first that arrived of the class. */
  oldest(rank: number): MessageRow | undefined
  /** Delayed, leased or reporting, with the least `dueMs`, if that is not after the instant. */
  nextDue(untilMs: number): MessageRow | undefined
  /** Waiting, delayed or expired, with the least `expiresMs`, if that is not after the instant. */
  nextExpired(untilMs: number): MessageRow | undefined
  /** In the state `dead`, the first that arrived. */
  nextDead(): MessageRow | undefined
  /** Any message in that leased or reporting state. */
  nextInState(state: MessageState): MessageRow | undefined
  /** Dead, reporting or resting, in order of arrival behind `afterSeq`. */
  listDead(afterSeq: number, limit: number): readonly MessageRow[]
  count(state: MessageState, rank: number): number
}
