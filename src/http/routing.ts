/**
 * `/v1/routing`: the matrix in force, and the decision for a request of which nothing is executed.
 */
import type { FastifyInstance } from 'fastify'
import type { Intake } from '../intake/intake.ts'
import type { Matrix } from '../operation/matrix.ts'
import { toDraft } from './operation-request.ts'
import { principalOf } from './principal-of.ts'

export interface RoutingParts {
  readonly intake: Pick<Intake, 'decide'>
  readonly matrix: () => Matrix
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
}
