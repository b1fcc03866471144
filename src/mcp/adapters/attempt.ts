/**
 * One attempt on the MCP path between its start and its one end: it turns what the tool call tells into the words of
 * `operation/path.ts`. It waits for a place and a connection under the attempt's deadline; after that the call itself keeps
 * the limits.
 */
import { textOf } from '../../operation/converse.ts'
import type { ConverseStreamEvent } from '../../operation/converse.ts'
import type { AttemptEnd, AttemptListener, AttemptRequest, AttemptSpend, RunningAttempt } from '../../operation/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import { classifyFailure } from '../fault-classifier.ts'
import type { McpFailure } from '../fault-classifier.ts'
import { mcpLimits } from '../limits.ts'
import type { McpRoute } from '../settings.ts'
import { addText, nothingStreamed, remainingEvents, textInProgress } from '../stream-events.ts'
import { estimateUsage, readToolResult } from '../tool-result.ts'
import type { CallEnd, CallProgress, RunningCall } from './call.ts'

export interface Attempt extends RunningAttempt {
  readonly request: AttemptRequest
  ended(): boolean
  /** What is given back when it ends, whatever the end: the place in the line or on the server. */
  holds(release: () => void): void
  /** From now on the call keeps the deadline. */
  calls(running: RunningCall): void
  onSent(): void
  /** True when it was content of the stream. */
  onProgress(progress: CallProgress): boolean
  onCallEnd(end: CallEnd, route: McpRoute): void
  fail(failure: McpFailure): void
}

export function createAttempt(request: AttemptRequest, listener: AttemptListener, clock: Clock): Attempt {
  const { target, streaming } = request
  let isEnded = false
  let isSent = false
  let running: RunningCall | null = null
  let release: () => void = () => undefined
  let streamed = nothingStreamed
  let streamedLength = 0

  const cancelDeadline = clock.schedule(request.deadlineMs, () => fail({ type: 'deadline' }))

  const emit = (events: readonly ConverseStreamEvent[]): void => {
    for (const event of events) if (!isEnded) listener.onEvent(event)
  }

  const finish = (end: AttemptEnd): void => {
    if (isEnded) return
    isEnded = true
    cancelDeadline()
    release()
    listener.onEnd(end)
  }

  /** What was asked and what came back so far: the server did not say what it cost. */
  const spent = (): AttemptSpend => ({ modelId: null, usage: estimateUsage(isSent ? inputLength(request) : 0, streamedLength), estimated: isSent })

  const fail = (failure: McpFailure): void => {
    const call = running
    running = null
    finish({ outcome: 'failed', fault: classifyFailure(failure, target), spend: spent() })
    call?.cancel()
  }

  const succeed = (result: unknown, route: McpRoute): void => {
    const outcome = readToolResult(result, route.carries, inputLength(request))
    if (outcome.kind === 'failure') {
      fail(outcome.failure)
      return
    }
    if (streaming) {
      const events = remainingEvents(streamed, outcome.answer)
      if (events === null) {
        fail({ type: 'malformed' })
        return
      }
      emit(events)
    }
    finish({ outcome: 'succeeded', answer: outcome.answer, spend: { modelId: null, usage: outcome.answer.usage, estimated: !outcome.usageReported } })
  }

  return {
    request,
    ended: () => isEnded,
    holds(next) {
      release = next
    },
    calls(call) {
      cancelDeadline()
      running = call
    },
    onSent() {
      if (isEnded || isSent) return
      isSent = true
      listener.onSent()
    },
    onProgress(progress) {
      const text = streaming && !isEnded ? textInProgress(progress) : null
      if (text === null) return false
      streamedLength += text.text.length
      if (streamedLength > mcpLimits.resultBytes) {
        fail({ type: 'oversized' })
        return true
      }
      const added = addText(streamed, text.text, text.index)
      streamed = added.streamed
      emit(added.events)
      return true
    },
    onCallEnd(end, route) {
      running = null
      switch (end.kind) {
        case 'result':
          succeed(end.result, route)
          return
        case 'failed':
          fail(end.failure)
          return
        case 'cancelled':
          finish({ outcome: 'cancelled', spend: spent() })
      }
    },
    fail,
    cancel() {
      const call = running
      running = null
      finish({ outcome: 'cancelled', spend: spent() })
      call?.cancel()
    },
  }
}

function inputLength({ operation: { converse } }: AttemptRequest): number {
  let length = 0
  for (const message of converse.messages) length += textOf(message).length
  for (const block of converse.system ?? []) length += block.text?.length ?? 0
  return length
}
