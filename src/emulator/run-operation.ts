/**
 * From the body of a runtime request to what is to be sent: the body is read in its format, the answer made, and written in
 * the same format, whole or as the events of a stream. When and how fast it is sent is not decided here.
 */
import { answerFor, countInput, type AnswerLength } from './answer.ts'
import type { Answer } from './conversation.ts'
import { readConverse } from './converse-request.ts'
import { converseBody, converseStream, type AnswerStream } from './converse-response.ts'
import { invalid, type Refusal } from './exceptions.ts'
import { readInvoke } from './invoke-request.ts'
import { invokeBody, invokeStream } from './invoke-response.ts'
import { asObject, asString, type JsonObject } from './json.ts'
import { isRefusal, type ModelReference } from './model-id.ts'
import { isStream, type RuntimeOperation } from './route.ts'

export type OperationOutcome =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'counted'; readonly body: string }
  | { readonly kind: 'whole'; readonly answer: Answer; readonly body: (latencyMs: number) => string }
  | { readonly kind: 'stream'; readonly answer: Answer; readonly stream: AnswerStream }

const malformed = invalid('Malformed input request, please reformat your input and try again.')

/** @param requestId names the message where the format wants an id; it is no part of the answer's words. */
export function runOperation(operation: RuntimeOperation, model: ModelReference, body: string, requestId: string, length: AnswerLength): OperationOutcome {
  const request = parseJson(body)
  if (request === undefined) return refused(malformed)
  if (operation === 'CountTokens') return countTokens(model, request)
  if (operation === 'Converse' || operation === 'ConverseStream') {
    const converse = readConverse(model.modelId, request)
    if (isRefusal(converse)) return refused(converse)
    const answer = answerFor(converse.conversation, length)
    return operation === 'ConverseStream'
      ? { kind: 'stream', answer, stream: converseStream(converse, answer) }
      : { kind: 'whole', answer, body: (latencyMs) => converseBody(converse, answer, latencyMs) }
  }
  const conversation = readInvoke(model.modelId, model.family, request)
  if (isRefusal(conversation)) return refused(conversation)
  const answer = answerFor(conversation, length)
  const facts = { modelId: model.modelId, family: model.family, messageId: `msg_bdrk_${requestId.replaceAll('-', '').slice(0, 24)}` }
  return isStream(operation)
    ? { kind: 'stream', answer, stream: invokeStream(facts, answer) }
    : { kind: 'whole', answer, body: (latencyMs) => invokeBody(facts, answer, latencyMs) }
}

function countTokens(model: ModelReference, request: JsonObject): OperationOutcome {
  const input = asObject(request['input'])
  const converse = asObject(input?.['converse'])
  if (converse !== undefined) {
    const read = readConverse(model.modelId, converse)
    return isRefusal(read) ? refused(read) : counted(countInput(read.conversation))
  }
  const encoded = asString(asObject(input?.['invokeModel'])?.['body'])
  if (encoded === undefined) {
    return refused(invalid("1 validation error detected: Value at 'input' failed to satisfy constraint: Member must set one of converse and invokeModel"))
  }
  const body = parseJson(Buffer.from(encoded, 'base64').toString())
  if (body === undefined) return refused(malformed)
  const read = readInvoke(model.modelId, model.family, body)
  return isRefusal(read) ? refused(read) : counted(countInput(read))
}

function counted(inputTokens: number): OperationOutcome {
  return { kind: 'counted', body: JSON.stringify({ inputTokens }) }
}

function refused(refusal: Refusal): OperationOutcome {
  return { kind: 'refused', refusal }
}

function parseJson(body: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return asObject(value)
  } catch {
    // The caller answers it; the parser's message would repeat what was sent.
    return undefined
  }
}
