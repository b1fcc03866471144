/**
 * The authenticated sender of a request. A route whose access is not public is never reached without one: that it is
 * missing is our mistake, and the request fails.
 */
import assert from 'node:assert'
import type { FastifyRequest } from 'fastify'
import type { Principal } from '../auth/principal.ts'

export function principalOf(request: FastifyRequest): Principal {
  const { principal } = request.exchange
  assert(principal !== undefined, 'a route that needs a principal was reached without one')
  return principal
}
