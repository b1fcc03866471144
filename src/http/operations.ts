/**
 * `/v1/operations`: submit, read, list, cancel, follow. Thin: what a request means is in `operation-request.ts`, what
 * happens to an operation is the intake's, how events travel is in `event-stream-writer.ts`.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Intake } from '../intake/intake.ts'
import type { Reader } from '../intake/operation-draft.ts'
import { problemOf } from '../intake/operation-event.ts'
import type { Ticket } from '../intake/ticket.ts'
import { OperationError } from '../operation/problem.ts'
import type { OperationResult } from '../operation/result.ts'
import type { Clock } from '../runtime/clock.ts'
import { answerHeaders } from './answer-headers.ts'
import { writeEventStream } from './event-stream-writer.ts'
import type { Follower } from '../intake/event-log.ts'
import { readListingQuery, toCursor } from './listing-query.ts'
import { toDraft } from './operation-request.ts'
import { principalOf } from './principal-of.ts'
import { sendError, sendProblem, toOperationError } from './problem-reply.ts'
import { invalidRequest } from './validation-errors.ts'

export interface OperationsParts {
  readonly intake: Intake
  readonly clock: Clock
  /** Streams to clients that are open at once. */
  readonly concurrentStreams: number
}

const json = 'application/json; charset=utf-8'

export function registerOperations(app: FastifyInstance, parts: OperationsParts): void {
  const { intake } = parts
  const streams = { open: 0 }

  app.post('/v1/operations', { config: { access: 'operator' } }, (request, reply) => {
    const draft = toDraft(request.body, request.headers, request.exchange, principalOf(request))
    if (draft.mode === 'stream') assertStreamsLeft(streams.open, parts.concurrentStreams)
    const answer = (ticket: Ticket): void => {
      switch (draft.mode) {
        case 'sync':
          answerWhenSettled(ticket, reply, request.exchange.correlationId)
          return
        case 'async':
          reply.code(202).header('location', `/v1/operations/${ticket.id}`)
          sendResult(reply, draft.idempotency === undefined ? asQueued(ticket.current()) : ticket.current())
          return
        case 'stream':
          stream(parts, streams, request, reply, { follow: (wake) => ticket.follow(0, wake), holdBack: true, leave: () => ticket.leave() })
          return
      }
    }
    const ticket = intake.submit(draft)
    // Only what needs the store comes as a promise: the others are answered without one.
    if (ticket instanceof Promise) ticket.then(answer).catch((error: unknown) => sendError(reply, toOperationError(error), request.exchange.correlationId))
    else answer(ticket)
  })

  app.get<{ Params: { id: string } }>('/v1/operations/:id', { config: { access: 'operator' } }, async (request, reply) =>
    sendResult(reply, await intake.get(readerOf(request), request.params.id)),
  )

  app.get('/v1/operations', { config: { access: 'operator' } }, async (request, reply) => {
    const { operations, next } = await intake.list(readerOf(request), readListingQuery(request.query))
    return reply.header('content-type', json).send(JSON.stringify({ operations, nextCursor: next === undefined ? null : toCursor(next) }))
  })

  app.delete<{ Params: { id: string } }>('/v1/operations/:id', { config: { access: 'operator' } }, async (request, reply) =>
    sendResult(reply, await intake.cancel(readerOf(request), request.params.id)),
  )

  app.get<{ Params: { id: string } }>('/v1/operations/:id/events', { config: { access: 'operator' }, exposeHeadRoute: false }, async (request, reply) => {
    const afterId = readLastEventId(request)
    assertStreamsLeft(streams.open, parts.concurrentStreams)
    const source = await followLater(intake, request, afterId)
    stream(parts, streams, request, reply, { follow: source, holdBack: false, leave: () => undefined })
    return reply
  })
}

/** The follower is looked up first, so that an unknown id is a 404 and not a stream; its waker comes with the writer. */
async function followLater(intake: Intake, request: FastifyRequest<{ Params: { id: string } }>, afterId: number): Promise<(wake: () => void) => Follower> {
  let wake = (): void => undefined
  const follower = await intake.follow(readerOf(request), request.params.id, afterId, () => wake())
  return (waker) => {
    wake = waker
    return follower
  }
}

function answerWhenSettled(ticket: Ticket, reply: FastifyReply, correlationId: string): void {
  let over = false
  reply.raw.on('close', () => {
    if (over) return
    over = true
    ticket.leave()
  })
  ticket.whenSettled((result) => {
    if (over) return
    over = true
    if (result.status === 'succeeded') writeAnswer(reply, ticket.text(), correlationId)
    else sendProblem(reply, { ...problemOf(result), correlationId })
  })
}

interface StreamSource {
  readonly follow: (wake: () => void) => Follower
  readonly holdBack: boolean
  readonly leave: () => void
}

function stream(parts: OperationsParts, streams: { open: number }, request: FastifyRequest, reply: FastifyReply, source: StreamSource): void {
  const { correlationId } = request.exchange
  streams.open += 1
  writeEventStream({
    response: reply.raw,
    headers: answerHeaders(correlationId),
    clock: parts.clock,
    holdBack: source.holdBack,
    follow: source.follow,
    onBegin: () => {
      reply.hijack()
    },
    onRefused: (result) => {
      sendProblem(reply, { ...problemOf(result), correlationId })
    },
    onGone: source.leave,
    onOver: () => {
      streams.open -= 1
    },
  })
}

/**
 * The answer of most requests, past Fastify's reply and its hooks: it is text already and its head is always the same. Written
 * as Latin-1 where that is the same bytes, which saves Node from encoding it.
 */
function writeAnswer(reply: FastifyReply, text: string, correlationId: string): void {
  const { raw: response } = reply
  if (response.headersSent || response.destroyed) return
  const bytes = Buffer.byteLength(text)
  reply.hijack()
  response.writeHead(200, { ...answerHeaders(correlationId), 'content-type': json, 'content-length': bytes })
  response.end(text, bytes === text.length ? 'latin1' : 'utf8')
}

function sendResult(reply: FastifyReply, result: OperationResult): FastifyReply {
  return reply.header('content-type', json).send(JSON.stringify(result))
}

/** What the caller of an asynchronous operation is told, also when it was over in the same turn. */
function asQueued(result: OperationResult): OperationResult {
  return result.status === 'running' ? { ...result, status: 'queued' } : result
}

function readerOf(request: FastifyRequest): Reader {
  return { tenant: principalOf(request).tenant }
}

function assertStreamsLeft(open: number, limit: number): void {
  if (open >= limit) throw new OperationError('overloaded', 'Too many streams are open.', { retryAfterMs: 1_000 })
}

function readLastEventId(request: FastifyRequest): number {
  const value = request.headers['last-event-id']
  if (value === undefined || value === '') return 0
  const id = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : undefined
  if (id === undefined) throw invalidRequest([{ path: 'Last-Event-ID', message: 'must be the number of an event of this operation.' }])
  return id
}
