/**
 * A follower of an operation that has ended and whose log is gone: it is told from the result, as `replay` says.
 */
import type { OperationResult } from '../operation/result.ts'
import type { Follower } from './event-log.ts'
import { replay, type OperationEvent } from './operation-event.ts'

export function createReplayFollower(result: OperationResult, endId: number, afterId: number): Follower {
  const events = replay(result, endId, afterId)
  let done = false
  return {
    get done() {
      return done
    },
    behind: false,
    hasContent: events.some((event) => event.type === 'text' || event.type === 'fragment'),
    result,
    read(): readonly OperationEvent[] {
      if (done) return []
      done = true
      return events
    },
    close() {
      done = true
    },
  }
}
