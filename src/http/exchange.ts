/**
 * What the HTTP layer knows of one request beside its body: when it came, its correlation id, who sends it. Made in the
 * first hook, before anything can fail, so that every answer, refusals included, carries the id.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Principal } from '../auth/principal.ts'
import { httpLimits } from './limits.ts'

export interface Exchange {
  readonly correlationId: string
  /** Monotonic and wall clock. */
  readonly arrivedAtMs: number
  readonly createdAtMs: number
  /** Set once it is known; public pages need none. */
  principal: Principal | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange
  }
  interface FastifyContextConfig {
    /** The role that the route needs; `public` needs none. A route that says nothing needs an admin. */
    access?: 'public' | 'viewer' | 'operator' | 'admin'
  }
}

const correlationIdPattern = new RegExp(`^[\\x21-\\x7e]{1,${httpLimits.correlationIdCharacters}}$`)

/** The caller's own id; undefined where there is none, null where it cannot be used. */
export function readCorrelationId(headers: IncomingHttpHeaders): string | null | undefined {
  const value = headers['x-correlation-id']
  if (value === undefined) return undefined
  return typeof value === 'string' && correlationIdPattern.test(value) ? value : null
}

const traceparentPattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** A broken one is passed over, as W3C Trace Context asks. */
export function readTraceparent(headers: IncomingHttpHeaders): string | undefined {
  const value = headers['traceparent']
  return typeof value === 'string' && traceparentPattern.test(value) && !value.startsWith('ff') ? value : undefined
}
