/**
 * The schemas of answers, for the OpenAPI document. The words of closed lists come from the vocabulary itself.
 */
import { alternativeReasons, decisionReasons } from '../operation/decision.ts'
import { faultKinds } from '../operation/fault.ts'
import { operationTypes, priorities, routes } from '../operation/matrix.ts'
import { problemCodes } from '../operation/problem.ts'
import { attemptOutcomes, attemptReasons, expiryReasons, operationStatuses } from '../operation/result.ts'
import { operationSchema } from './operation-schema.ts'

const text = { type: 'string' }
const number = { type: 'number' }
const flag = { type: 'boolean' }
const orNull = (schema: object): object => ({ anyOf: [schema, { type: 'null' }] })
const object = (properties: Readonly<Record<string, object>>, optional: readonly string[] = []): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
})
const list = (items: object): object => ({ type: 'array', items })
const reference = (name: string): object => ({ $ref: `#/components/schemas/${name}` })

export const openApiSchemas: Readonly<Record<string, object>> = {
  Operation: operationSchema,
  Result: object(
    {
      id: text,
      operation: { enum: operationTypes },
      priority: { enum: priorities },
      status: { enum: operationStatuses },
      route: orNull({ enum: routes }),
      target: orNull(text),
      fallbackUsed: flag,
      hedged: flag,
      output: orNull(object({ text, message: { type: 'object' }, stopReason: text })),
      usage: orNull({ type: 'object', description: 'Tokens, as Bedrock counts them.' }),
      cost: object({ currency: text, estimated: number, includesEstimates: flag }),
      latency: object({ totalMs: number, timeToFirstTokenMs: orNull(number), queuedMs: number, overheadMs: number, basis: { enum: ['completion', 'first_content'] } }),
      latencyRequirementMs: number,
      slaMet: flag,
      attempts: list(reference('Attempt')),
      decision: orNull(reference('Decision')),
      correlationId: text,
      createdAt: { type: 'string', format: 'date-time' },
      completedAt: orNull({ type: 'string', format: 'date-time' }),
      error: reference('Problem'),
      reason: { enum: expiryReasons, description: 'Why it expired.' },
    },
    ['error', 'reason'],
  ),
  Attempt: object(
    {
      number,
      route: { enum: routes },
      target: text,
      reason: { enum: attemptReasons },
      startMs: number,
      durationMs: number,
      outcome: { enum: attemptOutcomes },
      error: object({ kind: { enum: faultKinds }, retryable: flag, message: text, retryAfterMs: number, upstreamCode: text, upstreamStatus: number }, ['retryAfterMs', 'upstreamCode', 'upstreamStatus']),
    },
    ['error'],
  ),
  Decision: object({
    route: orNull({ enum: routes }),
    target: orNull(text),
    reason: { enum: decisionReasons },
    alternatives: list(object({ route: { enum: routes }, reason: { enum: alternativeReasons } })),
  }),
  JudgedDecision: object({
    operationId: text,
    operation: { enum: operationTypes },
    priority: { enum: priorities },
    tenant: orNull(text),
    decidedAt: { type: 'string', format: 'date-time' },
    decision: reference('Decision'),
    status: { enum: operationStatuses },
    route: orNull({ enum: routes }),
    target: orNull(text),
    basis: { enum: ['completion', 'first_content'] },
    latencyMs: number,
    latencyRequirementMs: number,
    slaMet: flag,
    attempts: list(reference('Attempt')),
    hindsight: object({ optimal: orNull(flag), regretMs: orNull(number), basis: text }),
  }),
  MatrixRow: object({ priority: { enum: priorities }, latencyMs: number, hardTimeoutMs: number, route: { enum: routes }, fallback: { enum: [...routes, 'none'] } }),
  Problem: object(
    {
      type: text,
      title: text,
      status: number,
      detail: text,
      code: { enum: problemCodes },
      retryable: flag,
      retryAfterMs: number,
      correlationId: text,
      operationId: text,
      errors: list(object({ path: text, message: text })),
    },
    ['retryAfterMs', 'operationId', 'errors'],
  ),
  Health: object({ status: { enum: ['healthy', 'degraded', 'unhealthy', 'critical', 'unknown'] }, timestamp: text, uptime: { type: 'number', description: 'Seconds.' }, version: text }),
  State: object({ status: { enum: ['live', 'ready', 'draining'] } }),
}
