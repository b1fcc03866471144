/**
 * The operations log: what the people on call found and did, entry by entry, newest first (runbook, "Morning health check").
 * The author is the holder of the key. Entries are written once and not changed; that one was written is audited.
 */
import type { JsonValue } from '../operation/converse.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Ids } from '../runtime/ids.ts'
import type { StateStore } from '../store/state-store.ts'
import type { AuditTrail } from './audit-trail.ts'
import { auditLimits } from './limits.ts'

export interface OperationsLogDraft {
  readonly title: string
  readonly findings: readonly string[]
  readonly actions: readonly string[]
}

export interface OperationsLogEntry extends OperationsLogDraft {
  readonly id: string
  readonly author: string
  readonly createdAt: string
}

export interface OperationsLog {
  add(draft: OperationsLogDraft, author: string, correlationId: string): Promise<OperationsLogEntry>
  /** @param after the id of the last entry of the page before */
  list(limit: number, after?: string): Promise<{ readonly entries: readonly OperationsLogEntry[]; readonly after: string | undefined }>
}

const collection = 'operations-log'

export function createOperationsLog(parts: { readonly state: StateStore; readonly clock: Clock; readonly ids: Ids; readonly audit: AuditTrail }): OperationsLog {
  const { state, clock, ids, audit } = parts
  return {
    async add(draft, author, correlationId) {
      const nowMs = clock.nowMs()
      const entry: OperationsLogEntry = { id: ids.next('log'), author, createdAt: new Date(nowMs).toISOString(), ...draft }
      await state.put(collection, entry.id, entry as unknown as JsonValue, { ifVersion: 'absent', expiresAtMs: nowMs + auditLimits.operationsLogMs })
      audit.append({ kind: 'operations_log', who: author, what: 'operations-log', component: 'hybrid-router', reason: null, before: null, after: { id: entry.id, title: draft.title }, correlationId })
      return entry
    },
    async list(limit, after) {
      const page = await state.list(collection, { limit: limit + 1, descending: true, ...(after === undefined ? {} : { after }) })
      const entries = page.slice(0, limit).map(({ value }) => value as unknown as OperationsLogEntry)
      return { entries, after: page.length > limit ? entries.at(-1)?.id : undefined }
    },
  }
}
