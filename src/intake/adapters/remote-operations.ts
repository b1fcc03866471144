/**
 * What a front door may do with an operation that another instance carries out: follow it as it comes, wait for its end,
 * cancel it. When that instance is gone, the rest is told by the record; one without a key, of which nothing was recorded,
 * ends as expired, because nobody can be given its answer any more.
 */
import type { OperationResult } from '../../operation/result.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Relay } from '../../store/relay.ts'
import type { Follower } from '../event-log.ts'
import { expiredResult } from '../final-result.ts'
import { intakeLimits } from '../limits.ts'
import type { OperationRecord } from '../operation-record.ts'
import type { Ticket } from '../ticket.ts'
import type { Elsewhere, Located } from './elsewhere.ts'
import { createRecordFollower } from './record-follower.ts'

export interface RemoteParts {
  readonly elsewhere: Elsewhere
  readonly relay: Relay
  readonly clock: Clock
  /** What the store knows of it. */
  readonly find: (id: string) => Promise<OperationRecord | undefined>
}

export interface RemoteOperations {
  ticket(located: Located): Ticket
  /** Resolves with the state that holds, or with what is known when the other instance does not say it in time. */
  cancel(located: Located): Promise<OperationResult>
}

export function createRemoteOperations({ elsewhere, relay, clock, find }: RemoteParts): RemoteOperations {
  /** What was told by the other instance is void when it cannot tell the end: the record has numbers of its own. */
  const restOf = ({ record }: Located) => (afterId: number, wake: () => void): Follower => {
    const giveUpMs = clock.monotonicMs() + intakeLimits.tracelessMs
    const anew = (stored: OperationRecord): OperationRecord => {
      const { told: _told, endId, ...rest } = stored
      return { ...rest, endId: Math.max(endId, afterId + 1) }
    }
    const load = async (): Promise<OperationRecord | undefined> => {
      const stored = await find(record.result.id)
      if (stored !== undefined) return anew(stored)
      if (clock.monotonicMs() < giveUpMs) return undefined
      const completedAt = new Date(clock.nowMs()).toISOString()
      return anew({ ...record, result: expiredResult(record.result, 'caller_gone', { completedAt, totalMs: clock.nowMs() - Date.parse(record.result.createdAt) }) })
    }
    return createRecordFollower({ clock, record: anew(record), afterId, wake, load })
  }

  const follow = (located: Located, afterId: number, wake: () => void): Follower => elsewhere.follow(located, afterId, wake, restOf(located))

  const whenSettled = (located: Located, callback: (result: OperationResult) => void): (() => void) => {
    const follower = follow(located, 0, () => {
      while (follower.read(intakeLimits.batchCharacters).length > 0);
      const { result } = follower
      if (result === undefined) return
      follower.close()
      callback(result)
    })
    return () => follower.close()
  }

  return {
    ticket(located) {
      const { record } = located
      return {
        id: record.result.id,
        tenant: record.tenant,
        current: () => record.result,
        text: () => JSON.stringify(record.result),
        whenSettled: (callback) => void whenSettled(located, callback),
        follow: (afterId, wake) => follow(located, afterId, wake),
        // Only what somebody else may ask for again is known by a ticket of another instance.
        leave: () => undefined,
      }
    },
    cancel(located) {
      return new Promise((resolve) => {
        const stop = whenSettled(located, (result) => {
          cancelLimit()
          resolve(result)
        })
        const cancelLimit = clock.schedule(clock.monotonicMs() + intakeLimits.storeWaitMs, () => {
          stop()
          resolve(located.record.result)
        })
        relay.send(located.instance, { about: 'cancel', id: located.record.result.id })
      })
    },
  }
}
