/**
 * From a request on `/v1/operations` to a draft for the intake: the schema, then the rules between members that a schema
 * cannot say well, then the short forms written out in Converse's own.
 *
 * It must not know what happens to the operation. Source: public contract, part 3.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { Compile } from 'typebox/compile'
import { tenantFor, hasRole, type Principal } from '../auth/principal.ts'
import type { OperationDraft } from '../intake/operation-draft.ts'
import { converseMembers, type ConverseRequest, type JsonObject, type JsonValue } from '../operation/converse.ts'
import type { OperationMode } from '../operation/operation.ts'
import { OperationError, type FieldError } from '../operation/problem.ts'
import { readTraceparent, type Exchange } from './exchange.ts'
import { httpLimits } from './limits.ts'
import { operationSchema, type OperationBody } from './operation-schema.ts'
import { fieldErrors, invalidRequest } from './validation-errors.ts'

const validator = Compile(operationSchema)
const idempotencyKeyPattern = new RegExp(`^[\\x20-\\x7e]{1,${httpLimits.idempotencyKeyCharacters}}$`)
/** Characters of a metadata name. */
const metadataNameCharacters = 128

export function toDraft(value: unknown, headers: IncomingHttpHeaders, exchange: Exchange, principal: Principal): OperationDraft {
  if (!validator.Check(value)) throw invalidRequest(fieldErrors('body', operationSchema, value, validator.Errors(value)))
  const body: OperationBody = value
  const errors = conflictsOf(body)
  const idempotencyKey = readIdempotencyKey(headers, errors)
  if (errors.length > 0) throw invalidRequest(errors)
  const choice = tenantFor(principal, body.context?.tenant)
  if (choice.kind === 'refused') throw new OperationError(choice.code, choice.detail)
  const traceparent = readTraceparent(headers)
  const { latencyMs, priority, modelId, callbackUrl } = body
  return {
    type: body.operation,
    mode: body.mode ?? modeByAccept(headers),
    converse: toConverse(body),
    ...(modelId === undefined ? {} : { modelId }),
    ...(priority === undefined ? {} : { priority }),
    mayRaisePriority: hasRole(principal, 'admin'),
    ...(latencyMs === undefined ? {} : { latencyMs }),
    repeatable: body.repeatable ?? true,
    tenant: choice.tenant,
    ...(body.context?.userId === undefined ? {} : { userId: body.context.userId }),
    metadata: body.context?.metadata ?? noMetadata,
    arrivedAtMs: exchange.arrivedAtMs,
    createdAtMs: exchange.createdAtMs,
    correlationId: exchange.correlationId,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(idempotencyKey === undefined ? {} : { idempotency: { key: idempotencyKey, request: withoutMode(body) } }),
    ...(callbackUrl === undefined ? {} : { callbackUrl }),
  }
}

const noMetadata: Readonly<Record<string, string>> = Object.freeze({})

function conflictsOf(body: OperationBody): FieldError[] {
  const errors: FieldError[] = []
  const add = (path: string, message: string): void => {
    errors.push({ path, message })
  }
  if (body.prompt === undefined && body.messages === undefined) add('prompt', 'is required, or messages.')
  if (body.prompt !== undefined && body.messages !== undefined) add('prompt', 'cannot be given together with messages.')
  if (body.prompt !== undefined && body.prompt.trim() === '') add('prompt', 'must not be empty.')
  if (body.maxTokens !== undefined && body.inferenceConfig?.maxTokens !== undefined) add('maxTokens', 'cannot be given together with inferenceConfig.maxTokens.')
  if (body.temperature !== undefined && body.inferenceConfig?.temperature !== undefined) {
    add('temperature', 'cannot be given together with inferenceConfig.temperature.')
  }
  for (const name of Object.keys(body.context?.metadata ?? {})) {
    if (name === '' || name.length > metadataNameCharacters) add('context.metadata', `has a name that is empty or longer than ${metadataNameCharacters} characters.`)
  }
  if (body.callbackUrl !== undefined && !isCallbackUrl(body.callbackUrl)) add('callbackUrl', 'must be an https address without credentials (http for this machine alone).')
  return errors
}

function isCallbackUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  const local = url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname === '[::1]'
  return url.username === '' && url.password === '' && (url.protocol === 'https:' || (url.protocol === 'http:' && local))
}

function readIdempotencyKey(headers: IncomingHttpHeaders, errors: FieldError[]): string | undefined {
  const value = headers['idempotency-key']
  if (value === undefined) return undefined
  if (typeof value === 'string' && value.trim() !== '' && idempotencyKeyPattern.test(value)) return value
  errors.push({ path: 'Idempotency-Key', message: `must be 1 to ${httpLimits.idempotencyKeyCharacters} visible ASCII characters.` })
  return undefined
}

function modeByAccept(headers: IncomingHttpHeaders): OperationMode {
  return headers.accept !== undefined && /\btext\/event-stream\b/i.test(headers.accept) ? 'stream' : 'sync'
}

function toConverse(body: OperationBody): ConverseRequest {
  const converse: Record<string, unknown> = {}
  for (const member of converseMembers) {
    const value = body[member]
    if (value !== undefined) converse[member] = value
  }
  if (body.prompt !== undefined) converse['messages'] = [{ role: 'user', content: [{ text: body.prompt }] }]
  if (body.maxTokens !== undefined || body.temperature !== undefined) {
    converse['inferenceConfig'] = {
      ...body.inferenceConfig,
      ...(body.maxTokens === undefined ? {} : { maxTokens: body.maxTokens }),
      ...(body.temperature === undefined ? {} : { temperature: body.temperature }),
    }
  }
  return converse as unknown as ConverseRequest
}

function withoutMode(body: OperationBody): JsonValue {
  const { mode: _, ...rest } = body
  return rest as unknown as JsonObject
}
