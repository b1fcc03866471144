/**
 * Whether a request may go on to its route: its key or token, the role that the route needs, and the limits of its caller.
 * Failures are told to the event stream, from which the log and the audit take them. Answers at once but for tokens and
 * callers with a rate limit, which take a promise.
 *
 * A refusal by a limit happens before the route sees the request, so that it can bind no idempotency key.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { LimitVerdict } from '../auth/adapters/caller-limits.ts'
import { isForwarded, isPublicRead, type Authentication } from '../auth/authenticate.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import { requireRole } from '../auth/principal.ts'
import { OperationError } from '../operation/problem.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'

export interface AccessParts {
  readonly authenticator: Authenticator
  readonly clock: Clock
  readonly events: EventStream<SystemEvent>
}

export type Access = 'public' | 'viewer' | 'operator' | 'admin'

/** The error with which the request is refused, or undefined when it may go on. */
export type AccessDecision = OperationError | undefined

export function createAccessControl({ authenticator, clock, events }: AccessParts): (request: FastifyRequest, reply: FastifyReply, access: Access) => AccessDecision | Promise<AccessDecision> {
  const settle = (request: FastifyRequest, reply: FastifyReply, access: Exclude<Access, 'public'>, authentication: Authentication): AccessDecision | Promise<AccessDecision> => {
    const { correlationId } = request.exchange
    if (authentication.kind === 'refused') {
      const { challenge, reason, retryAfterMs, address = '', lockout } = authentication
      if (challenge !== null) reply.header('www-authenticate', challenge)
      // What an address sends while it is locked out was told once, when that began: a flood is not a flood of lines.
      if (reason !== 'locked_out') events.publish({ type: 'authentication_failed', atMs: clock.nowMs(), remoteAddress: address, reason, correlationId })
      if (lockout !== undefined) events.publish({ type: 'address_locked_out', atMs: clock.nowMs(), remoteAddress: address, ...lockout, correlationId })
      return new OperationError(authentication.code, authentication.detail, retryAfterMs === undefined ? {} : { retryAfterMs })
    }
    request.exchange.principal = authentication.principal
    const refusal = requireRole(authentication.principal, access)
    if (refusal !== null) return new OperationError(refusal.code, refusal.detail)
    const verdict = authenticator.enter(authentication.principal)
    return verdict instanceof Promise ? verdict.then((settled) => obey(request, reply, settled)) : obey(request, reply, verdict)
  }

  const obey = (request: FastifyRequest, reply: FastifyReply, verdict: LimitVerdict): AccessDecision => {
    // On the response itself, so that streams, which write their own head, carry them too.
    if (verdict.headers !== null) for (const [name, value] of Object.entries(verdict.headers)) reply.raw.setHeader(name, value)
    switch (verdict.kind) {
      case 'within':
        if (verdict.release !== null) releaseAfter(reply, verdict.release)
        return undefined
      case 'beyond':
        events.publish({ type: 'operation_refused', atMs: clock.nowMs(), code: 'rate_limited', correlationId: request.exchange.correlationId })
        return new OperationError('rate_limited', verdict.detail, { retryAfterMs: verdict.retryAfterMs })
      default:
        return verdict satisfies never
    }
  }

  return (request, reply, access) => {
    if (access === 'public') return undefined
    const { headers } = request
    const { socket } = request.raw
    const authentication = authenticator.authenticate({
      authorization: headers.authorization,
      xApiKey: single(headers['x-api-key']),
      remoteAddress: socket.remoteAddress,
      xForwardedFor: single(headers['x-forwarded-for']),
      host: headers.host ?? single(headers[':authority']),
      origin: headers.origin,
      forwarded: isForwarded(Object.keys(headers)),
      publicRead: isPublicRead(request.method, pathOf(request.raw.url ?? '')),
    })
    return authentication instanceof Promise ? authentication.then((settled) => settle(request, reply, access, settled)) : settle(request, reply, access, authentication)
  }
}

/** A response that is already closed tells nobody: its caller left while it was being let in. */
function releaseAfter(reply: FastifyReply, release: () => void): void {
  if (reply.raw.closed || reply.raw.destroyed) release()
  else reply.raw.once('close', release)
}

export function pathOf(url: string): string {
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
