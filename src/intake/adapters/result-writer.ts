/**
 * Writes results to the state store beside the path of the answers.
 *
 * What was delivered with its answer is kept so that it can be looked up: it is written a few milliseconds later, together
 * with what else came in that time (one transaction of the embedded store), is given up when the store hangs, and the oldest
 * gives way beyond the limits in number and in memory. What somebody must be able to fetch (asynchronous and keyed
 * operations) is written elsewhere, before it is told (`operation-records.ts`). Every result that could not be written is
 * counted.
 */
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import { JsonText, type StateStore } from '../../store/state-store.ts'
import { withinTime } from '../../store/adapters/within-time.ts'
import { intakeLimits, type IntakeLimits } from '../limits.ts'
import { operationsCollection, recordText, type OperationRecord } from '../operation-record.ts'

export interface ResultWriter {
  /**
   * Resolves when the write is over, whether the store has it or not.
   *
   * @param resultText gives the record's result as JSON
   */
  remember(record: OperationRecord, resultText: () => string): Promise<void>
  /** A result that somebody must be able to fetch and that the store did not take. */
  countLost(): void
  readonly pending: number
  /** Results that no store has. */
  readonly lost: number
}

interface Gathered {
  readonly record: OperationRecord
  readonly resultText: () => string
  readonly done: () => void
}

/** JSON of a result without its answer, and of each attempt: measured, rounded up. */
const frameBytes = 1_500
const attemptBytes = 300

export function createResultWriter(options: { readonly state: StateStore; readonly clock: Clock; readonly limits: IntakeLimits }): ResultWriter {
  const { state, clock, limits } = options
  const remembered: { readonly id: string; readonly bytes: number }[] = []
  let firstRemembered = 0
  let rememberedBytes = 0
  let pending = 0
  let lost = 0

  let gathered: Gathered[] = []
  /** Deleted after the writes that came before them. */
  let givingWay: string[] = []
  let cancelFlush: CancelSchedule | undefined

  const flush = (): void => {
    cancelFlush?.()
    cancelFlush = undefined
    const writes = gathered
    gathered = []
    const settle = (written: readonly boolean[] | null): void => {
      pending -= writes.length
      lost += written === null ? writes.length : written.filter((each) => !each).length
      for (const { done } of writes) done()
    }
    // All in one turn: the engine makes one transaction of what comes in one turn. One bound for all of them: a timer for
    // every result would cost more than the writing.
    withinTime(clock, Promise.all(writes.map(write)), intakeLimits.writeLimitMs, 'The store').then(settle, () => settle(null))
    const gone = givingWay
    givingWay = []
    // A record that cannot be deleted now expires by itself.
    for (const id of gone) state.delete(operationsCollection, id).catch(() => undefined)
  }

  const write = ({ record, resultText }: Gathered): Promise<boolean> =>
    state
      .put(operationsCollection, record.result.id, new JsonText(recordText(record, resultText())), { expiresAtMs: clock.nowMs() + limits.retainedResultMs })
      .then(
        () => true,
        () => false,
      )

  const makeRoom = (): void => {
    while (remembered.length - firstRemembered > limits.retainedResults || rememberedBytes > limits.retainedResultBytes) {
      const oldest = remembered[firstRemembered]
      if (oldest === undefined) return
      firstRemembered += 1
      rememberedBytes -= oldest.bytes
      givingWay.push(oldest.id)
    }
    // The front of the list is given back now and then: shifting it every time would move the whole list.
    if (firstRemembered > 1_024) {
      remembered.splice(0, firstRemembered)
      firstRemembered = 0
    }
  }

  return {
    get pending() {
      return pending
    },
    get lost() {
      return lost
    },
    remember(record, resultText) {
      if (pending >= intakeLimits.pendingWrites) {
        lost += 1
        return Promise.resolve()
      }
      const bytes = sizeOf(record)
      remembered.push({ id: record.result.id, bytes })
      rememberedBytes += bytes
      makeRoom()
      pending += 1
      return new Promise((resolve) => {
        gathered.push({ record, resultText, done: resolve })
        if (gathered.length >= intakeLimits.gatheredWrites) flush()
        else cancelFlush ??= clock.schedule(clock.monotonicMs() + intakeLimits.gatherMs, flush)
      })
    },
    countLost() {
      lost += 1
    },
  }
}

/** About the bytes that the record takes as JSON: its answer is in it twice, as text and as message. */
function sizeOf({ result }: OperationRecord): number {
  return frameBytes + result.attempts.length * attemptBytes + 2 * (result.output?.text.length ?? 0)
}
