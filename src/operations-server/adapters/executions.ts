/**
 * Executions by operation id: the same id, asked for twice, is one execution with two listeners while it runs, and one
 * remembered answer after it. Text that was already said is said again to whoever joins later. An execution is stopped when
 * the last who waits for it goes away.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import type { Execute, ExecutionEnd, ExecutionOptions, ExecutionRequest } from '../execution.ts'
import { operationsServerLimits as limits } from '../limits.ts'
import { createRememberedAnswers } from '../remembered-answers.ts'

export interface OperationsServerStats {
  /** Executions that were started. */
  readonly executions: number
  /** Calls that met their operation running or answered. */
  readonly repeats: number
  readonly running: number
  readonly remembered: number
}

export interface Executions {
  run(request: ExecutionRequest, options: ExecutionOptions): Promise<ExecutionEnd>
  stats(): OperationsServerStats
  cancelAll(): void
}

interface Running {
  readonly fingerprint: string
  readonly controller: AbortController
  readonly end: Promise<ExecutionEnd>
  readonly said: { text: string; index: number }[]
  readonly listeners: Set<(text: string, index: number) => void>
  waiting: number
}

export function createExecutions(execute: Execute, clock: Clock): Executions {
  const running = new Map<string, Running>()
  const answers = createRememberedAnswers()
  let executions = 0
  let repeats = 0

  const begin = (request: ExecutionRequest, options: ExecutionOptions, fingerprint: string): Running => {
    executions += 1
    const controller = new AbortController()
    const said: Running['said'] = []
    const listeners: Running['listeners'] = new Set()
    const onText = (text: string, index: number): void => {
      const last = said.at(-1)
      if (last?.index === index) last.text += text
      else said.push({ text, index })
      for (const listener of listeners) listener(text, index)
    }
    const { onText: wanted, ...rest } = options
    const end = execute(request, { ...rest, signal: controller.signal, ...(wanted === undefined ? {} : { onText }) })
      // The port promises not to throw; a fault of the program must end one call, not the server.
      .catch((): ExecutionEnd => ({ kind: 'fault', fault: { kind: 'overloaded', retryable: true, message: 'The execution failed inside the server.' } }))
      .then((ended) => {
        // One that was being stopped may have been followed by another of the same id.
        if (running.get(request.operationId)?.controller === controller) running.delete(request.operationId)
        if (ended.kind === 'answer') answers.keep(request.operationId, fingerprint, ended.answer, clock.monotonicMs())
        return ended
      })
    const entry: Running = { fingerprint, controller, end, said, listeners, waiting: 0 }
    running.set(request.operationId, entry)
    return entry
  }

  const join = async (entry: Running, options: ExecutionOptions): Promise<ExecutionEnd> => {
    const { signal, onText } = options
    if (signal.aborted) return { kind: 'cancelled' }
    entry.waiting += 1
    if (onText !== undefined) {
      for (const { text, index } of entry.said) onText(text, index)
      entry.listeners.add(onText)
    }
    let onAbort: () => void = () => undefined
    const gone = new Promise<ExecutionEnd>((resolve) => {
      onAbort = () => resolve({ kind: 'cancelled' })
      signal.addEventListener('abort', onAbort, { once: true })
    })
    const end = await Promise.race([entry.end, gone])
    signal.removeEventListener('abort', onAbort)
    if (onText !== undefined) entry.listeners.delete(onText)
    entry.waiting -= 1
    if (entry.waiting === 0) entry.controller.abort(new Error('nobody waits for it any more'))
    return end
  }

  return {
    async run(request, options) {
      const fingerprint = createHash('sha256').update(JSON.stringify(request.converse)).digest('base64')
      const before = running.get(request.operationId)
      const answered = before === undefined ? answers.get(request.operationId, clock.monotonicMs()) : null
      const known = before ?? answered
      if (known !== null && known.fingerprint !== fingerprint) return mismatch
      // One that is being stopped has no answer to share.
      if (before !== undefined && !before.controller.signal.aborted) {
        repeats += 1
        return join(before, options)
      }
      if (answered !== null) {
        repeats += 1
        return { kind: 'answer', answer: answered.answer }
      }
      if (running.size >= limits.running) return full
      return join(begin(request, options, fingerprint), options)
    },
    stats: () => ({ executions, repeats, running: running.size, remembered: answers.size() }),
    cancelAll() {
      for (const entry of running.values()) entry.controller.abort(new Error('the server stops'))
    },
  }
}

const mismatch: ExecutionEnd = {
  kind: 'fault',
  fault: { kind: 'validation', retryable: false, message: 'The operationId belongs to another request.' },
}
const full: ExecutionEnd = {
  kind: 'fault',
  fault: { kind: 'overloaded', retryable: true, message: 'The server carries out as many operations as it may.' },
}
