/**
 * A path in the process that answers by script: what happens on a target, and how many milliseconds after the start. Tests,
 * and whoever wants the router without a network, drive it with a virtual clock.
 *
 * It keeps the promises of the port: nothing is called after the end, and a cancelled attempt ends as `cancelled`, within
 * `cancel` or, as the direct path does, in a microtask after it.
 */
import type { Answer, ConverseStreamEvent } from '../../operation/converse.ts'
import type { Fault } from '../../operation/fault.ts'
import type { Route } from '../../operation/matrix.ts'
import type { AttemptRequest, AttemptSpend, Path } from '../../operation/path.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'

export type ScriptStep =
  | { readonly atMs: number; readonly do: 'send' }
  | { readonly atMs: number; readonly do: 'event'; readonly event: ConverseStreamEvent }
  | { readonly atMs: number; readonly do: 'succeed'; readonly text: string }
  | { readonly atMs: number; readonly do: 'fail'; readonly fault: Fault }

/** Chosen when the attempt starts; an attempt without steps hangs. */
export type Script = (request: AttemptRequest) => readonly ScriptStep[]

export interface ScriptedPath extends Path {
  readonly requests: readonly AttemptRequest[]
  /** Attempts that were cancelled, as `operation/number`. */
  readonly cancelled: readonly string[]
  running(): number
}

export function createScriptedPath(route: Route, clock: Clock, script: Script, endsAfterCancel = false): ScriptedPath {
  const requests: AttemptRequest[] = []
  const cancelled: string[] = []
  let running = 0
  return {
    route,
    requests,
    cancelled,
    running: () => running,
    start(request, listener) {
      requests.push(request)
      running += 1
      let ended = false
      let outputLength = 0
      const scheduled: CancelSchedule[] = []
      const end = (): boolean => {
        if (ended) return false
        ended = true
        running -= 1
        for (const cancel of scheduled) cancel()
        return true
      }
      const take = (step: ScriptStep): void => {
        if (ended) return
        switch (step.do) {
          case 'send':
            listener.onSent()
            return
          case 'event':
            if (step.event.type === 'contentBlockDelta') outputLength += step.event.payload.delta.text?.length ?? 0
            if (request.streaming) listener.onEvent(step.event)
            return
          case 'succeed':
            if (end()) listener.onEnd({ outcome: 'succeeded', answer: answerOf(step.text), spend: spendOf(step.text.length, false) })
            return
          case 'fail':
            if (end()) listener.onEnd({ outcome: 'failed', fault: step.fault, spend: spendOf(outputLength, true) })
        }
      }
      const startedAtMs = clock.monotonicMs()
      for (const step of script(request)) {
        // What happens at 0 happens within `start`, as a path may do.
        if (step.atMs === 0) take(step)
        else if (!ended) scheduled.push(clock.schedule(startedAtMs + step.atMs, () => take(step)))
      }
      return {
        cancel() {
          if (!end()) return
          cancelled.push(`${request.operation.id}/${request.number}`)
          const tell = (): void => listener.onEnd({ outcome: 'cancelled', spend: spendOf(outputLength, true) })
          if (endsAfterCancel) queueMicrotask(tell)
          else tell()
        },
        ...(endsAfterCancel ? { spent: () => spendOf(outputLength, true) } : {}),
      }
    },
  }
}

/** It is sent at once and answers as a whole after `afterMs`. */
export function answers(text: string, afterMs: number): readonly ScriptStep[] {
  return [
    { atMs: 0, do: 'send' },
    { atMs: afterMs, do: 'succeed', text },
  ]
}

export function fails(fault: Fault, afterMs: number): readonly ScriptStep[] {
  return [
    { atMs: 0, do: 'send' },
    { atMs: afterMs, do: 'fail', fault },
  ]
}

export function hangs(): readonly ScriptStep[] {
  return [{ atMs: 0, do: 'send' }]
}

/** Words come one by one, from `firstMs` and every `everyMs`; the end follows the last one. */
export function streams(words: readonly string[], firstMs: number, everyMs: number): readonly ScriptStep[] {
  const deltas = words.map((word, index): ScriptStep => ({ atMs: firstMs + index * everyMs, do: 'event', event: delta(word) }))
  const start: ScriptStep = { atMs: firstMs, do: 'event', event: { type: 'messageStart', payload: { role: 'assistant' } } }
  return [{ atMs: 0, do: 'send' }, start, ...deltas, { atMs: firstMs + words.length * everyMs, do: 'succeed', text: words.join('') }]
}

export function delta(text: string): ConverseStreamEvent {
  return { type: 'contentBlockDelta', payload: { contentBlockIndex: 0, delta: { text } } }
}

function answerOf(text: string): Answer {
  const usage = { inputTokens: 10, outputTokens: text.length, totalTokens: 10 + text.length }
  return { message: { role: 'assistant', content: [{ text }] }, stopReason: 'end_turn', usage }
}

function spendOf(outputTokens: number, estimated: boolean): AttemptSpend {
  return { modelId: 'model.scripted', usage: { inputTokens: 10, outputTokens, totalTokens: 10 + outputTokens }, estimated }
}
