/**
 * A follower of an operation that is not carried out in this process, or not yet: it is told from the operation's record,
 * which it looks at again and again until it is final. The numbers are those that every other instance tells.
 */
import { isFinal, type OperationResult } from '../../operation/result.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import type { Continuation } from '../continued-follower.ts'
import type { Follower } from '../event-log.ts'
import { intakeLimits } from '../limits.ts'
import { toldAfter, type OperationEvent } from '../operation-event.ts'
import type { OperationRecord } from '../operation-record.ts'
import { createReplayFollower } from '../replay-follower.ts'

export interface RecordFollowerParts {
  readonly clock: Clock
  readonly record: OperationRecord
  readonly afterId: number
  readonly wake: () => void
  /** As it stands now; undefined when it cannot be read just now. */
  load(): Promise<OperationRecord | undefined>
}

type RecordParts = Pick<RecordFollowerParts, 'clock' | 'record' | 'load'>

/** The rest of an operation, told by its record alone. */
export function continueByRecord(parts: RecordParts): Continuation {
  return {
    follow: (afterId, wake) => createRecordFollower({ ...parts, afterId, wake }),
    whenSettled(callback) {
      const follower = createRecordFollower({
        ...parts,
        afterId: 0,
        wake() {
          const { result } = follower
          if (result === undefined) return
          follower.close()
          callback(result)
        },
      })
    },
  }
}

export function createRecordFollower(parts: RecordFollowerParts): Follower {
  let { record, afterId } = parts
  let replay: Follower | undefined
  let closed = false
  let cancel: CancelSchedule = () => undefined

  const settle = (): boolean => {
    if (!isFinal(record.result.status)) return false
    replay ??= createReplayFollower(record, afterId)
    return true
  }

  const watch = (): void => {
    if (closed || settle()) return
    cancel = parts.clock.schedule(parts.clock.monotonicMs() + intakeLimits.recordPollMs, () => {
      parts.load().then(
        (loaded) => {
          if (closed) return
          const grown = loaded !== undefined && (isFinal(loaded.result.status) || (loaded.told?.length ?? 0) > afterId)
          if (loaded !== undefined) record = loaded
          if (grown) parts.wake()
          watch()
        },
        // A store that is away for a moment is asked again; the client has its own patience.
        watch,
      )
    })
  }
  watch()

  return {
    get done() {
      return closed || replay?.done === true
    },
    behind: false,
    get hasContent() {
      return settle() && replay?.hasContent === true
    },
    get result(): OperationResult | undefined {
      return settle() ? record.result : undefined
    },
    read(characters): readonly OperationEvent[] {
      if (closed) return []
      if (settle()) return replay?.read(characters) ?? []
      const events = toldAfter(record.told ?? [], afterId)
      afterId += events.length
      return events
    },
    close() {
      closed = true
      cancel()
      replay?.close()
    },
  }
}
