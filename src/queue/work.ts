/**
 * What a message in the durable queue asks for: one attempt on the MCP path whose caller waits, a whole operation that runs
 * without its caller, or a callback. Here is how each becomes a message (its class, its order, its life) and is read back.
 *
 * An operation travels without its monotonic arrival, which means nothing in another process: whoever claims it counts from
 * the wall clock of its creation, so that the hard timeout holds across restarts. The message's own expiry is what bounds
 * it, since an operator may give a dead letter a new life.
 *
 * It knows neither engines nor handlers. Source: public contract, part 3, and the house design, "How an operation flows".
 */
import type { JsonValue } from '../operation/converse.ts'
import type { Operation } from '../operation/operation.ts'
import type { Message } from '../store/message-queue.ts'
import { queueLimits } from './limits.ts'

/** An idempotency key's binding in the state store, to be released when the operation may be asked again. */
export interface WorkBinding {
  readonly key: string
  readonly version: number
}

export interface AttemptWork {
  readonly kind: 'attempt'
  readonly operation: Operation
  readonly number: number
  readonly target: string
  readonly streaming: boolean
  /** The instance whose caller waits. */
  readonly home: string
}

export interface OperationWork {
  readonly kind: 'operation'
  readonly operation: Operation
  readonly binding: WorkBinding | null
  /** It ran in a process that is gone. */
  readonly resumed: boolean
}

export interface CallbackWork {
  readonly kind: 'callback'
  readonly operationId: string
  readonly url: string
}

export type Work = AttemptWork | OperationWork | CallbackWork
export type WorkKind = Work['kind']

export interface Instants {
  readonly wallMs: number
  readonly monotonicMs: number
}

/** @param attemptDeadlineMs monotonic @param repeatable whether what was sent may be sent again */
export function attemptMessage(work: AttemptWork, attemptDeadlineMs: number, repeatable: boolean, now: Instants): Message {
  const { operation } = work
  return {
    id: attemptMessageId(operation.id, work.number),
    priority: operation.priority,
    payload: toPayload(work),
    enqueuedAtMs: now.wallMs,
    expiresAtMs: now.wallMs + Math.max(0, attemptDeadlineMs - now.monotonicMs),
    deadlineMs: operation.createdAtMs + operation.latencyRequirementMs,
    maxDeliveries: repeatable ? queueLimits.deliveries : 1,
  }
}

export function attemptMessageId(operationId: string, number: number): string {
  return `${operationId}.${number}`
}

export function operationMessage(work: OperationWork, nowMs: number): Message {
  const { operation } = work
  return {
    id: operation.id,
    priority: operation.priority,
    payload: toPayload(work),
    enqueuedAtMs: nowMs,
    expiresAtMs: operation.createdAtMs + operation.hardTimeoutMs,
    deadlineMs: operation.createdAtMs + operation.latencyRequirementMs,
    maxDeliveries: queueLimits.deliveries,
  }
}

export function callbackMessage(work: CallbackWork, nowMs: number): Message {
  return {
    id: `callback.${work.operationId}`,
    priority: 'low',
    payload: toPayload(work),
    enqueuedAtMs: nowMs,
    expiresAtMs: nowMs + queueLimits.callbackMs,
    deadlineMs: nowMs + queueLimits.callbackMs,
    maxDeliveries: queueLimits.callbackDeliveries,
  }
}

/** Undefined for what this version cannot read: it goes to the dead letters. */
export function readWork(payload: JsonValue): Work | undefined {
  if (payload === null || typeof payload !== 'object') return undefined
  const work = payload as unknown as Partial<Work>
  switch (work.kind) {
    case 'attempt':
      return isOperation(work.operation) && typeof work.number === 'number' && typeof work.target === 'string' && typeof work.home === 'string' ? (work as AttemptWork) : undefined
    case 'operation':
      return isOperation(work.operation) ? (work as OperationWork) : undefined
    case 'callback':
      return typeof work.operationId === 'string' && typeof work.url === 'string' ? (work as CallbackWork) : undefined
    default:
      return undefined
  }
}

/** The operation as the process that carries it out sees it. */
export function revived(operation: Operation, expiresAtMs: number, now: Instants): Operation {
  return {
    ...operation,
    arrivedAtMs: now.monotonicMs - Math.max(0, now.wallMs - operation.createdAtMs),
    hardTimeoutMs: Math.max(1, expiresAtMs - operation.createdAtMs),
  }
}

function isOperation(value: Partial<Operation> | undefined): value is Operation {
  return typeof value?.id === 'string' && typeof value.type === 'string' && typeof value.createdAtMs === 'number' && typeof value.hardTimeoutMs === 'number' && typeof value.converse === 'object'
}

/** It came as JSON and leaves as JSON: members that are absent stay absent. */
function toPayload(work: Work): JsonValue {
  return work as unknown as JsonValue
}
