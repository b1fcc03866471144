/**
 * A follower of an operation that has ended and whose log is gone: it is told from the result, as `replay` says.
 */
import type { Follower } from './event-log.ts'
import { replay, replayExactly, type OperationEvent } from './operation-event.ts'
import type { OperationRecord } from './operation-record.ts'

export function createReplayFollower(record: OperationRecord, afterId: number): Follower {
  const { result, endId } = record
  const events = replayExactly(record, afterId) ?? replay(result, endId, afterId)
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
