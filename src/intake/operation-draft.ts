/**
 * What a front door hands in: a request that is valid by itself, in the canonical form, with who sent it and when it came.
 * Admission makes the operation of it: the id, the limits in time and the priority that holds.
 *
 * Every front door ends in this type, and nothing behind it knows which one it was. The fingerprint is over what the caller
 * asked for, so that the same `Idempotency-Key` with another request is noticed; the mode is not part of it, because a caller
 * may come back for the same answer in another way.
 */
import type { ConverseRequest, JsonValue } from '../operation/converse.ts'
import type { OperationType, Priority } from '../operation/matrix.ts'
import type { OperationMode } from '../operation/operation.ts'

export interface OperationDraft {
  readonly type: OperationType
  readonly mode: OperationMode
  readonly converse: ConverseRequest
  readonly modelId?: string
  /** What the caller asks for; the matrix's where absent. */
  readonly priority?: Priority
  /** Whether this caller may ask for more than the matrix gives. */
  readonly mayRaisePriority: boolean
  readonly latencyMs?: number
  readonly repeatable: boolean
  readonly tenant: string | null
  readonly userId?: string
  readonly metadata: Readonly<Record<string, string>>
  /** Monotonic and wall clock at the arrival of the request. */
  readonly arrivedAtMs: number
  readonly createdAtMs: number
  readonly correlationId: string
  readonly traceparent?: string
  readonly idempotency?: {
    readonly key: string
    /** What the caller sent, without the mode: the basis of the fingerprint. */
    readonly request: JsonValue
  }
  readonly callbackUrl?: string
}

/** Who reads or cancels: a caller of a tenant sees that tenant's operations, one without a tenant sees all. */
export interface Reader {
  readonly tenant: string | null
}

export function maySee(reader: Reader, tenant: string | null): boolean {
  return reader.tenant === null || reader.tenant === tenant
}
