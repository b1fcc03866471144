/**
 * Operations that carry an `Idempotency-Key`: one request binds the key and starts the operation, a repeat finds it, wherever
 * it runs and whether its process lives or not (public contract, part 3). The key is bound before anything else is written,
 * and the note that its operation is in flight is taken off last, so that a crash at any point leaves what a repeat can
 * judge by.
 *
 * What must not be repeated is never repeated on a guess: where its outcome was lost, the repeat is told so.
 */
import type { Priority } from '../../operation/matrix.ts'
import type { Operation } from '../../operation/operation.ts'
import { OperationError } from '../../operation/problem.ts'
import { isFinal } from '../../operation/result.ts'
import { operationMessage, type WorkBinding } from '../../queue/work.ts'
import { sleep, type Clock } from '../../runtime/clock.ts'
import { intakeLimits } from '../limits.ts'
import type { LiveOperation } from '../live-operation.ts'
import type { OperationDraft } from '../operation-draft.ts'
import { keepsItsKey, type OperationRecord } from '../operation-record.ts'
import { createStoredTicket, type Ticket } from '../ticket.ts'
import type { WorkQueue } from './durable-operations.ts'
import { bindingKey, fingerprint } from './fingerprint.ts'
import type { Binding, HeldBinding, IdempotencyKeys } from './idempotency-keys.ts'
import type { OperationRecords } from './operation-records.ts'

export interface KeyedParts {
  readonly keys: IdempotencyKeys
  readonly records: OperationRecords
  readonly work: WorkQueue
  readonly clock: Clock
  readonly instanceId: string
  /** ms for which a key stands for its operation. */
  readonly idempotencyMs: number
  /** The operation that the draft is as of now; throws the refusal otherwise. */
  admit(draft: OperationDraft, priority?: Priority): Operation
  /** Throws the refusal where there is no room for one more. */
  assertCapacity(priority: Priority): void
  enqueue(operation: Operation, binding: WorkBinding): Promise<Ticket>
  start(operation: Operation): LiveOperation
  /** The one with this id that runs in this process. */
  live(id: string): LiveOperation | undefined
  /** What is known of one that does not. */
  find(id: string): Promise<OperationRecord | undefined>
  /** One that another instance carries out just now. */
  locate(id: string): Promise<Ticket | undefined>
  /** Sees to it that the result reaches the address that the caller gave, where it gave one. */
  callBack(record: OperationRecord): Promise<void>
}

export interface KeyedOperations {
  /** Starts it, or finds the operation that the key stands for. */
  submit(draft: OperationDraft, idempotency: NonNullable<OperationDraft['idempotency']>, priority: Priority): Promise<Ticket>
  /** Puts the end of one that ran here on record; resolves with the record that holds. */
  finish(record: OperationRecord): Promise<OperationRecord>
  /** Lets go of one that ran here and leaves its key and its note in the store, for the process that resumes it. */
  leave(id: string): void
}

export function createKeyedOperations(parts: KeyedParts): KeyedOperations {
  const { keys, records, work, clock } = parts
  /** Bound and not live yet. */
  const startings = new Map<string, Promise<LiveOperation>>()
  /** The keys of those that run here. */
  const heldKeys = new Map<string, HeldBinding>()

  const submit: KeyedOperations['submit'] = async (draft, { key, request }, priority) => {
    const print = fingerprint(request)
    const storeKey = bindingKey(draft.tenant, key)
    for (;;) {
      const operation = parts.admit(draft, priority)
      const before = await findRepeat(draft, storeKey, print)
      if (before !== undefined) return before
      // Only what is admitted binds, so the room is looked at first.
      if (draft.mode !== 'async') parts.assertCapacity(priority)
      const binding: Binding = { operationId: operation.id, fingerprint: print, endsByMs: endsBy(operation) }
      const { bound, held } = await keys.bind(storeKey, binding, clock.nowMs() + parts.idempotencyMs)
      // Somebody was quicker: look at what is there now.
      if (!bound) continue
      const { version } = held
      try {
        if (draft.mode === 'async') return await parts.enqueue(operation, { key: storeKey, version })
        heldKeys.set(operation.id, held)
        const starting = records.noteInFlight({ home: parts.instanceId, operation, binding: { key: storeKey, version } }).then(() => parts.start(operation))
        startings.set(operation.id, starting)
        return await starting.finally(() => startings.delete(operation.id))
      } catch (error) {
        heldKeys.delete(operation.id)
        await Promise.allSettled([keys.release(held), records.forgetInFlight(operation.id)])
        throw error
      }
    }
  }

  /** The operation that the key stands for, when it does. Waits for one that runs in another process. */
  const findRepeat = async (draft: OperationDraft, storeKey: string, print: string): Promise<Ticket | undefined> => {
    let tracelessSinceMs: number | undefined
    for (;;) {
      const held = await keys.find(storeKey)
      if (held === undefined) return undefined
      const { binding } = held
      if (binding.fingerprint !== print) {
        throw new OperationError('conflict', 'Idempotency-Key: it already stands for another request.', { operationId: binding.operationId })
      }
      // One whose start fails is looked for again: its key is free by then.
      const here = parts.live(binding.operationId) ?? (await startings.get(binding.operationId)?.catch(() => undefined))
      if (here !== undefined) return here
      const record = await parts.find(binding.operationId)
      if (record !== undefined && isFinal(record.result.status)) {
        if (keepsItsKey(record.result)) return createStoredTicket(record)
        await keys.release(held)
        continue
      }
      if (record !== undefined && draft.mode === 'async') return createStoredTicket(record)
      // A stream is told as it is written, wherever that is; whoever wants the whole answer waits for it on record.
      const there = record !== undefined && draft.mode === 'stream' ? await parts.locate(binding.operationId) : undefined
      if (there !== undefined) return there
      if (clock.nowMs() > binding.endsByMs + intakeLimits.elsewhereGraceMs) {
        // Its process is gone without a word. What must not be repeated is not repeated on a guess.
        if (!draft.repeatable) throw new OperationError('outcome_unknown', 'The operation of this Idempotency-Key was started and its outcome was lost.', { operationId: binding.operationId })
        await keys.release(held)
        continue
      }
      if (record === undefined && draft.repeatable && (await records.findInFlight(binding.operationId)) === undefined) {
        tracelessSinceMs ??= clock.monotonicMs()
        if (clock.monotonicMs() - tracelessSinceMs >= intakeLimits.neverStartedMs) {
          await takeUp(draft, held)
          tracelessSinceMs = undefined
        }
      }
      await sleep(clock, intakeLimits.elsewherePollMs)
    }
  }

  /**
   * The process that bound the key died before it noted the start: the operation is put into the queue under its own id, with
   * the time that it has left. One that waits there already is a duplicate to the queue, and stays as it is.
   */
  const takeUp = async (draft: OperationDraft, { key, version, binding }: HeldBinding): Promise<void> => {
    const fresh = parts.admit(draft)
    const operation: Operation = { ...fresh, id: binding.operationId, createdAtMs: fresh.createdAtMs - (endsBy(fresh) - binding.endsByMs) }
    await work.enqueue(operationMessage({ kind: 'operation', operation, binding: { key, version }, resumed: true }, clock.nowMs()))
  }

  return {
    submit,
    /** The key is free, or the result on record, before anybody is told; the note that it is in flight goes last. */
    async finish(record) {
      const { id } = record.result
      const held = heldKeys.get(id)
      heldKeys.delete(id)
      const { holds } = await records.finish(record)
      if (held !== undefined && !keepsItsKey(holds.result)) await keys.release(held)
      await parts.callBack(holds)
      await records.forgetInFlight(id)
      return holds
    },
    leave(id) {
      heldKeys.delete(id)
    },
  }
}

/** Wall clock by which it has ended, wherever it runs. */
function endsBy(operation: Operation): number {
  return operation.createdAtMs + operation.hardTimeoutMs + (operation.mode === 'stream' ? operation.streamMaxMs : 0)
}
