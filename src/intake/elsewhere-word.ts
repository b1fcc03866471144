/**
 * What instances say to each other about an operation that one of them carries out and another one is asked for: who has it,
 * and its events as they come. Words may be lost: batches of events are numbered, and whoever misses one asks again from the
 * last event that it has.
 */
import type { JsonValue } from '../operation/converse.ts'
import type { OperationResult } from '../operation/result.ts'
import type { OperationEvent } from './operation-event.ts'
import type { OperationRecord } from './operation-record.ts'

export type ElsewhereWord =
  | { readonly about: 'elsewhere'; readonly word: 'who'; readonly id: string; readonly ask: string }
  | { readonly about: 'elsewhere'; readonly word: 'here'; readonly ask: string; readonly record: OperationRecord }
  /** Begins, and says from time to time that somebody still listens. */
  | { readonly about: 'elsewhere'; readonly word: 'follow'; readonly id: string; readonly follower: string; readonly afterId: number }
  | { readonly about: 'elsewhere'; readonly word: 'leave'; readonly follower: string }
  | EventBatch
  /** No such operation runs here, or not any more. */
  | { readonly about: 'elsewhere'; readonly word: 'gone'; readonly follower: string }

export interface EventBatch {
  readonly about: 'elsewhere'
  readonly word: 'events'
  readonly follower: string
  /** Of this batch, from 1; without events it is that of the last one, and says that the operation goes on. */
  readonly number: number
  readonly events: readonly OperationEvent[]
  readonly hasContent: boolean
  /** With the last batch. */
  readonly end?: { readonly result: OperationResult; readonly endId: number }
}

export function readElsewhereWord(message: JsonValue): ElsewhereWord | undefined {
  if (message === null || typeof message !== 'object') return undefined
  const said = message as unknown as Partial<ElsewhereWord>
  return said.about === 'elsewhere' && typeof said.word === 'string' ? (said as ElsewhereWord) : undefined
}

export function toMessage(word: ElsewhereWord): JsonValue {
  return word as unknown as JsonValue
}
