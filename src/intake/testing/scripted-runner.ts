/**
 * A runner that answers as a test says, on the clock that it is given: when it decides, when it tells which piece, how it
 * ends. It keeps what a real runner promises: nothing after the result, and `cancelled` at once after a cancel.
 */
import type { ConverseStreamEvent } from '../../operation/converse.ts'
import type { RoutingDecision } from '../../operation/decision.ts'
import type { Operation } from '../../operation/operation.ts'
import { problemCatalogue, problemType, type Problem, type ProblemCode } from '../../operation/problem.ts'
import type { OperationResult } from '../../operation/result.ts'
import type { AttemptNotice, CancelReason, OperationObserver, OperationRunner } from '../../operation/runner.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'

export type Step =
  | { readonly afterMs: number; readonly text: string }
  | { readonly afterMs: number; readonly attempt: AttemptNotice }
  | { readonly afterMs: number; readonly fail: ProblemCode; readonly retryable?: boolean }
  | { readonly afterMs: number; readonly succeed: true }

export interface ScriptedRunner extends OperationRunner {
  /** Newest last. */
  readonly started: Operation[]
  readonly cancelled: { readonly id: string; readonly reason: CancelReason }[]
}

export const decision: RoutingDecision = { route: 'direct', target: 'frankfurt', reason: 'matrix', alternatives: [{ route: 'mcp', reason: 'fallback' }] }

export function createScriptedRunner(clock: Clock, script: (operation: Operation) => readonly Step[]): ScriptedRunner {
  const started: Operation[] = []
  const cancelled: { id: string; reason: CancelReason }[] = []
  return {
    started,
    cancelled,
    decide: () => decision,
    run(operation, observer) {
      started.push(operation)
      return new ScriptedOperation(operation, observer, clock, script(operation), (reason) => cancelled.push({ id: operation.id, reason }))
    },
  }
}

class ScriptedOperation {
  readonly #operation: Operation
  readonly #observer: OperationObserver
  readonly #clock: Clock
  readonly #onCancel: (reason: CancelReason) => void
  #cancelStep: CancelSchedule | undefined
  #text = ''
  #ended: OperationResult | undefined

  constructor(operation: Operation, observer: OperationObserver, clock: Clock, steps: readonly Step[], onCancel: (reason: CancelReason) => void) {
    this.#operation = operation
    this.#observer = observer
    this.#clock = clock
    this.#onCancel = onCancel
    observer.onDecision(decision)
    this.#play(steps, 0)
  }

  snapshot(): OperationResult {
    return this.#ended ?? this.#result('running')
  }

  cancel(reason: CancelReason): void {
    if (this.#ended !== undefined) return
    this.#cancelStep?.()
    this.#onCancel(reason)
    this.#end(this.#result('cancelled'))
  }

  #play(steps: readonly Step[], index: number): void {
    const step = steps[index]
    if (step === undefined) return
    const act = (): void => {
      if (this.#ended !== undefined) return
      if ('text' in step) this.#tell(step.text)
      else if ('attempt' in step) {
        if (step.attempt.restart) this.#text = ''
        this.#observer.onAttempt(step.attempt)
      } else if ('fail' in step) this.#end({ ...this.#result('failed'), error: problem(step.fail, step.retryable) })
      else this.#end(this.#result('succeeded'))
      this.#play(steps, index + 1)
    }
    if (step.afterMs === 0) act()
    else this.#cancelStep = this.#clock.schedule(this.#clock.monotonicMs() + step.afterMs, act)
  }

  #tell(text: string): void {
    this.#text += text
    const event: ConverseStreamEvent = { type: 'contentBlockDelta', payload: { contentBlockIndex: 0, delta: { text } } }
    if (this.#operation.mode === 'stream') this.#observer.onEvent(event)
  }

  #end(result: OperationResult): void {
    this.#ended = result
    this.#observer.onResult(result)
  }

  #result(status: OperationResult['status']): OperationResult {
    const operation = this.#operation
    const done = status === 'succeeded'
    const totalMs = this.#clock.monotonicMs() - operation.arrivedAtMs
    return {
      id: operation.id,
      operation: operation.type,
      priority: operation.priority,
      status,
      route: done ? 'direct' : null,
      target: done ? 'frankfurt' : null,
      fallbackUsed: false,
      hedged: false,
      output: done ? { text: this.#text, message: { role: 'assistant', content: [{ text: this.#text }] }, stopReason: 'end_turn' } : null,
      usage: done ? { inputTokens: 12, outputTokens: 80, totalTokens: 92 } : null,
      cost: { currency: 'USD', estimated: 0.001, includesEstimates: false },
      latency: { totalMs, timeToFirstTokenMs: null, queuedMs: 0, overheadMs: 0.1, basis: operation.mode === 'stream' ? 'first_content' : 'completion' },
      latencyRequirementMs: operation.latencyRequirementMs,
      slaMet: done,
      attempts: done ? [{ number: 1, route: 'direct', target: 'frankfurt', reason: 'first', startMs: 0, durationMs: totalMs, outcome: 'succeeded' }] : [],
      decision,
      correlationId: operation.correlationId,
      createdAt: new Date(operation.createdAtMs).toISOString(),
      completedAt: status === 'running' ? null : new Date(this.#clock.nowMs()).toISOString(),
    }
  }
}

function problem(code: ProblemCode, retryable?: boolean): Problem {
  const { title, status } = problemCatalogue[code]
  return { type: problemType(code), title, status, detail: 'As the script says.', code, retryable: retryable ?? problemCatalogue[code].retryable }
}
