/**
 * A follower of an operation that another instance carries out, told by that instance as it comes. It keeps what its client
 * has not read yet, up to a limit; beyond that it is *behind*, as a follower of the log is, and is told the whole answer at
 * the end. Which batch is missing, and what is asked again, is decided here; the words travel in `adapters/elsewhere.ts`.
 */
import type { OperationResult } from '../operation/result.ts'
import type { EventBatch } from './elsewhere-word.ts'
import type { Follower } from './event-log.ts'
import { replay, type OperationEvent } from './operation-event.ts'

export interface RemoteFollowerParts {
  /** Characters of events that are kept for the client. */
  readonly characters: number
  readonly afterId: number
  readonly wake: () => void
  /** Asks for everything after that event, as a new follower. */
  readonly ask: (afterId: number) => void
  /** The other instance is gone or has nothing to tell any more: who tells the rest. */
  readonly rest: (afterId: number, wake: () => void) => Follower
  readonly onClose: () => void
}

export class RemoteFollower implements Follower {
  readonly #parts: RemoteFollowerParts
  #waiting: OperationEvent[] = []
  #characters = 0
  /** Batches since it asked last. */
  #received = 0
  /** The last event that came, and the last one that was read. */
  #cameId: number
  #readId: number
  #behind = false
  #hasContent = false
  #end: EventBatch['end']
  #rest: Follower | undefined
  #done = false

  constructor(parts: RemoteFollowerParts) {
    this.#parts = parts
    this.#cameId = parts.afterId
    this.#readId = parts.afterId
  }

  /** What to resume from. */
  get cameId(): number {
    return this.#cameId
  }

  /** Whether the other instance has still something to tell. */
  get isListening(): boolean {
    return !this.#done && this.#rest === undefined && this.#end === undefined
  }

  get done(): boolean {
    return this.#done || (this.#waiting.length === 0 && this.#rest?.done === true)
  }

  get behind(): boolean {
    return this.#behind
  }

  get hasContent(): boolean {
    return this.#hasContent || this.#rest?.hasContent === true
  }

  get result(): OperationResult | undefined {
    return this.#end?.result ?? this.#rest?.result
  }

  hear(batch: EventBatch): void {
    if (!this.isListening) return
    const isSign = batch.events.length === 0 && batch.end === undefined
    if (batch.number !== (isSign ? this.#received : this.#received + 1)) {
      this.#received = 0
      this.#parts.ask(this.#cameId)
      return
    }
    if (isSign) return
    this.#received = batch.number
    this.#hasContent ||= batch.hasContent
    this.#end = batch.end
    for (const event of batch.events) this.#keep(event)
    this.#parts.wake()
  }

  /** Nothing more comes from there. */
  lose(): void {
    if (!this.isListening) return
    const fromId = this.#behind ? this.#readId : this.#cameId
    this.#behind = false
    this.#rest = this.#parts.rest(fromId, this.#parts.wake)
    this.#parts.wake()
  }

  read(characters: number): readonly OperationEvent[] {
    if (this.#done) return []
    if (this.#behind) {
      if (this.#end === undefined) return []
      this.#done = true
      return replay(this.#end.result, this.#end.endId, this.#readId)
    }
    const events: OperationEvent[] = []
    for (let room = characters; room > 0; ) {
      const event = this.#waiting.shift()
      if (event === undefined) break
      if (event.id !== null) this.#readId = event.id
      room -= sizeOf(event)
      this.#characters -= sizeOf(event)
      events.push(event)
    }
    if (this.#waiting.length > 0) return events
    if (this.#end !== undefined) this.#done = true
    return events.length > 0 ? events : (this.#rest?.read(characters) ?? [])
  }

  close(): void {
    const wasListening = this.isListening
    this.#done = true
    this.#waiting = []
    this.#rest?.close()
    if (wasListening) this.#parts.onClose()
  }

  #keep(event: OperationEvent): void {
    if (event.id !== null) this.#cameId = event.id
    if (this.#behind) return
    this.#waiting.push(event)
    this.#characters += sizeOf(event)
    // Its end is short and is told in any case.
    if (this.#characters <= this.#parts.characters || this.#end !== undefined) return
    this.#behind = true
    this.#waiting = []
    this.#characters = 0
  }
}

function sizeOf(event: OperationEvent): number {
  return event.type === 'text' ? event.text.length : frameCharacters
}

/** What an event that is not text counts for. */
const frameCharacters = 200
