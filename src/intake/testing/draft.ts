/**
 * A complete draft, so that a test states only what it is about.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { OperationDraft } from '../operation-draft.ts'

export function draftAt(clock: Clock, changes: Partial<OperationDraft> = {}): OperationDraft {
  return {
    type: 'infrastructure',
    mode: 'sync',
    converse: { messages: [{ role: 'user', content: [{ text: 'x' }] }] },
    mayRaisePriority: false,
    repeatable: true,
    tenant: null,
    metadata: {},
    arrivedAtMs: clock.monotonicMs(),
    createdAtMs: clock.nowMs(),
    correlationId: 'cor_1',
    ...changes,
  }
}
