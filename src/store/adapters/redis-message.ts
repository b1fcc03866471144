/**
 * A message as the text of a BullMQ job, and its history: which delivery is under way, and how the earlier ones ended.
 * BullMQ counts how often a job was claimed and only counts up; `uncounted` takes off the claims that were no delivery.
 */
import type { JsonValue } from '../../operation/converse.ts'
import { storeLimits } from '../limits.ts'
import type { DeliveryEnd, DeliveryRecord, Message } from '../message-queue.ts'
import type { BullJob } from './bull-queue.ts'

export interface StoredMessage {
  readonly message: Omit<Message, 'payload'>
  readonly history: readonly DeliveryRecord[]
  readonly uncounted: number
  /** A dead letter whose end somebody has reported. */
  readonly reported: boolean
  readonly payload: JsonValue
}

/** @param payload its JSON */
export function storedText(given: Message, payload: string): string {
  const { payload: _, ...message } = given
  return `{"message":${JSON.stringify(message)},"history":[],"uncounted":0,"reported":false,"payload":${payload}}`
}

export function storedMessage(job: BullJob): StoredMessage {
  return JSON.parse(job.text) as StoredMessage
}

export function messageOf(stored: StoredMessage): Message {
  return { ...stored.message, payload: stored.payload }
}

/** Deliveries so far; of a job that is claimed, the number of this one. */
export function deliveriesOf(job: BullJob, stored: StoredMessage): number {
  return job.starts - stored.uncounted
}

export interface Ending {
  readonly delivery: number
  readonly workerId: string
  readonly ended: DeliveryEnd
  readonly reason: string
  readonly atMs: number
}

export function withEnding(history: readonly DeliveryRecord[], ending: Ending): readonly DeliveryRecord[] {
  return [...history, { ...ending, reason: ending.reason.slice(0, storeLimits.reasonCharacters) }].slice(-storeLimits.historyRecords)
}

/** Whether nobody wrote the end of the last of so many deliveries: its worker is gone. */
export function isUnsettled(stored: StoredMessage, deliveries: number): boolean {
  return deliveries > (stored.history.at(-1)?.delivery ?? 0)
}

export const lapsedReason = 'the lease ran out: the worker died or stalled'
