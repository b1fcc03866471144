/**
 * Operations and attempts for the tests of this folder: an ordinary operation, and an attempt that is carried out to its end
 * with everything that was heard on the way.
 */
import type { ConverseStreamEvent } from '../../operation/converse.ts'
import type { Operation } from '../../operation/operation.ts'
import type { AttemptEnd, Path, RunningAttempt } from '../../operation/path.ts'
import { operationOf } from '../../operation/testing/operation.ts'
import type { Fault } from '../../operation/fault.ts'
import type { Clock } from '../../runtime/clock.ts'

export function anOperation(clock: Clock, members: Partial<Operation> = {}): Operation {
  return operationOf('standard_analysis', {
    id: 'op_00000000000000000000000001',
    converse: { messages: [{ role: 'user', content: [{ text: 'What is on fire?' }] }] },
    tenant: 'acme',
    userId: 'u1',
    metadata: { team: 'blue' },
    arrivedAtMs: clock.monotonicMs(),
    createdAtMs: clock.nowMs(),
    streamSilenceMs: 30_000,
    ...members,
  })
}

export interface Carried {
  readonly end: AttemptEnd
  readonly events: readonly ConverseStreamEvent[]
  readonly sent: number
  readonly elapsedMs: number
}

export interface Carrying {
  readonly attempt: RunningAttempt
  readonly done: Promise<Carried>
  /** Resolves when the request is on its way. */
  readonly sent: Promise<void>
}

export interface CarryOptions {
  readonly operation?: Operation
  readonly deadlineInMs?: number
  readonly streaming?: boolean
}

export function carry(path: Path, target: string, clock: Clock, options: CarryOptions = {}): Carrying {
  const startedMs = clock.monotonicMs()
  const events: ConverseStreamEvent[] = []
  let sent = 0
  let ends = 0
  let onSent: () => void = () => undefined
  const whenSent = new Promise<void>((resolve) => {
    onSent = resolve
  })
  let attempt: RunningAttempt = { cancel: () => undefined }
  const done = new Promise<Carried>((resolve, reject) => {
    attempt = path.start(
      { operation: options.operation ?? anOperation(clock), number: 1, target, streaming: options.streaming ?? false, deadlineMs: startedMs + (options.deadlineInMs ?? 10_000) },
      {
        onSent() {
          sent += 1
          onSent()
        },
        onEvent: (event) => {
          if (ends > 0) reject(new Error('an event after the end'))
          events.push(event)
        },
        onEnd(end) {
          ends += 1
          if (ends > 1) reject(new Error('two ends'))
          resolve({ end, events, sent, elapsedMs: clock.monotonicMs() - startedMs })
        },
      },
    )
  })
  return { attempt, done, sent: whenSent }
}

export function textOfEnd(end: AttemptEnd): string {
  return end.outcome === 'succeeded' ? end.answer.message.content.map((block) => block.text ?? '').join('') : `no answer: ${end.outcome}`
}

export function faultOfEnd(end: AttemptEnd): Fault | null {
  return end.outcome === 'failed' ? end.fault : null
}
