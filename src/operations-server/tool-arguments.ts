/**
 * The arguments of `execute_operation` (public contract, part 5), read into an execution: the canonical `converse` request
 * where it is given, else one made from `messages` or `prompt`, `system` and `maxTokens`. The caller is not trusted: what is
 * missing or of the wrong kind is named, by path, and nothing is guessed.
 */
import { converseMembers } from '../operation/converse.ts'
import type { ConverseMessage, ConverseRequest } from '../operation/converse.ts'
import { operationTypes, priorities, runbookMatrix } from '../operation/matrix.ts'
import type { ExecutionRequest } from './execution.ts'
import { operationsServerLimits as limits } from './limits.ts'

export interface ExecutionArguments {
  readonly request: ExecutionRequest
  /** What is left of the caller's time. */
  readonly remainingMs: number
}

export type ReadArguments = { readonly ok: true; readonly value: ExecutionArguments } | { readonly ok: false; readonly errors: readonly string[] }

export function readArguments(args: Readonly<Record<string, unknown>>, traceparent?: string): ReadArguments {
  const errors: string[] = []
  const operationId = args['operationId']
  if (typeof operationId !== 'string' || operationId === '' || operationId.length > limits.operationIdLength) {
    errors.push(`operationId: a string of 1 to ${String(limits.operationIdLength)} characters is required`)
  }
  const operation = operationTypes.find((type) => type === (args['operation'] ?? 'standard_analysis'))
  if (operation === undefined) errors.push(`operation: one of ${operationTypes.join(', ')}`)
  const priority = args['priority'] === undefined ? runbookMatrix[operation ?? 'standard_analysis'].priority : priorities.find((name) => name === args['priority'])
  if (priority === undefined) errors.push(`priority: one of ${priorities.join(', ')}`)
  const deadline = args['deadlineMs']
  if (deadline !== undefined && (typeof deadline !== 'number' || !Number.isFinite(deadline) || deadline < 0)) errors.push('deadlineMs: a number of milliseconds, 0 or more')
  const converse = converseOf(args, errors)

  if (errors.length > 0 || typeof operationId !== 'string' || operation === undefined || priority === undefined || converse === null) return { ok: false, errors }
  const context = args['context']
  const userId = isRecord(context) && typeof context['userId'] === 'string' ? context['userId'] : undefined
  return {
    ok: true,
    value: {
      request: {
        operationId,
        operation,
        priority,
        converse,
        ...(userId === undefined ? {} : { userId }),
        ...(traceparent === undefined ? {} : { traceparent }),
      },
      remainingMs: Math.min(limits.longestDeadlineMs, typeof deadline === 'number' ? deadline : limits.defaultDeadlineMs),
    },
  }
}

function converseOf(args: Readonly<Record<string, unknown>>, errors: string[]): ConverseRequest | null {
  const canonical = args['converse']
  if (canonical !== undefined) {
    if (!isRecord(canonical)) {
      errors.push('converse: an object')
      return null
    }
    const unknown = Object.keys(canonical).filter((member) => !converseMembers.some((known) => known === member))
    if (unknown.length > 0) errors.push(`converse.${unknown.join(', converse.')}: not a member of a Converse request`)
    if (!readMessages(canonical['messages'], 'converse.messages', errors)) return null
    // The members' own shapes are Bedrock's to judge: it names what is wrong better than a copy of its rules could.
    return canonical as unknown as ConverseRequest
  }
  const messages = messagesOf(args, errors)
  if (messages === null) return null
  const system = args['system']
  if (system !== undefined && typeof system !== 'string') errors.push('system: a string')
  const maxTokens = args['maxTokens']
  const validTokens = typeof maxTokens === 'number' && Number.isSafeInteger(maxTokens) && maxTokens >= 1
  if (maxTokens !== undefined && !validTokens) errors.push('maxTokens: an integer from 1')
  return {
    messages,
    ...(typeof system === 'string' && system !== '' ? { system: [{ text: system }] } : {}),
    ...(validTokens ? { inferenceConfig: { maxTokens } } : {}),
  }
}

function messagesOf(args: Readonly<Record<string, unknown>>, errors: string[]): readonly ConverseMessage[] | null {
  const given = args['messages']
  if (given !== undefined) return readMessages(given, 'messages', errors) ? given : null
  const prompt = args['prompt']
  if (typeof prompt === 'string' && prompt.trim() !== '') return [{ role: 'user', content: [{ text: prompt }] }]
  errors.push('one of converse, messages or prompt is required')
  return null
}

function readMessages(value: unknown, path: string, errors: string[]): value is readonly ConverseMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    errors.push(`${path}: a list of at least one message`)
    return false
  }
  for (const [index, message] of value.entries()) {
    const valid = isRecord(message) && (message['role'] === 'user' || message['role'] === 'assistant') && Array.isArray(message['content']) && message['content'].every(isRecord)
    if (valid) continue
    errors.push(`${path}[${String(index)}]: a role, user or assistant, and a list of content blocks`)
    return false
  }
  return true
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
