/**
 * A path that puts on record that it is about to send, before it does: for operations that survive this process and must
 * not be carried out twice. After a crash the mark says that the outcome is unknown; without one the operation was never
 * sent and may go on. The mark is cautious: it is there from just before the attempt.
 *
 * All other operations pass straight through: no promise, no store.
 */
import type { Fault } from '../../operation/fault.ts'
import type { Operation } from '../../operation/operation.ts'
import type { AttemptListener, AttemptRequest, Path, RunningAttempt } from '../../operation/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { StateStore } from '../../store/state-store.ts'
import { queueLimits } from '../limits.ts'
import { withinTime } from '../../store/adapters/within-time.ts'

const collection = 'sent'
/** ms that a mark outlives the end of its operation: whoever resumes it looks within seconds. */
const markedMs = 3_600_000

export interface MarkedPaths {
  around(path: Path, isRepeatable: (operation: Operation) => boolean): Path
  /** Whether the operation may have been sent by a process that is gone. */
  has(operationId: string): Promise<boolean>
}

export function createMarkedPaths(state: StateStore, clock: Clock): MarkedPaths {
  const mark = (operation: Operation): Promise<unknown> => {
    const expiresAtMs = operation.createdAtMs + operation.hardTimeoutMs + operation.streamMaxMs + markedMs
    return withinTime(clock, state.put(collection, operation.id, true, { expiresAtMs }), queueLimits.enqueueMs, 'The store')
  }
  return {
    around: (path, isRepeatable) => ({
      route: path.route,
      start(request, listener) {
        const { operation } = request
        const survives = operation.mode === 'async' || operation.idempotencyKey !== undefined
        if (!survives || isRepeatable(operation)) return path.start(request, listener)
        return startMarked(path, request, listener, mark(operation))
      },
    }),
    has: async (operationId) => (await state.get(collection, operationId)) !== undefined,
  }
}

function startMarked(path: Path, request: AttemptRequest, listener: AttemptListener, marked: Promise<unknown>): RunningAttempt {
  let running: RunningAttempt | null = null
  let over = false
  const nothing = { modelId: null, usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 }, estimated: false }
  marked.then(
    () => {
      if (over) return
      running = path.start(request, listener)
    },
    () => {
      if (over) return
      over = true
      listener.onEnd({ outcome: 'failed', fault: unmarked, spend: nothing })
    },
  )
  return {
    cancel() {
      if (running !== null) {
        running.cancel()
      } else if (!over) {
        over = true
        listener.onEnd({ outcome: 'cancelled', spend: nothing })
      }
    },
    spent: () => running?.spent?.() ?? nothing,
  }
}

const unmarked: Fault = { kind: 'overloaded', retryable: true, message: 'The store does not answer, and what must not be repeated is not sent without a record of it.', rejected: true }
