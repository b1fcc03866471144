/**
 * Dead letters, for operators: messages that no delivery could mend. They are listed without their content, put back with a
 * new life, or dropped.
 *
 * An operation that is put back is queued again on record, and its time counts from now. What must not be repeated and may
 * have been sent stays where it is: putting it back would do it twice. An attempt whose caller waited has nobody left to
 * answer.
 */
import type { Priority } from '../../operation/matrix.ts'
import { OperationError } from '../../operation/problem.ts'
import { queueLimits } from '../../queue/limits.ts'
import { readWork, type WorkKind } from '../../queue/work.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { DeadLetter, DeliveryRecord, MessageQueue } from '../../store/message-queue.ts'
import { StoreError } from '../../store/store-error.ts'
import type { OperationRecords } from './operation-records.ts'

export interface ListedDeadLetter {
  readonly id: string
  readonly kind: WorkKind | 'unreadable'
  readonly operationId: string | null
  readonly priority: Priority
  readonly deliveries: number
  readonly reason: string
  readonly diedAtMs: number
  readonly history: readonly DeliveryRecord[]
}

export interface DeadLetters {
  /** The oldest first; `after` is the id of the last one of the page before. */
  list(limit: number, after: string | undefined): Promise<readonly ListedDeadLetter[]>
  /** Rejects with `not_found` or `conflict`. */
  retry(id: string): Promise<void>
  drop(id: string): Promise<void>
}

export interface DeadLettersParts {
  readonly queue: Pick<MessageQueue, 'listDeadLetters' | 'retryDeadLetter' | 'dropDeadLetter'>
  readonly records: OperationRecords
  readonly clock: Clock
  readonly wasSent: (operationId: string) => Promise<boolean>
}

/** Letters that one read of the queue brings when one is looked for. */
const page = 200

export function createDeadLetters({ queue, records, clock, wasSent }: DeadLettersParts): DeadLetters {
  const find = async (id: string): Promise<DeadLetter> => {
    let after: string | undefined
    for (;;) {
      const letters = await queue.listDeadLetters({ limit: page, ...(after === undefined ? {} : { after }) })
      const found = letters.find(({ message }) => message.id === id)
      if (found !== undefined) return found
      if (letters.length < page) throw new OperationError('not_found', 'There is no dead letter with this id.')
      after = letters.at(-1)?.message.id
    }
  }

  return {
    list: (limit, after) => shown(async () => (await queue.listDeadLetters({ limit, ...(after === undefined ? {} : { after }) })).map(listed)),
    retry: (id) =>
      shown(async () => {
        const { message } = await find(id)
        const work = readWork(message.payload)
        const nowMs = clock.nowMs()
        if (work === undefined) throw new OperationError('conflict', 'This version cannot read it, so it cannot be tried again.')
        if (work.kind === 'attempt') throw new OperationError('conflict', 'It was an attempt whose caller waited; nobody is left to be answered.')
        let lifetime = { expiresAtMs: nowMs + queueLimits.callbackMs, deadlineMs: nowMs + queueLimits.callbackMs }
        if (work.kind === 'operation') {
          const { operation } = work
          if (await wasSent(operation.id)) throw new OperationError('conflict', 'It must not be repeated and may have been sent: check its effect, and submit it anew if it had none.')
          lifetime = { expiresAtMs: nowMs + operation.hardTimeoutMs, deadlineMs: nowMs + operation.latencyRequirementMs }
          const stored = await records.find(operation.id)
          if (stored !== undefined) {
            const { error: _error, ...result } = stored.record.result
            await records.put({ ...stored.record, endId: 0, result: { ...result, status: 'queued', completedAt: null } }, stored.version)
          }
        }
        if (!(await queue.retryDeadLetter(id, lifetime))) throw new OperationError('conflict', 'It is being reported at this moment, or somebody else has dealt with it.')
      }),
    drop: (id) =>
      shown(async () => {
        if (!(await queue.dropDeadLetter(id))) throw new OperationError('not_found', 'There is no dead letter with this id, or it is being reported at this moment.')
      }),
  }
}

function listed({ message, deliveries, reason, diedAtMs, history }: DeadLetter): ListedDeadLetter {
  const work = readWork(message.payload)
  const operationId = work === undefined ? null : work.kind === 'callback' ? work.operationId : work.operation.id
  return { id: message.id, kind: work?.kind ?? 'unreadable', operationId, priority: message.priority, deliveries, reason, diedAtMs, history }
}

async function shown<Value>(action: () => Promise<Value>): Promise<Value> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new OperationError('overloaded', 'The store does not answer.', { retryAfterMs: queueLimits.retryMs, cause: error })
  }
}
