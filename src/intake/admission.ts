/**
 * Decides whether a draft becomes an operation now, and with which limits: the priority that holds, the requirement and
 * the hard timeout (public contract, part 3, "Time"), and the share of the capacity that its priority may use.
 *
 * Shedding at the door keeps room for the urgent: as the number of running operations nears the limit, the lowest priority
 * is refused first, and the last of the room is for critical operations alone. It knows no route and no upstream.
 */
import { operationLimits, priorityRank, type Matrix, type Priority } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { OperationError } from '../operation/problem.ts'
import type { OperationDraft } from './operation-draft.ts'

export interface AdmissionSettings {
  readonly matrix: Matrix
  /** Null: the operation's latency requirement. */
  readonly streamSilenceMs: number | null
  readonly streamMaxMs: number
  /** What a caller may name as `modelId`: the configured models, so that no prompt goes where the operators did not allow it. */
  readonly models: ReadonlySet<string>
  /** Whether results can be posted to a `callbackUrl`, which needs a secret to sign them with. */
  readonly callbacks: boolean
}

/** Share of the limit on running operations that each priority may fill. */
const capacityShare: Readonly<Record<Priority, number>> = { critical: 1, high: 0.95, medium: 0.9, low: 0.8 }

/** What a refused caller is told to wait: a typical operation is over by then. */
const refusalRetryAfterMs = 1_000
/** Models that a refusal lists; a configuration has a few. */
const shownModels = 20

/** @returns the error with which the operation is refused, or undefined when there is room. */
export function refusalForCapacity(priority: Priority, running: number, limit: number): OperationError | undefined {
  if (running < Math.max(1, Math.floor(limit * capacityShare[priority]))) return undefined
  return new OperationError('overloaded', `Too many operations run at once for priority ${priority}.`, { retryAfterMs: refusalRetryAfterMs })
}

export function refusalForDraining(): OperationError {
  return new OperationError('overloaded', 'The service is stopping; another instance takes new operations.', { retryAfterMs: refusalRetryAfterMs })
}

/** @returns the error with which an operation is refused that names a model which is not configured. */
export function refusalForModel(modelId: string | undefined, models: ReadonlySet<string>): OperationError | undefined {
  if (modelId === undefined || models.has(modelId)) return undefined
  const shown = [...models].slice(0, shownModels).join(', ')
  const message = models.size === 0 ? 'must be absent: no model is configured.' : `must be one of the configured models: ${shown}${models.size > shownModels ? `, and ${models.size - shownModels} more` : ''}.`
  return new OperationError('invalid_request', `modelId: ${message}`, { errors: [{ path: 'modelId', message }] })
}

export function refusalForCallback(callbackUrl: string | undefined, callbacks: boolean): OperationError | undefined {
  if (callbackUrl === undefined || callbacks) return undefined
  const message = 'must be absent: the service has no secret to sign callbacks with (callbacks.secret).'
  return new OperationError('invalid_request', `callbackUrl: ${message}`, { errors: [{ path: 'callbackUrl', message }] })
}

/** @returns the priority that holds, or the error that says why the asked one may not. */
export function admittedPriority(draft: OperationDraft, matrix: Matrix): Priority | OperationError {
  const own = matrix[draft.type].priority
  if (draft.priority === undefined || draft.priority === own) return own
  if (priorityRank(draft.priority) < priorityRank(own) && !draft.mayRaisePriority) {
    return new OperationError('forbidden', `priority: only an admin key may raise ${draft.type} above ${own}.`)
  }
  return draft.priority
}

export function admit(draft: OperationDraft, id: string, priority: Priority, settings: AdmissionSettings): Operation {
  const limits = operationLimits(settings.matrix[draft.type], draft.latencyMs)
  return {
    id,
    type: draft.type,
    priority,
    mode: draft.mode,
    converse: draft.converse,
    ...(draft.modelId === undefined ? {} : { modelId: draft.modelId }),
    repeatable: draft.repeatable,
    tenant: draft.tenant,
    ...(draft.userId === undefined ? {} : { userId: draft.userId }),
    metadata: draft.metadata,
    arrivedAtMs: draft.arrivedAtMs,
    createdAtMs: draft.createdAtMs,
    latencyRequirementMs: limits.latencyRequirementMs,
    hardTimeoutMs: limits.hardTimeoutMs,
    streamSilenceMs: settings.streamSilenceMs ?? limits.latencyRequirementMs,
    streamMaxMs: settings.streamMaxMs,
    correlationId: draft.correlationId,
    ...(draft.traceparent === undefined ? {} : { traceparent: draft.traceparent }),
    ...(draft.idempotency === undefined ? {} : { idempotencyKey: draft.idempotency.key }),
    ...(draft.callbackUrl === undefined ? {} : { callbackUrl: draft.callbackUrl }),
  }
}
