/**
 * The OpenAPI 3.1 document of the service: paths with their answers, the schemas that validation itself uses, and every
 * problem code. A test holds that it lists exactly the routes that are registered and exactly the codes of the catalogue.
 */
import { operationTypes, priorities, routes } from '../operation/matrix.ts'
import { problemCatalogue, problemCodes, type ProblemCode } from '../operation/problem.ts'
import { operationStatuses } from '../operation/result.ts'
import { monitoringPaths, monitoringSchemas } from './openapi-monitoring.ts'
import { adminPaths, adminSchemas } from './openapi-admin.ts'
import { openApiSchemas } from './openapi-schemas.ts'

export interface OpenApiOperation {
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly parameters?: readonly object[]
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, object>>
}

export interface OpenApiDocument {
  readonly openapi: string
  readonly info: object
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>>; readonly securitySchemes: object }
  readonly security: readonly object[]
}

const reference = (name: string): object => ({ $ref: `#/components/schemas/${name}` })
const jsonOf = (description: string, schema: object, headers?: object): object => ({
  description,
  content: { 'application/json': { schema } },
  ...(headers === undefined ? {} : { headers }),
})
const page = (description: string): object => ({ description, content: { 'text/html': { schema: { type: 'string' } } } })
const eventStream = {
  description: 'Server-sent events `decision`, `attempt`, `delta`, and at the end `result` or `error`. Nothing is sent before first content: what fails before has its own status.',
  content: { 'text/event-stream': { schema: { type: 'string' } } },
}

/** The codes that each group of routes can answer with. */
const everywhere: readonly ProblemCode[] = ['invalid_request', 'uri_too_long', 'headers_too_large', 'internal_error']
const guarded: readonly ProblemCode[] = [...everywhere, 'unauthorized', 'forbidden', 'rate_limited', 'no_route_available']
const withBody: readonly ProblemCode[] = [...guarded, 'payload_too_large', 'unsupported_media_type']
const submitting: readonly ProblemCode[] = [
  ...withBody,
  'conflict',
  'policy_blocked',
  'upstream_error',
  'outcome_unknown',
  'upstream_throttled',
  'overloaded',
  'maintenance',
  'deadline_exceeded',
]

function problems(codes: readonly ProblemCode[]): Record<string, object> {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of codes) byStatus.set(problemCatalogue[code].status, [...(byStatus.get(problemCatalogue[code].status) ?? []), code])
  const answers: Record<string, object> = {}
  for (const [status, listed] of byStatus) {
    answers[String(status)] = { description: listed.map((code) => `\`${code}\`: ${problemCatalogue[code].title}`).join('; '), content: { 'application/problem+json': { schema: reference('Problem') } } }
  }
  return answers
}

const idParameter = { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'The operation’s id.' }
const header = (name: string, description: string): object => ({ name, in: 'header', schema: { type: 'string' }, description })
const query = (name: string, schema: object, description: string): object => ({ name, in: 'query', schema, description })
const operationBody = { required: true, content: { 'application/json': { schema: reference('Operation') } } }
const healthAnswer = { ...problems(guarded), '200': jsonOf('Healthy or degraded.', reference('Health')), '503': jsonOf('Not.', reference('Health')) }

export function openApiDocument(version: string): OpenApiDocument {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Hybrid Routing',
      version,
      description: `Answers AI operations in time: direct to Amazon Bedrock or as messages over MCP, each the other's fallback. A path answers 405 \`method_not_allowed\` to other methods. Problem codes: ${problemCodes.map((code) => `\`${code}\``).join(', ')}.`,
    },
    security: [{ bearer: [] }, { apiKey: [] }, {}],
    paths: {
      '/v1/operations': {
        post: {
          summary: 'Submit an operation',
          description: 'Answers with the result (`sync`), at once with 202 (`async`), or as a stream.',
          tags: ['Operations'],
          parameters: [
            header('Idempotency-Key', '1 to 255 visible characters; for 24 hours the same key and body is the same operation.'),
            header('X-Correlation-Id', 'Made where absent, returned always.'),
            header('traceparent', 'W3C Trace Context.'),
            header('Accept', '`text/event-stream` streams where the body names no mode.'),
          ],
          requestBody: operationBody,
          responses: {
            '200': { description: 'The result, or its events.', content: { 'application/json': { schema: reference('Result') }, ...eventStream.content } },
            '202': jsonOf('Accepted: `async`.', reference('Result'), { Location: { schema: { type: 'string' } } }),
            ...problems(submitting),
          },
        },
        get: {
          summary: 'List operations, newest first',
          tags: ['Operations'],
          parameters: [
            query('status', { enum: operationStatuses }, 'Only those with this status.'),
            query('operation', { enum: operationTypes }, 'Only those of this type.'),
            query('route', { enum: routes }, 'Only those answered on this route.'),
            query('since', { type: 'string', format: 'date-time' }, 'Only those created then or later.'),
            query('limit', { type: 'integer', minimum: 1, maximum: 500, default: 50 }, 'A page may be shorter although there is more: `nextCursor` says so.'),
            query('cursor', { type: 'string' }, 'The `nextCursor` of the page before.'),
          ],
          responses: {
            '200': jsonOf('A page.', { type: 'object', properties: { operations: { type: 'array', items: reference('Result') }, nextCursor: { type: ['string', 'null'] } } }),
            ...problems([...guarded, 'overloaded']),
          },
        },
      },
      '/v1/operations/{id}': {
        get: { summary: 'Read an operation', tags: ['Operations'], parameters: [idParameter], responses: { '200': jsonOf('As it stands.', reference('Result')), ...problems([...guarded, 'not_found', 'overloaded']) } },
        delete: {
          summary: 'Cancel an operation',
          tags: ['Operations'],
          parameters: [idParameter],
          responses: { '200': jsonOf('The state that holds: the first final state wins.', reference('Result')), ...problems([...guarded, 'not_found', 'overloaded']) },
        },
      },
      '/v1/operations/{id}/events': {
        get: {
          summary: 'Follow an operation',
          tags: ['Operations'],
          parameters: [idParameter, header('Last-Event-ID', 'Resume after this event. When it is not kept any more, an `attempt` event with `restart` precedes the whole text.')],
          responses: { '200': eventStream, ...problems([...guarded, 'not_found', 'overloaded']) },
        },
      },
      '/v1/routing/matrix': {
        get: { summary: 'The routing decision matrix in force', tags: ['Routing'], responses: { '200': jsonOf('By operation type.', { type: 'object', properties: { matrix: { type: 'object', additionalProperties: reference('MatrixRow') } } }), ...problems(guarded) } },
      },
      '/v1/routing/decisions': {
        get: {
          summary: 'The last decisions, newest first, judged in hindsight',
          description: 'A key that is bound to a tenant sees the decisions of its tenant.',
          tags: ['Routing'],
          parameters: [query('limit', { type: 'integer', minimum: 1, maximum: 500, default: 50 }, 'How many.')],
          responses: { '200': jsonOf('What was decided, what became of it, and whether it was right; `optimal` is null where that cannot be known.', { type: 'object', properties: { decisions: { type: 'array', items: reference('JudgedDecision') } } }), ...problems(guarded) },
        },
      },
      '/v1/routing/decide': {
        post: {
          summary: 'The decision for a request, nothing executed',
          tags: ['Routing'],
          requestBody: operationBody,
          responses: {
            '200': jsonOf('The decision, with the limits that the operation would have.', {
              allOf: [reference('Decision'), { type: 'object', properties: { operation: { enum: operationTypes }, priority: { enum: priorities }, latencyRequirementMs: { type: 'number' }, hardTimeoutMs: { type: 'number' } } }],
            }),
            ...problems(withBody),
          },
        },
      },
      '/health': { get: { summary: 'How the system is', tags: ['Health'], responses: healthAnswer } },
      ...monitoringPaths(problems(guarded), problems(['not_found'])),
      ...adminPaths({ guarded: problems(guarded), withBody: problems(withBody), of: (...codes) => problems(codes) }),
      '/health/live': { get: { summary: 'The process answers', tags: ['Health'], responses: { '200': jsonOf('It does.', reference('State')), ...problems(guarded) } } },
      '/health/ready': {
        get: { summary: 'The service takes new work', tags: ['Health'], responses: { '200': jsonOf('It does.', reference('State')), '503': jsonOf('It is draining.', reference('State')), ...problems(guarded) } },
      },
      '/openapi.json': { get: { summary: 'This document', tags: ['Reference'], responses: { '200': jsonOf('OpenAPI 3.1.', { type: 'object' }), ...problems(everywhere) } } },
      '/docs': { get: { summary: 'This document as a page', tags: ['Reference'], responses: { '200': page('The page.'), ...problems(everywhere) } } },
      '/problems/{code}': {
        get: {
          summary: 'What a problem code means',
          tags: ['Reference'],
          parameters: [{ name: 'code', in: 'path', required: true, schema: { enum: problemCodes } }],
          responses: { '200': page('The page.'), ...problems([...everywhere, 'not_found']) },
        },
      },
    },
    components: {
      schemas: { ...openApiSchemas, ...monitoringSchemas, ...adminSchemas },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' }, apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' } },
    },
  }
}
