/**
 * A follower of an operation that may have to go on without the process that it was followed in: when its turn here is over
 * and the operation is not, the follower is handed over to whatever tells the rest, from the event that it has reached. The
 * client notices nothing, because an operation has the same numbers wherever it is told.
 */
import type { OperationResult } from '../operation/result.ts'
import type { Follower } from './event-log.ts'
import type { OperationEvent } from './operation-event.ts'

/** Where the rest of an operation is told. */
export interface Continuation {
  follow(afterId: number, wake: () => void): Follower
  whenSettled(callback: (result: OperationResult) => void): void
}

export class ContinuedFollower implements Follower {
  readonly #wake: () => void
  #current: Follower
  #afterId: number

  constructor(current: Follower, afterId: number, wake: () => void) {
    this.#current = current
    this.#afterId = afterId
    this.#wake = wake
  }

  get done(): boolean {
    return this.#current.done
  }

  get behind(): boolean {
    return this.#current.behind
  }

  get hasContent(): boolean {
    return this.#current.hasContent
  }

  get result(): OperationResult | undefined {
    return this.#current.result
  }

  read(characters: number): readonly OperationEvent[] {
    const events = this.#current.read(characters)
    for (const { id } of events) if (id !== null) this.#afterId = id
    return events
  }

  close(): void {
    this.#current.close()
  }

  /** What was not read yet is told by the other one. */
  handOver(continuation: Continuation): void {
    if (this.#current.done) return
    this.#current.close()
    this.#current = continuation.follow(this.#afterId, this.#wake)
    this.#wake()
  }
}
