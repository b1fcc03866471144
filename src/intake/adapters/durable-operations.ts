/**
 * Operations that outlive their caller's request: asynchronous ones from the start, keyed ones from the moment that their
 * process is gone. They are messages in the durable queue; here is what the worker does with one, and how each end that is
 * not the router's is put on record.
 *
 * Order of things, so that a crash at any point loses nothing: the result is on record before the message is acknowledged,
 * the callback is in the queue before that, and whoever finds a final record finishes those two and runs nothing. What must
 * not be repeated and may have been sent ends `outcome_unknown` and is not run again.
 */
import type { Operation } from '../../operation/operation.ts'
import { isFinal, type OperationResult } from '../../operation/result.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import type { Orphan } from '../../queue/adapters/queued-path.ts'
import type { Disposition, WorkHandler } from '../../queue/dispatcher.ts'
import { callbackMessage, operationMessage, revived, type OperationWork, type WorkBinding } from '../../queue/work.ts'
import { sleep, type Clock } from '../../runtime/clock.ts'
import type { EventStream } from '../../runtime/event-stream.ts'
import type { EnqueueOutcome, Message, RemoveOutcome } from '../../store/message-queue.ts'
import type { Relay } from '../../store/relay.ts'
import type { Continuation } from '../continued-follower.ts'
import { expiredResult, outcomeUnknownResult, poisonedResult, cancelledResult, type EndFacts } from '../final-result.ts'
import { intakeLimits } from '../limits.ts'
import type { LiveOperation } from '../live-operation.ts'
import { keepsItsKey, type OperationRecord, type ToldEvent } from '../operation-record.ts'
import type { OperationRecords, StoredOperation } from './operation-records.ts'

/** What the intake asks of the queue. */
export interface WorkQueue {
  /** Rejects with a `StoreError` when the queue does not take it in time. */
  enqueue(message: Message): Promise<EnqueueOutcome>
  remove(id: string): Promise<RemoveOutcome>
}

export interface DurableParts {
  readonly records: OperationRecords
  readonly work: WorkQueue
  readonly relay: Relay
  readonly clock: Clock
  readonly events: EventStream<SystemEvent>
  /** Whether it may have been sent by a process that is gone. */
  wasSent(operationId: string): Promise<boolean>
  releaseKey(binding: WorkBinding): Promise<unknown>
  queued(operation: Operation): OperationResult
  /** Starts it here; it counts as running until `forget`. */
  run(operation: Operation, told: readonly ToldEvent[], onTold: (event: ToldEvent) => void): LiveOperation
  forget(entry: LiveOperation): void
  /** Where the rest of it is told, from its record on. */
  continuationOf(record: OperationRecord): Continuation
  /** No new operation is begun. */
  isDraining(): boolean
  /** What runs is being cut off. */
  isStopping(): boolean
}

export interface DurableOperations {
  readonly handler: WorkHandler<OperationWork>
  /** The message of an attempt whose caller's process is gone. */
  orphaned(orphan: Orphan): Promise<void>
  /** Cancels one that does not run here; resolves with the record that holds. */
  cancelElsewhere(stored: { readonly record: OperationRecord; readonly version: number | undefined }): Promise<OperationRecord>
  /** Puts what processes that are gone have left in flight into the queue; resolves with how many. */
  resume(): Promise<number>
  callBack(record: OperationRecord): Promise<void>
}

const done: Disposition = { kind: 'done' }

export function createDurableOperations(parts: DurableParts): DurableOperations {
  const { records, work, relay, clock, events } = parts

  const factsAt = (createdAtMs: number): EndFacts => {
    const nowMs = clock.nowMs()
    return { completedAt: new Date(nowMs).toISOString(), totalMs: Math.max(0, nowMs - createdAtMs) }
  }

  const callBack = async (record: OperationRecord): Promise<void> => {
    if (record.callbackUrl === undefined) return
    const message = callbackMessage({ kind: 'callback', operationId: record.result.id, url: record.callbackUrl }, clock.nowMs())
    for (let attempt = 1; attempt <= intakeLimits.writeAttempts; attempt += 1) {
      const outcome = await work.enqueue(message)
      if (outcome.kind !== 'refused') return
      await sleep(clock, intakeLimits.writeRetryMs)
    }
  }

  /** Everything that has to follow a final record, also when the process that wrote it did not come so far. */
  const conclude = async (holds: OperationRecord, binding: WorkBinding | null): Promise<void> => {
    if (binding !== null && !keepsItsKey(holds.result)) await parts.releaseKey(binding)
    await callBack(holds)
  }

  const recordOf = (operation: Operation, result: OperationResult, endId: number, told: readonly ToldEvent[]): OperationRecord => ({
    tenant: operation.tenant,
    endId,
    result,
    told,
    ...(operation.callbackUrl === undefined ? {} : { callbackUrl: operation.callbackUrl }),
  })

  /** Ends it without running it. */
  const end = async (operation: Operation, binding: WorkBinding | null, make: (known: OperationResult, facts: EndFacts) => OperationResult): Promise<void> => {
    const stored = await records.find(operation.id)
    const told = stored?.record.told ?? []
    const result = make(stored?.record.result ?? parts.queued(operation), factsAt(operation.createdAtMs))
    const { holds, won } = await records.finish(recordOf(operation, result, told.length + 1, told), stored?.version)
    if (won) events.publish({ type: 'operation_ended', atMs: clock.nowMs(), operation, result })
    await conclude(holds, binding)
  }

  const carryOut = async (operation: Operation, stored: StoredOperation | undefined, binding: WorkBinding | null, lost: AbortSignal): Promise<Disposition> => {
    let version: number | undefined = stored?.version
    const told = [...(stored?.record.told ?? [])]
    let progress: Promise<void> = Promise.resolve()
    let isDone = false

    const hasEnded = (): boolean => isDone
    /** Best effort: what matters is the end. Somebody else's word that it is over stops it. */
    const writeProgress = async (): Promise<void> => {
      for (let turn = 0; turn < 2 && !hasEnded(); turn += 1) {
        const current = entry.current()
        // The end is written once, below, with everything that has to follow it.
        if (isFinal(current.status)) return
        const next = await records.put(recordOf(operation, current, 0, [...told]), version ?? 'absent').catch(() => null)
        if (next === null) return
        if (next !== undefined) {
          version = next
          return
        }
        const there = await records.find(operation.id).catch(() => undefined)
        if (there === undefined) return
        if (isFinal(there.record.result.status)) {
          entry.cancel('requested')
          return
        }
        version = there.version
      }
    }

    const entry = parts.run(operation, told, (event) => {
      told.push(event)
      progress = progress.then(writeProgress)
    })
    /** It is not over, only its turn here: nobody is told an end. */
    const giveBack = async (reason: string, delayMs: number): Promise<Disposition> => {
      const waiting = recordOf(operation, parts.queued(operation), 0, [...told])
      // Best effort: whoever has it next writes what it is then.
      await records.put(waiting, version ?? 'absent').catch(() => undefined)
      entry.abandon(parts.continuationOf(waiting))
      return { kind: 'again', delayMs, reason, attempted: false }
    }
    lost.addEventListener('abort', () => entry.cancel('shutdown'), { once: true })
    const result = await entry.whenEnded()
    isDone = true
    try {
      await progress
      if (lost.aborted) {
        // Whoever took it over writes the record from now on.
        entry.abandon(parts.continuationOf(recordOf(operation, parts.queued(operation), 0, told)))
        return done
      }
      if (parts.isStopping() && result.status === 'cancelled' && result.error?.code !== 'outcome_unknown') return await giveBack('the service stopped', 0)
      // Accepted work waits for room, or for the end of the maintenance, as long as its time allows.
      if (result.attempts.length === 0 && (result.error?.code === 'overloaded' || result.error?.code === 'maintenance')) {
        return await giveBack(`refused: ${result.error.code}`, intakeLimits.overloadedDelayMs)
      }
      const { holds } = await records.finish(recordOf(operation, result, entry.endId(), told), version)
      await conclude(holds, binding)
      entry.settle(holds.result)
      return done
    } finally {
      entry.settle()
      parts.forget(entry)
    }
  }

  const cancelElsewhere = async ({ record, version }: Parameters<DurableOperations['cancelElsewhere']>[0]): Promise<OperationRecord> => {
    const { result } = record
    const told = record.told ?? []
    const cancelled: OperationRecord = { ...record, told, endId: told.length + 1, result: cancelledResult(result, factsAt(Date.parse(result.createdAt))) }
    const { holds, won } = await records.finish(cancelled, version)
    if (won) {
      relay.send(null, { about: 'cancel', id: result.id })
      // Where a worker has it, it meets the final record.
      await work.remove(result.id).catch(() => undefined)
      await callBack(holds)
    }
    return holds
  }

  return {
    handler: {
      async work({ operation: sent, binding, resumed }, delivery, lost) {
        if (parts.isDraining()) return { kind: 'again', delayMs: intakeLimits.drainDelayMs, reason: 'the service is stopping', attempted: false }
        const operation = revived(sent, delivery.message.expiresAtMs, { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() })
        const stored = await records.find(operation.id)
        if (stored !== undefined && isFinal(stored.record.result.status)) {
          await conclude(stored.record, binding)
          return done
        }
        if ((delivery.delivery > 1 || resumed) && (await parts.wasSent(operation.id))) {
          await end(operation, binding, outcomeUnknownResult)
          return done
        }
        return carryOut(operation, stored, binding, lost)
      },
      async ended({ operation, binding }, { ended, deliveries }) {
        if (ended === 'expired') await end(operation, binding, (known, facts) => expiredResult(known, 'hard_timeout', facts))
        else if (await parts.wasSent(operation.id)) await end(operation, binding, outcomeUnknownResult)
        else await end(operation, binding, (known, facts) => poisonedResult(known, deliveries, facts))
      },
    },
    async orphaned({ operation, cause, begun }) {
      // A keyed one is resumed as a whole, and its attempts with it.
      if (operation.idempotencyKey !== undefined) return
      if (cause === 'dead' && begun) await end(operation, null, outcomeUnknownResult)
      else await end(operation, null, (known, facts) => expiredResult(known, 'caller_gone', facts))
    },
    cancelElsewhere,
    async resume() {
      let count = 0
      let after: string | undefined
      for (;;) {
        const page = await records.listInFlight(after)
        for (const { home, operation, binding } of page) {
          after = operation.id
          if (await relay.isAlive(home)) continue
          const outcome = await work.enqueue(operationMessage({ kind: 'operation', operation, binding, resumed: true }, clock.nowMs()))
          // A full queue is asked again with the next look.
          if (outcome.kind === 'refused') return count
          await records.forgetInFlight(operation.id)
          count += 1
        }
        if (page.length < intakeLimits.listPage) return count
      }
    },
    callBack,
  }
}
