/**
 * Executions on a path of ours, for the operations MCP server the Direct Bedrock Client: its targets are tried in their
 * order, each once, until one answers. Text that was already delivered cannot be taken back over MCP, so a stream that dies
 * after its first content fails, and the router on the other side decides what to do.
 */
import { failsEverywhere } from '../../operation/fault.ts'
import type { Fault } from '../../operation/fault.ts'
import type { Operation } from '../../operation/operation.ts'
import type { AttemptEnd, Path } from '../../operation/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Execute, ExecutionEnd, ExecutionOptions, ExecutionRequest } from '../execution.ts'

/** @param targets in the order of preference; asked for every execution, so that it may follow health. */
export function createPathExecutor(path: Path, targets: () => readonly string[], clock: Clock): Execute {
  return async (request, options) => {
    const operation = operationOf(request, options, clock)
    let last: Fault = { kind: 'not_found', retryable: false, message: 'The server has no target.' }
    for (const [index, target] of targets().entries()) {
      if (options.signal.aborted) return { kind: 'cancelled' }
      const { end, said } = await attempt(path, operation, index + 1, target, options)
      if (end.outcome === 'succeeded') return { kind: 'answer', answer: end.answer }
      if (end.outcome === 'cancelled') return { kind: 'cancelled' }
      last = end.fault
      if (said || failsEverywhere(last) || clock.monotonicMs() >= options.deadlineMs) break
    }
    return { kind: 'fault', fault: last } satisfies ExecutionEnd
  }
}

function attempt(path: Path, operation: Operation, number: number, target: string, options: ExecutionOptions): Promise<{ readonly end: AttemptEnd; readonly said: boolean }> {
  return new Promise((resolve) => {
    let said = false
    const onAbort = (): void => running.cancel()
    const running = path.start(
      { operation, number, target, streaming: options.onText !== undefined, deadlineMs: options.deadlineMs },
      {
        onSent: () => undefined,
        onEvent(event) {
          if (event.type !== 'contentBlockDelta' || event.payload.delta.text === undefined) return
          said = true
          options.onText?.(event.payload.delta.text, event.payload.contentBlockIndex)
        },
        onEnd(end) {
          options.signal.removeEventListener('abort', onAbort)
          resolve({ end, said })
        },
      },
    )
    options.signal.addEventListener('abort', onAbort, { once: true })
  })
}

function operationOf(request: ExecutionRequest, options: ExecutionOptions, clock: Clock): Operation {
  const nowMs = clock.monotonicMs()
  const remainingMs = Math.max(0, options.deadlineMs - nowMs)
  return {
    id: request.operationId,
    type: request.operation,
    priority: request.priority,
    mode: options.onText === undefined ? 'sync' : 'stream',
    converse: request.converse,
    repeatable: true,
    tenant: null,
    ...(request.userId === undefined ? {} : { userId: request.userId }),
    metadata: {},
    arrivedAtMs: nowMs,
    createdAtMs: clock.nowMs(),
    latencyRequirementMs: remainingMs,
    hardTimeoutMs: remainingMs,
    streamSilenceMs: options.streamSilenceMs,
    streamMaxMs: options.streamMaxMs,
    correlationId: request.operationId,
    ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
  }
}
