/**
 * A page of operations, newest first: what runs in this process and what the store has, as one list. The live one wins
 * where both know an operation, because the store hears of changes later.
 *
 * A filter may fit nothing, so one request looks at a bounded number of records and then hands back a cursor: the page may
 * be shorter than asked although there is more. The cursor is the id of the last operation that was looked at; the front
 * door makes it opaque.
 */
import type { OperationResult } from '../operation/result.ts'
import type { StateStore } from '../store/state-store.ts'
import { intakeLimits } from './limits.ts'
import type { Reader } from './operation-draft.ts'
import { operationsCollection, readRecord, selects, type OperationFilter, type OperationRecord } from './operation-record.ts'

export interface PageRequest {
  readonly filter: OperationFilter
  readonly limit: number
  readonly after?: string
}

export interface OperationPage {
  readonly operations: readonly OperationResult[]
  /** Undefined at the end of the list. */
  readonly next?: string
}

export interface ListingSources {
  readonly state: Pick<StateStore, 'list'>
  readonly live: () => readonly OperationRecord[]
  readonly createdAtMs: (result: OperationResult) => number
}

export function listOperations(sources: ListingSources, reader: Reader, page: PageRequest): Promise<OperationPage> {
  const { filter, limit } = page
  const operations: OperationResult[] = []
  let scanned = 0

  const scan = (after: string | undefined): Promise<OperationPage> =>
    sources.state
      .list(operationsCollection, { descending: true, limit: intakeLimits.listPage, ...(after === undefined ? {} : { after }) })
      .then((stored) => {
        const atEnd = stored.length < intakeLimits.listPage
        const last = atEnd ? '' : (stored.at(-1)?.key ?? '')
        const candidates = new Map(stored.map((record) => [record.key, readRecord(record.value)]))
        for (const record of sources.live()) {
          const { id } = record.result
          if ((after === undefined || id < after) && id >= last) candidates.set(id, record)
        }
        for (const id of [...candidates.keys()].sort().reverse()) {
          scanned += 1
          const record = candidates.get(id)
          if (record === undefined || !selects(filter, reader, record, sources.createdAtMs(record.result))) continue
          operations.push(record.result)
          if (operations.length === limit) return { operations, next: id }
        }
        if (atEnd) return { operations }
        return scanned >= intakeLimits.listedRecords ? { operations, next: last } : scan(last)
      })

  return scan(page.after)
}
