/**
 * Answers an HTTP/1.1 request that Node could not parse, or whose headers did not come in time: the same problem details as
 * every other error, written to the socket by hand because there is no response object. The connection ends with it.
 */
import type { Socket } from 'node:net'
import { OperationError, problemCatalogue, toProblem } from '../operation/problem.ts'
import { problemContentType } from './problem-reply.ts'

/** Where Node keeps the response that is being written; what is begun must not be mixed with another answer. */
interface BusySocket {
  readonly _httpMessage?: { readonly headersSent?: boolean } | null
}

export interface MalformedRequest extends Error {
  readonly code?: string | undefined
  /** The bytes that Node was reading; a Buffer, whatever the types say. */
  readonly rawPacket?: unknown
}

export function answerMalformedRequest(error: MalformedRequest, socket: Socket, uriBytes: number, correlationId: string): void {
  if (!socket.writable || error.code === 'ECONNRESET' || (socket as Socket & BusySocket)._httpMessage?.headersSent === true) {
    socket.destroy()
    return
  }
  const refusal = refusalFor(error, uriBytes)
  const body = JSON.stringify(toProblem(refusal, correlationId))
  const { status } = problemCatalogue[refusal.code]
  const head = [
    `HTTP/1.1 ${status} ${problemCatalogue[refusal.code].title}`,
    `content-type: ${problemContentType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-correlation-id: ${correlationId}`,
    'x-content-type-options: nosniff',
    'cache-control: no-store',
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

export function refusalFor(error: MalformedRequest, uriBytes: number): OperationError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return requestLineBytes(error.rawPacket) > uriBytes
        ? new OperationError('uri_too_long', `The URI is longer than ${uriBytes} bytes.`)
        : new OperationError('headers_too_large', 'The header section is larger than limits.headerBytes, 16 KiB unless configured.')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new OperationError('payload_too_large', 'The chunk extensions are too large.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return invalid('request', 'did not arrive whole in time.')
    default:
      return invalid('request', 'is not valid HTTP/1.1.')
  }
}

function requestLineBytes(packet: unknown): number {
  if (!Buffer.isBuffer(packet) || !/^[A-Z]+ /.test(packet.toString('latin1', 0, 16))) return 0
  const end = packet.indexOf(0x0d)
  return end === -1 ? packet.length : end
}

function invalid(path: string, message: string): OperationError {
  return new OperationError('invalid_request', `The ${path} ${message}`, { errors: [{ path, message }] })
}
