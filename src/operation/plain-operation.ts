/**
 * An operation as plain as they come, with what the matrix says of its type: what is asked without a caller, by the service
 * itself, in a simulation, in a drill or in a test.
 */
import { operationLimits, type MatrixRow, type OperationType } from './matrix.ts'
import type { Operation } from './operation.ts'

/** What a plain operation has to be given; it may be given anything else. */
export type OwnMembers = Pick<Operation, 'id' | 'correlationId' | 'converse' | 'arrivedAtMs' | 'createdAtMs' | 'streamMaxMs'> & Partial<Operation>

export function plainOperation(type: OperationType, row: MatrixRow, own: OwnMembers): Operation {
  return { type, priority: row.priority, mode: 'sync', repeatable: true, tenant: null, metadata: {}, ...operationLimits(row), streamSilenceMs: row.latencyMs, ...own }
}
