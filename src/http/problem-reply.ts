/**
 * The one place where an error becomes an HTTP answer: `application/problem+json` with the headers that its code asks for.
 * What Fastify refuses by itself is told in our codes; whatever else is thrown is an `internal_error` whose cause goes to
 * the log and not to the caller.
 */
import type { FastifyReply } from 'fastify'
import { OperationError, toProblem, type Problem } from '../operation/problem.ts'

export const problemContentType = 'application/problem+json'
/** Seconds. What a refused caller waits when nothing better is known. */
const defaultRetryAfterSeconds = 1

export function toOperationError(error: unknown): OperationError {
  if (error instanceof OperationError) return error
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new OperationError('payload_too_large', 'The body is larger than the limit of limits.bodyBytes, 4 MiB unless configured.', { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_EMPTY_TYPE':
    case 'FST_ERR_CTP_INVALID_TYPE':
      return new OperationError('unsupported_media_type', 'Content-Type: must be application/json.', { cause: error })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalid('Content-Length', 'is not the length of the body.', error)
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return invalid('body', 'is required.', error)
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_INVALID_URL':
      return invalid('path', 'is not valid percent-encoding.', error)
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new OperationError('uri_too_long', 'The path has a segment that is too long.', { cause: error })
    case 'ECONNRESET':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return invalid('body', 'ended before its length.', error)
    default:
      return new OperationError('internal_error', 'The service failed; the log has the cause under the correlation id.', { cause: error })
  }
}

export function sendError(reply: FastifyReply, error: OperationError, correlationId: string): FastifyReply {
  if (error.allow !== undefined) reply.header('allow', error.allow.join(', '))
  return sendProblem(reply, toProblem(error, correlationId))
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  // Fastify asks to close the connection after a body that it refused; HTTP/2 has no such header, and Node would warn.
  if (reply.request.raw.httpVersionMajor > 1) reply.removeHeader('connection')
  const retryAfter = retryAfterSeconds(problem)
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  // As bytes, because Fastify adds a charset to the type of a text, and JSON has none.
  return reply.code(problem.status).header('content-type', problemContentType).send(Buffer.from(JSON.stringify(problem)))
}

/** For the statuses that mean "later"; a 503 always says when (public contract, part 8). */
function retryAfterSeconds(problem: Problem): number | undefined {
  if (problem.retryAfterMs !== undefined) return Math.max(defaultRetryAfterSeconds, Math.ceil(problem.retryAfterMs / 1_000))
  return problem.status === 503 || problem.status === 429 ? defaultRetryAfterSeconds : undefined
}

function invalid(path: string, message: string, cause: unknown): OperationError {
  return new OperationError('invalid_request', `${path}: ${message}`, { errors: [{ path, message }], cause })
}
