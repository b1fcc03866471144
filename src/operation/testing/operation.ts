/**
 * A complete operation with the runbook's limits, so that a test states only what it is about.
 */
import { runbookMatrix, type OperationType } from '../matrix.ts'
import type { Operation } from '../operation.ts'
import { plainOperation } from '../plain-operation.ts'

export function operationOf(type: OperationType, changes: Partial<Operation> = {}): Operation {
  return plainOperation(type, runbookMatrix[type], {
    id: `op_${type}`,
    converse: { messages: [{ role: 'user', content: [{ text: 'What is wrong with the disk?' }] }] },
    arrivedAtMs: 0,
    // 2026-01-01T08:00:00Z
    createdAtMs: 1_767_254_400_000,
    streamSilenceMs: 5_000,
    streamMaxMs: 600_000,
    correlationId: 'cor_1',
    ...changes,
  })
}
