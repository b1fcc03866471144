/**
 * The service's port: Fastify on a server that speaks HTTP/1.1 and HTTP/2, cleartext or TLS, with what is the same for every route:
 * correlation id, size of URI and headers, access (`access.ts`), the JSON body, and one shape for every error. Routes are in one
 * file per resource; the composition root may register more before it listens.
 *
 * Order for a request: URI and headers in size (414, 431), correlation id (400), route (404, 405), key or token (401, 429, 503),
 * role (403), the caller's limits (429), content type and size (415, 413), JSON (400), then the handler. Limits are those of the configuration at the start.
 */
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Authenticator } from '../auth/authenticator.ts'
import type { Config } from '../config/schema.ts'
import type { Intake } from '../intake/intake.ts'
import { OperationError } from '../operation/problem.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { Clock } from '../runtime/clock.ts'
import { createDualProtocolServer, type DualProtocolServer } from '../runtime/dual-protocol-server.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Ids } from '../runtime/ids.ts'
import type { TlsSettings } from '../runtime/tls-door.ts'
import { createAccessControl, pathOf, type AccessDecision } from './access.ts'
import { answerHeaders, transportHeaders } from './answer-headers.ts'
import { corsHeaders, preflightHeaders } from './cors.ts'
import { readCorrelationId } from './exchange.ts'
import { registerHealth } from './health.ts'
import { parseJsonBody } from './json-body.ts'
import { createKnownPaths } from './known-paths.ts'
import { httpLimits } from './limits.ts'
import { answerMalformedRequest } from './malformed-request.ts'
import { registerMetrics } from './metrics.ts'
import type { Monitoring } from './monitoring.ts'
import { registerOperations } from './operations.ts'
import { sendError, toOperationError } from './problem-reply.ts'
import { registerAdmin, type AdminParts } from './admin.ts'
import { registerReference } from './reference.ts'
import { registerRouting } from './routing.ts'
import type { DecisionRecord } from '../routing/decision-ledger.ts'

export interface HttpServerParts {
  readonly intake: Intake
  readonly authenticator: Authenticator
  /** In force now. */
  readonly config: () => Config
  readonly clock: Clock
  readonly ids: Ids
  readonly events: EventStream<SystemEvent>
  readonly version: string
  /** Health and figures, by what is known now. */
  readonly monitoring: Monitoring
  /** The last routing decisions, newest first. */
  readonly decisions: (limit: number) => readonly DecisionRecord[]
  /** Levers, alerts and the audit trail. */
  readonly admin: AdminParts
  /** A request failed by our own mistake: for the log. */
  readonly onInternalError: (error: unknown, correlationId: string) => void
  /** TLS in place of cleartext. */
  readonly tls?: TlsSettings
}

export interface HttpServer {
  /** For further front doors, before `listen`. Their routes say their access in `config`. */
  readonly app: FastifyInstance
  listen(host: string, port: number): Promise<AddressInfo>
  /** Another certificate for new connections; throws when it cannot be used. */
  setTls(settings: TlsSettings): void
  /** Not ready any more; connections end with their next answer. */
  beginDrain(): void
  /** Ends what is left after a short grace. */
  close(): Promise<void>
}

/**
 * No route declares a Fastify schema: what a body may be is checked where it is read, with errors of our own. Saying so keeps
 * Fastify from loading two compilers that would never be asked.
 */
const withoutRouteSchemas = {
  buildValidator: () => refuseSchema,
  buildSerializer: () => refuseSchema,
}

function refuseSchema(): never {
  throw new Error('a route declares a Fastify schema: bodies are checked where they are read')
}

export function createHttpServer(parts: HttpServerParts): HttpServer {
  const { authenticator, clock, events, ids, intake } = parts
  const { limits } = parts.config()
  const paths = createKnownPaths()
  const checkAccess = createAccessControl({ authenticator, clock, events })
  let draining = false
  let door: Pick<DualProtocolServer, 'setTls'> | undefined

  const app = fastify({
    serverFactory: (handler) => {
      const server = createDualProtocolServer(handler as unknown as Parameters<typeof createDualProtocolServer>[0], {
        clock,
        firstByteTimeoutMs: httpLimits.firstByteTimeoutMs,
        headersTimeoutMs: limits.headersTimeoutMs,
        requestTimeoutMs: httpLimits.requestTimeoutMs,
        keepAliveTimeoutMs: httpLimits.keepAliveTimeoutMs,
        maxHeaderBytes: limits.headerBytes + limits.uriBytes + httpLimits.headerSlackBytes,
        maxConcurrentStreams: httpLimits.maxConcurrentStreams,
        maxConnections: limits.connections,
        closeGraceMs: httpLimits.closeGraceMs,
        ...(parts.tls === undefined ? {} : { tls: parts.tls }),
      })
      door = server
      return server as unknown as Server
    },
    bodyLimit: limits.bodyBytes,
    routerOptions: { maxParamLength: limits.uriBytes },
    clientErrorHandler: (error, socket) => answerMalformedRequest(error, socket, limits.uriBytes, ids.next('cor')),
    frameworkErrors: (error, request, reply) => {
      beginExchange(request, reply)
      sendError(reply, toOperationError(error), request.exchange.correlationId)
    },
    logger: false,
    schemaController: { compilersFactory: withoutRouteSchemas },
    genReqId: () => '',
    return503OnClosing: false,
  })

  const beginExchange = (request: FastifyRequest, reply: FastifyReply): void => {
    const given = readCorrelationId(request.headers)
    request.exchange = { correlationId: given ?? ids.next('cor'), arrivedAtMs: clock.monotonicMs(), createdAtMs: clock.nowMs(), principal: undefined }
    reply.headers(answerHeaders(request.exchange.correlationId))
    // On the response itself, so that streams, which write their own head, carry them too.
    if (parts.tls !== undefined) setAll(reply, transportHeaders)
    const { origins } = parts.config().server.cors
    if (origins.length > 0) setAll(reply, corsHeaders(request.headers.origin, origins))
    if (draining && request.raw.httpVersionMajor === 1) reply.raw.setHeader('connection', 'close')
  }

  const refusalOf = (request: FastifyRequest, reply: FastifyReply): AccessDecision | Promise<AccessDecision> => {
    const url = request.raw.url ?? ''
    if (url.length > limits.uriBytes) return new OperationError('uri_too_long', `The URI is longer than ${limits.uriBytes} bytes.`)
    if (headerBytes(request.raw.rawHeaders) > limits.headerBytes) return new OperationError('headers_too_large', `The header section is larger than ${limits.headerBytes} bytes.`)
    if (readCorrelationId(request.headers) === null) {
      const message = `must be 1 to ${httpLimits.correlationIdCharacters} visible ASCII characters without spaces.`
      return new OperationError('invalid_request', `X-Correlation-Id: ${message}`, { errors: [{ path: 'X-Correlation-Id', message }] })
    }
    if (request.is404) return unknownRoute(request.method, pathOf(url))
    return checkAccess(request, reply, request.routeOptions.config.access ?? 'admin')
  }

  const unknownRoute = (method: string, path: string): OperationError => {
    const allow = paths.methodsOf(path)
    if (allow.length === 0) return new OperationError('not_found', 'There is nothing at this path; /openapi.json lists what there is.')
    return new OperationError('method_not_allowed', `${method} is not answered here; ${allow.join(', ')} is.`, { allow })
  }

  const answerPreflight = (request: FastifyRequest): Readonly<Record<string, string>> | null => {
    if (request.method !== 'OPTIONS') return null
    return preflightHeaders(request.method, request.headers, parts.config().server.cors.origins, paths.methodsOf(pathOf(request.raw.url ?? '')))
  }

  app.decorateRequest('exchange')
  app.addHook('onRoute', (route) => paths.add(route.url, [route.method].flat()))
  app.addHook('onRequest', (request, reply, done) => {
    beginExchange(request, reply)
    const preflight = answerPreflight(request)
    if (preflight !== null) {
      reply.code(204).headers(preflight).send()
      return
    }
    const finish = (refusal: AccessDecision): void => {
      if (refusal === undefined) done()
      else sendError(reply, refusal, request.exchange.correlationId)
    }
    const refusal = refusalOf(request, reply)
    if (refusal instanceof Promise) refusal.then(finish).catch(done)
    else finish(refusal)
  })
  app.setErrorHandler((error, request, reply) => {
    const shown = toOperationError(error)
    if (shown.code === 'internal_error') parts.onInternalError(error, request.exchange.correlationId)
    return sendError(reply, shown, request.exchange.correlationId)
  })
  app.setNotFoundHandler((request, reply) => sendError(reply, unknownRoute(request.method, pathOf(request.raw.url ?? '')), request.exchange.correlationId))

  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      const encoding = request.headers['content-encoding']
      if (encoding !== undefined && encoding !== 'identity') throw new OperationError('unsupported_media_type', 'Content-Encoding: must be identity.')
      done(null, parseJsonBody(body, limits.jsonDepth))
    } catch (error) {
      done(error as Error)
    }
  })

  registerOperations(app, { intake, clock, concurrentStreams: limits.concurrentStreams })
  registerRouting(app, { intake, matrix: () => parts.config().routing.matrix, decisions: parts.decisions })
  registerHealth(app, { clock, version: parts.version, monitoring: parts.monitoring, draining: () => draining })
  registerMetrics(app, { clock, monitoring: parts.monitoring, matrix: () => parts.config().routing.matrix, currency: () => parts.config().direct.prices.currency, budgetPerDay: () => parts.config().metrics.budgetPerDay })
  registerAdmin(app, { ...parts.admin, clock, systemStatus: () => parts.monitoring.status() })
  registerReference(app, { version: parts.version })

  return {
    app,
    setTls: (settings) => door?.setTls(settings),
    async listen(host, port) {
      await app.listen({ host, port })
      return app.server.address() as AddressInfo
    },
    beginDrain() {
      draining = true
      intake.beginDrain()
    },
    async close() {
      draining = true
      await app.close()
    },
  }
}

function headerBytes(rawHeaders: readonly string[]): number {
  // Each line has ": " and an end beside its name and value.
  let bytes = rawHeaders.length * 2
  for (const part of rawHeaders) bytes += part.length
  return bytes
}

/** On the response itself and not the reply. */
function setAll(reply: FastifyReply, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) reply.raw.setHeader(name, value)
}
