/**
 * What a front door holds of a submitted operation: its state, its events, its end, and the way to say that the caller has
 * gone. The operation may run here, have ended long ago, or be a repeat that several callers wait for.
 */
import type { OperationResult } from '../operation/result.ts'
import type { Follower } from './event-log.ts'
import { createReplayFollower } from './replay-follower.ts'
import type { OperationRecord } from './operation-record.ts'

export interface Ticket {
  readonly id: string
  readonly tenant: string | null
  /** As it stands. */
  current(): OperationResult
  /** The same as JSON. */
  text(): string
  /** Calls back once, with the final result; at once when it is there. */
  whenSettled(callback: (result: OperationResult) => void): void
  follow(afterId: number, wake: () => void): Follower
  /** The caller has gone. An operation that nobody can ask for again is cancelled. */
  leave(): void
}

/** An operation that is known from the store alone. */
export function createStoredTicket(record: OperationRecord): Ticket {
  return {
    id: record.result.id,
    tenant: record.tenant,
    current: () => record.result,
    text: () => JSON.stringify(record.result),
    whenSettled: (callback) => callback(record.result),
    follow: (afterId) => createReplayFollower(record, afterId),
    leave: () => undefined,
  }
}
