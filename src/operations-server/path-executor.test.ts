import { describe, expect, it } from 'vitest'
import type { Answer } from '../operation/converse.ts'
import type { Fault } from '../operation/fault.ts'
import type { AttemptEnd, AttemptListener, AttemptRequest, Path } from '../operation/path.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createPathExecutor } from './adapters/path-executor.ts'
import type { ExecutionOptions, ExecutionRequest } from './execution.ts'
import { operationsServerLimits } from './limits.ts'
import { createRememberedAnswers } from './remembered-answers.ts'
import { answerOf } from './testing/answers.ts'

const answer = answerOf('yes')
const spend = { modelId: null, usage: answer.usage, estimated: false }
const faultOf = (kind: Fault['kind']): AttemptEnd => ({ outcome: 'failed', fault: { kind, retryable: true, message: 'x' }, spend })
const request: ExecutionRequest = { operationId: 'op_1', operation: 'infrastructure', priority: 'critical', converse: { messages: [{ role: 'user', content: [{ text: 'q' }] }] } }

/** A path whose targets behave as told. */
function pathOf(behaviour: Record<string, (listener: AttemptListener) => AttemptEnd | null>) {
  const clock = createVirtualClock()
  const asked: AttemptRequest[] = []
  const cancelled: string[] = []
  const path: Path = {
    route: 'direct',
    start(attempt, listener) {
      asked.push(attempt)
      queueMicrotask(() => {
        const end = behaviour[attempt.target]?.(listener) ?? null
        if (end !== null) listener.onEnd(end)
      })
      return {
        cancel() {
          cancelled.push(attempt.target)
          listener.onEnd({ outcome: 'cancelled', spend })
        },
      }
    },
  }
  const options = (more: Partial<ExecutionOptions> = {}): ExecutionOptions => ({ deadlineMs: 9_000, signal: new AbortController().signal, streamSilenceMs: 1_000, streamMaxMs: 60_000, ...more })
  return { execute: createPathExecutor(path, () => Object.keys(behaviour), clock), asked, cancelled, options }
}

describe('an execution on the direct path', () => {
  it('tries the targets in their order until one answers', async () => {
    const { execute, asked, options } = pathOf({ a: () => faultOf('overloaded'), b: () => ({ outcome: 'succeeded', answer, spend }), c: () => faultOf('auth') })
    expect(await execute(request, options())).toEqual({ kind: 'answer', answer })
    expect(asked.map(({ target, number, streaming, deadlineMs }) => [target, number, streaming, deadlineMs])).toEqual([['a', 1, false, 9_000], ['b', 2, false, 9_000]])
    expect(asked[0]?.operation).toMatchObject({ id: 'op_1', type: 'infrastructure', hardTimeoutMs: 9_000, converse: request.converse })
  })

  it('is not tried elsewhere when the request itself is wrong', async () => {
    const { execute, asked, options } = pathOf({ a: () => faultOf('validation'), b: () => ({ outcome: 'succeeded', answer, spend }) })
    expect(await execute(request, options())).toMatchObject({ kind: 'fault', fault: { kind: 'validation' } })
    expect(asked).toHaveLength(1)
  })

  it('whose text was heard is not begun again on another target', async () => {
    const heard: string[] = []
    const { execute, asked, options } = pathOf({
      a: (listener) => {
        listener.onEvent({ type: 'contentBlockDelta', payload: { contentBlockIndex: 0, delta: { text: 'half' } } })
        return faultOf('network')
      },
      b: () => ({ outcome: 'succeeded', answer, spend }),
    })
    expect(await execute(request, options({ onText: (text) => heard.push(text) }))).toMatchObject({ kind: 'fault', fault: { kind: 'network' } })
    expect(heard).toEqual(['half'])
    expect(asked).toHaveLength(1)
  })

  it('is stopped with its signal', async () => {
    const { execute, cancelled, asked, options } = pathOf({ a: () => null, b: () => null })
    const controller = new AbortController()
    const running = execute(request, options({ signal: controller.signal }))
    controller.abort()
    expect(await running).toEqual({ kind: 'cancelled' })
    expect(cancelled).toEqual(['a'])
    expect(asked).toHaveLength(1)
  })

  it('without a target is a fault', async () => {
    const { execute, options } = pathOf({})
    expect(await execute(request, options())).toMatchObject({ kind: 'fault', fault: { kind: 'not_found' } })
  })
})

describe('remembered answers', () => {
  it('are forgotten when their time is up', () => {
    const answers = createRememberedAnswers()
    answers.keep('op_1', 'f', answer, 0)
    expect(answers.get('op_1', operationsServerLimits.rememberMs - 1)?.answer).toBe(answer)
    expect(answers.get('op_1', operationsServerLimits.rememberMs)).toBeNull()
    expect(answers.size()).toBe(0)
  })

  it('are bounded in number and in size, the oldest go first', () => {
    const answers = createRememberedAnswers()
    for (let number = 0; number <= operationsServerLimits.remembered; number += 1) answers.keep(`op_${String(number)}`, 'f', answer, number)
    expect(answers.size()).toBe(operationsServerLimits.remembered)
    expect(answers.get('op_0', 5)).toBeNull()
    const large: Answer = { ...answer, message: { role: 'assistant', content: [{ text: 'x'.repeat(operationsServerLimits.rememberedCharacters / 4) }] } }
    for (let number = 0; number < 6; number += 1) answers.keep(`large_${String(number)}`, 'f', large, 5)
    expect(answers.size()).toBeLessThan(6)
    expect(answers.get('large_5', 5)).not.toBeNull()
  })
})
