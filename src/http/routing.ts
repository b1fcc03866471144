/**
 * `/v1/routing`: the matrix in force, the decision for a request of which nothing is executed, and the last decisions with what
 * became of them and the verdict of hindsight. A key that is bound to a tenant sees that tenant's decisions.
 */
import type { FastifyInstance } from 'fastify'
import type { Intake } from '../intake/intake.ts'
import type { Matrix } from '../operation/matrix.ts'
import type { FieldError } from '../operation/problem.ts'
import type { DecisionRecord } from '../routing/decision-ledger.ts'
import { httpLimits } from './limits.ts'
import { toDraft } from './operation-request.ts'
import { principalOf } from './principal-of.ts'
import { invalidRequest } from './validation-errors.ts'

export interface RoutingParts {
  readonly intake: Pick<Intake, 'decide'>
  readonly matrix: () => Matrix
  /** The last ones, newest first. */
  readonly decisions: (limit: number) => readonly DecisionRecord[]
}

const json = 'application/json; charset=utf-8'

export function registerRouting(app: FastifyInstance, parts: RoutingParts): void {
  app.get('/v1/routing/matrix', { config: { access: 'viewer' } }, (_request, reply) => {
    reply.header('content-type', json).send(JSON.stringify({ matrix: parts.matrix() }))
  })

  app.post('/v1/routing/decide', { config: { access: 'operator' } }, (request, reply) => {
    const { operation, decision } = parts.intake.decide(toDraft(request.body, request.headers, request.exchange, principalOf(request)))
    const { type, priority, latencyRequirementMs, hardTimeoutMs } = operation
    reply.header('content-type', json).send(JSON.stringify({ ...decision, operation: type, priority, latencyRequirementMs, hardTimeoutMs }))
  })

  app.get('/v1/routing/decisions', { config: { access: 'viewer' } }, (request, reply) => {
    const limit = readLimit(request.query)
    const { tenant } = principalOf(request)
    const seen = tenant === null ? parts.decisions(limit) : parts.decisions(Number.MAX_SAFE_INTEGER).filter((each) => each.tenant === tenant).slice(0, limit)
    reply.header('content-type', json).send(JSON.stringify({ decisions: seen.map(shown) }))
  })
}

/** Without the instant on the process's own time line, which means nothing outside. */
function shown(record: DecisionRecord): object {
  const { operationId, operation, priority, tenant, decidedAt, decision, status, route, target, basis, latencyMs, latencyRequirementMs, slaMet, attempts, hindsight } = record
  const regretMs = hindsight.regretMs === null ? null : Math.round(hindsight.regretMs * 10) / 10
  const outcome = { status, route, target, basis, latencyMs, latencyRequirementMs, slaMet, attempts }
  return { operationId, operation, priority, tenant, decidedAt, decision, ...outcome, hindsight: { ...hindsight, regretMs } }
}

function readLimit(query: unknown): number {
  const given = (query ?? {}) as Readonly<Record<string, unknown>>
  const errors: FieldError[] = Object.keys(given)
    .filter((name) => name !== 'limit')
    .slice(0, 8)
    .map((name) => ({ path: name.slice(0, httpLimits.shownCharacters), message: 'is not a known parameter; known is limit.' }))
  const { limit: text = String(httpLimits.pageDefault) } = given
  const limit = typeof text === 'string' && /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > httpLimits.pageLimit) errors.push({ path: 'limit', message: `is not a whole number in [1, ${httpLimits.pageLimit}].` })
  if (errors.length > 0) throw invalidRequest(errors)
  return limit
}
