/**
 * Operations on record in the state store, for those that any instance may be asked for: asynchronous and keyed ones.
 *
 * The first final record wins, whoever writes it: the worker that carried the operation out, a cancel on another instance,
 * or whoever found that it expired. The store's compare-and-set decides, and the loser is told what holds. A keyed
 * operation that a caller waits for is besides noted as being in flight, with the process that has it, so that another one
 * can resume it.
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { Operation } from '../../operation/operation.ts'
import { isFinal } from '../../operation/result.ts'
import type { WorkBinding } from '../../queue/work.ts'
import { sleep, type Clock } from '../../runtime/clock.ts'
import type { PutOptions, StateRecord, StateStore } from '../../store/state-store.ts'
import { intakeLimits } from '../limits.ts'
import { operationsCollection, readRecord, toValue, type OperationRecord } from '../operation-record.ts'

export interface StoredOperation {
  readonly record: OperationRecord
  readonly version: number
}

export interface InFlight {
  /** The instance whose caller waits. */
  readonly home: string
  readonly operation: Operation
  readonly binding: WorkBinding | null
}

export interface OperationRecords {
  find(id: string): Promise<StoredOperation | undefined>
  /** Over that version, or where there is nothing; undefined when something else is there. */
  put(record: OperationRecord, ifVersion: number | 'absent'): Promise<number | undefined>
  /** Resolves with the final record that holds and whether it is this one; a store that is away is asked again for a while. */
  finish(record: OperationRecord, lastVersion?: number): Promise<{ readonly holds: OperationRecord; readonly won: boolean }>
  noteInFlight(note: InFlight): Promise<void>
  forgetInFlight(id: string): Promise<boolean>
  findInFlight(id: string): Promise<InFlight | undefined>
  listInFlight(after: string | undefined): Promise<readonly InFlight[]>
}

const inFlightCollection = 'in-flight'
/** ms that a note outlives the end of its operation. */
const notedMs = 3_600_000

export function createOperationRecords(state: StateStore, clock: Clock, retainedMs: () => number): OperationRecords {
  const options = (ifVersion: number | 'absent'): PutOptions => ({ ifVersion, expiresAtMs: clock.nowMs() + retainedMs() })

  const finishOnce = async (record: OperationRecord, lastVersion: number | undefined): Promise<{ readonly holds: OperationRecord; readonly won: boolean }> => {
    let ifVersion: number | 'absent' = lastVersion ?? 'absent'
    for (;;) {
      const outcome = await state.put(operationsCollection, record.result.id, toValue(record), options(ifVersion))
      if (outcome.stored) return { holds: record, won: true }
      const there = outcome.current === undefined ? undefined : read(outcome.current)
      if (there !== undefined && isFinal(there.record.result.status)) return { holds: there.record, won: false }
      ifVersion = outcome.current?.version ?? 'absent'
    }
  }

  return {
    async find(id) {
      const stored = await state.get(operationsCollection, id)
      return stored === undefined ? undefined : read(stored)
    },
    async put(record, ifVersion) {
      const outcome = await state.put(operationsCollection, record.result.id, toValue(record), options(ifVersion))
      return outcome.stored ? outcome.version : undefined
    },
    async finish(record, lastVersion) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await finishOnce(record, lastVersion)
        } catch (error) {
          if (attempt === intakeLimits.writeAttempts) throw error
          await sleep(clock, intakeLimits.writeRetryMs)
        }
      }
    },
    async noteInFlight(note) {
      const { operation } = note
      const expiresAtMs = operation.createdAtMs + operation.hardTimeoutMs + operation.streamMaxMs + notedMs
      await state.put(inFlightCollection, operation.id, note as unknown as JsonValue, { expiresAtMs })
    },
    forgetInFlight: (id) => state.delete(inFlightCollection, id),
    async findInFlight(id) {
      const stored = await state.get(inFlightCollection, id)
      return stored === undefined ? undefined : readInFlight(stored.value)
    },
    async listInFlight(after) {
      const page = await state.list(inFlightCollection, { limit: intakeLimits.listPage, ...(after === undefined ? {} : { after }) })
      return page.map(({ value }) => readInFlight(value)).filter((note) => note !== undefined)
    },
  }
}

function read(stored: StateRecord): StoredOperation | undefined {
  const record = readRecord(stored.value)
  return record === undefined ? undefined : { record, version: stored.version }
}

function readInFlight(value: JsonValue): InFlight | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const note = value as unknown as Partial<InFlight>
  return typeof note.home === 'string' && typeof note.operation?.id === 'string' && typeof note.operation.createdAtMs === 'number' ? (note as InFlight) : undefined
}
