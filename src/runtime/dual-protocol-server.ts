/**
 * One TCP port that speaks HTTP/1.1 and HTTP/2: in cleartext by prior knowledge, because the AWS SDK for JavaScript opens
 * HTTP/2 without asking on `http://` while every other client speaks HTTP/1.1; with TLS as both sides choose by ALPN
 * (`tls-door.ts`).
 *
 * In cleartext the first three bytes decide: `PRI` is the HTTP/2 connection preface (RFC 9113, section 3.4), and no HTTP/1.1 method
 * begins so. An undecided head is kept here, not pushed back into the socket while waiting for more: a socket that is read
 * and refilled in turn never lets the event loop go. The socket then belongs to an inner server of Node's own, so that all
 * parsing and all its limits are Node's.
 *
 * What this file adds is what the two inner servers cannot do because they never listen: the deadline for the first byte,
 * an end for HTTP/2 sessions and requests that stall, and a `close` that ends both kinds: GOAWAY and no new requests, then,
 * after the grace period, the sockets. It is a `net.Server` with the methods that Fastify's `serverFactory` expects.
 */
import assert from 'node:assert'
import { createServer as createHttp1Server, type IncomingMessage, type Server as Http1Server, type ServerResponse } from 'node:http'
import {
  constants as http2Constants,
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2'
import { Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { CancelSchedule, Clock } from './clock.ts'
import { createTlsDoor, type TlsDoor, type TlsSettings } from './tls-door.ts'

export type DualProtocolHandler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void

export interface DualProtocolServerOptions {
  readonly clock: Clock
  /** From the accepted connection to the bytes that tell the protocol; a silent connection is closed then. */
  readonly firstByteTimeoutMs: number
  /** TLS in place of cleartext. */
  readonly tls?: TlsSettings
  /** For a complete header section; for HTTP/2, for the first request of a session. */
  readonly headersTimeoutMs: number
  /** For the whole request, body included; not for the answer. 0 is no limit. */
  readonly requestTimeoutMs: number
  /** How long a connection without a request is kept. */
  readonly keepAliveTimeoutMs: number
  /** Header section of one request in bytes, on both protocols: 431 on HTTP/1.1, 431 or a reset stream on HTTP/2. */
  readonly maxHeaderBytes: number
  /** Requests at once on one HTTP/2 session. */
  readonly maxConcurrentStreams: number
  /** Connections at once; more are closed on accept. */
  readonly maxConnections: number
  /** From `close` to the moment when what is still open is cut. */
  readonly closeGraceMs: number
  /**
   * Told of an HTTP/1.1 request that could not be parsed; it may write an answer to the socket and must end it. A listener
   * of the server's `clientError` event comes first. Without either, Node's status line for the error is sent.
   */
  readonly onMalformedRequest?: (error: NodeJS.ErrnoException, socket: Socket) => void
  /** Told of an HTTP/2 session that broke its protocol; Node has answered it with GOAWAY already. */
  readonly onSessionError?: (error: Error) => void
}

export interface DualProtocolServer extends Server {
  /** Inactivity limit of the connections' sockets, as `http.Server` has it. */
  setTimeout(durationMs?: number, callback?: () => void): this
  closeAllConnections(): void
  closeIdleConnections(): void
  /** Another certificate for new connections. Throws when it cannot be used; the old one stays in use then. */
  setTls(settings: TlsSettings): void
}

/** `PRI` as the preface begins; two equal bytes are not enough, since `PROPFIND` and `POST` share the first. */
const prefaceHead = Buffer.from('PRI')

/**
 * How often stalled sessions and requests are looked for: coarse, because these limits are seconds, and one sweep over all
 * costs less than a timer for each request.
 */
const sweepIntervalMs = 500

/** While closing, the sweep also ends HTTP/1.1 connections that became idle since, so it must not add much to a shutdown. */
const closingSweepIntervalMs = 50

/**
 * Streams that a client opens and resets at once cost it nothing and us a request each (CVE-2023-44487). Node closes the
 * session when the bucket is empty; an honest client that cancels often stays far below.
 */
const streamResetBurst = 1_000
const streamResetsPerSecond = 100

/** Frames that are invalid, or streams refused, before a session is closed. */
const maxSessionInvalidFrames = 100
const maxSessionRejectedStreams = 100

/** RFC 9113, 6.5.2: each field counts 32 bytes more than its text. */
const http2FieldOverheadBytes = 32

interface Session {
  readonly http2: ServerHttp2Session
  /** Since when no stream was open, on the monotonic clock; undefined while one is. */
  idleSinceMs: number | undefined
  openStreams: number
  requests: number
}

export function createDualProtocolServer(handler: DualProtocolHandler, options: DualProtocolServerOptions): DualProtocolServer {
  return new PeekingServer(handler, options)
}

class PeekingServer extends Server implements DualProtocolServer {
  readonly #options: DualProtocolServerOptions
  readonly #handler: DualProtocolHandler
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  readonly #tlsDoor: TlsDoor | undefined
  /** All that are open, whatever they speak. */
  readonly #sockets = new Set<Socket>()
  readonly #undecided = new Set<Socket>()
  readonly #sessions = new Set<Session>()
  /** HTTP/2 requests whose body has not arrived whole, with the instant they came. */
  readonly #receiving = new Map<Http2ServerRequest, number>()
  #closing = false
  #cancelSweep: CancelSchedule | undefined
  #cancelForce: CancelSchedule | undefined

  constructor(handler: DualProtocolHandler, options: DualProtocolServerOptions) {
    super({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 })
    this.#options = options
    this.#handler = handler
    this.maxConnections = options.maxConnections
    this.#http1 = createHttp1Server(
      {
        maxHeaderSize: options.maxHeaderBytes,
        headersTimeout: options.requestTimeoutMs > 0 ? Math.min(options.headersTimeoutMs, options.requestTimeoutMs) : options.headersTimeoutMs,
        requestTimeout: options.requestTimeoutMs,
        keepAliveTimeout: options.keepAliveTimeoutMs,
        connectionsCheckingInterval: sweepIntervalMs,
      },
      (request, response) => this.#onHttp1Request(request, response),
    )
    this.#http2 = createHttp2Server(
      {
        settings: { maxConcurrentStreams: options.maxConcurrentStreams, maxHeaderListSize: options.maxHeaderBytes },
        streamResetBurst,
        streamResetRate: streamResetsPerSecond,
        maxSessionInvalidFrames,
        maxSessionRejectedStreams,
      },
      (request, response) => this.#onHttp2Request(request, response),
    )
    this.#http1.on('clientError', (error, socket) => this.#onMalformedRequest(error, socket as Socket))
    this.#http2.on('session', (session: ServerHttp2Session) => this.#onSession(session))
    this.#http2.on('sessionError', (error: Error) => this.#options.onSessionError?.(error))
    // Node's HTTP/1.1 server looks for stalled requests from the moment it listens; the inner one never does by itself.
    this.on('listening', () => {
      this.#closing = false
      this.#http1.emit('listening')
    })
    const door =
      options.tls === undefined
        ? undefined
        : createTlsDoor({ settings: options.tls, handshakeTimeoutMs: options.firstByteTimeoutMs, onSecure: (socket, protocol) => this.#onSecure(socket, protocol) })
    this.#tlsDoor = door
    this.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.on('connection', door === undefined ? (socket) => this.#peek(socket) : (socket) => door.accept(socket))
  }

  setTimeout(durationMs?: number, callback?: () => void): this {
    this.#http1.setTimeout(durationMs, callback)
    return this
  }

  closeIdleConnections(): void {
    this.#http1.closeIdleConnections()
    for (const session of this.#sessions) if (session.openStreams === 0) session.http2.close()
  }

  closeAllConnections(): void {
    for (const socket of this.#undecided) socket.destroy()
    this.#tlsDoor?.endHandshakes()
    this.#http1.closeAllConnections()
    for (const session of this.#sessions) cut(session.http2)
    // Node waits for the other side to end a session that was told to close, and a client that reads nothing never does.
    // The turn in between lets the last frames out.
    setImmediate(() => {
      for (const socket of this.#sockets) socket.destroy()
    })
  }

  override close(callback?: (error?: Error) => void): this {
    super.close(callback)
    if (this.#closing) return this
    this.#closing = true
    const { clock, closeGraceMs } = this.#options
    this.#http1.close()
    for (const socket of this.#undecided) socket.destroy()
    this.#tlsDoor?.endHandshakes()
    // A session that is closed takes no new stream, tells the client so (GOAWAY), and ends with its last stream.
    for (const session of this.#sessions) session.http2.close()
    this.#cancelForce = clock.schedule(clock.monotonicMs() + closeGraceMs, () => this.closeAllConnections())
    this.#armSweep(true)
    this.once('close', () => {
      this.#cancelForce?.()
      this.#cancelSweep?.()
      this.#cancelSweep = undefined
    })
    return this
  }

  setTls(settings: TlsSettings): void {
    assert(this.#tlsDoor !== undefined, 'a server that began in cleartext stays so')
    this.#tlsDoor.update(settings)
  }

  #onSecure(socket: TLSSocket, protocol: 'h2' | 'http/1.1'): void {
    if (this.#closing) {
      socket.destroy()
      return
    }
    if (protocol === 'h2') this.#http2.emit('connection', socket)
    else this.#http1.emit('connection', socket)
  }

  #peek(socket: Socket): void {
    const { clock, firstByteTimeoutMs } = this.#options
    let head: Buffer | undefined
    this.#undecided.add(socket)
    const cancelDeadline = clock.schedule(clock.monotonicMs() + firstByteTimeoutMs, () => socket.destroy())
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      head = head === undefined ? chunk : Buffer.concat([head, chunk])
      const length = Math.min(head.length, prefaceHead.length)
      const mayBePreface = head.compare(prefaceHead, 0, length, 0, length) === 0
      if (mayBePreface && length < prefaceHead.length) return
      forget()
      socket.unshift(head)
      if (mayBePreface) this.#http2.emit('connection', socket)
      else this.#http1.emit('connection', socket)
    }
    const onEnd = (): void => {
      socket.destroy()
    }
    // A socket that breaks before it said anything concerns nobody; without a listener the error would end the process.
    const onError = (): void => {}
    const forget = (): void => {
      cancelDeadline()
      this.#undecided.delete(socket)
      socket.off('readable', onReadable).off('end', onEnd).off('close', forget).off('error', onError)
    }
    socket.on('readable', onReadable).on('end', onEnd).on('close', forget).on('error', onError)
  }

  #onHttp1Request(request: IncomingMessage, response: ServerResponse): void {
    if (this.#closing) response.shouldKeepAlive = false
    this.#handler(request, response)
  }

  #onMalformedRequest(error: NodeJS.ErrnoException, socket: Socket): void {
    if (this.emit('clientError', error, socket)) return
    if (this.#options.onMalformedRequest !== undefined) {
      this.#options.onMalformedRequest(error, socket)
      return
    }
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    socket.end(`HTTP/1.1 ${statusLineOf(error)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  }

  #onSession(http2: ServerHttp2Session): void {
    const { clock } = this.#options
    const session: Session = { http2, idleSinceMs: clock.monotonicMs(), openStreams: 0, requests: 0 }
    this.#sessions.add(session)
    http2.on('close', () => this.#sessions.delete(session))
    http2.on('stream', (stream) => {
      session.openStreams += 1
      session.requests += 1
      session.idleSinceMs = undefined
      stream.on('close', () => {
        session.openStreams -= 1
        if (session.openStreams === 0) session.idleSinceMs = clock.monotonicMs()
      })
    })
    if (this.#closing) http2.close()
    this.#armSweep(false)
  }

  #onHttp2Request(request: Http2ServerRequest, response: Http2ServerResponse): void {
    if (headerBytes(request.rawHeaders) > this.#options.maxHeaderBytes) {
      response.writeHead(431)
      response.end()
      return
    }
    if (this.#options.requestTimeoutMs > 0 && !request.stream.endAfterHeaders) {
      this.#receiving.set(request, this.#options.clock.monotonicMs())
      const received = (): void => {
        this.#receiving.delete(request)
      }
      request.on('end', received)
      request.on('close', received)
    }
    this.#handler(request, response)
  }

  /** One timer while there is something to look after, none otherwise. */
  #armSweep(soon: boolean): void {
    if (this.#cancelSweep !== undefined && !soon) return
    this.#cancelSweep?.()
    const { clock } = this.#options
    const intervalMs = this.#closing ? closingSweepIntervalMs : sweepIntervalMs
    this.#cancelSweep = clock.schedule(clock.monotonicMs() + intervalMs, () => {
      this.#cancelSweep = undefined
      this.#sweep()
      if (this.#closing || this.#sessions.size > 0) this.#armSweep(false)
    })
  }

  #sweep(): void {
    const { clock, headersTimeoutMs, keepAliveTimeoutMs, requestTimeoutMs } = this.#options
    const nowMs = clock.monotonicMs()
    for (const session of this.#sessions) {
      if (session.idleSinceMs === undefined) continue
      const limitMs = session.requests === 0 ? headersTimeoutMs : keepAliveTimeoutMs
      if (nowMs - session.idleSinceMs < limitMs) continue
      // `close` would wait for a header section that is still arriving, and it may arrive for ever.
      cut(session.http2)
    }
    for (const [request, sinceMs] of this.#receiving) {
      if (nowMs - sinceMs < requestTimeoutMs) continue
      this.#receiving.delete(request)
      request.stream.close(http2Constants.NGHTTP2_CANCEL)
    }
    if (this.#closing) this.#http1.closeIdleConnections()
  }
}

/** Ends a session with all its streams; the client is told, as far as the socket still takes it. */
function cut(session: ServerHttp2Session): void {
  if (session.destroyed) return
  session.goaway(http2Constants.NGHTTP2_NO_ERROR)
  session.destroy()
}

function headerBytes(rawHeaders: readonly string[]): number {
  let bytes = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    bytes += (rawHeaders[index]?.length ?? 0) + (rawHeaders[index + 1]?.length ?? 0) + http2FieldOverheadBytes
  }
  return bytes
}

function statusLineOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return '431 Request Header Fields Too Large'
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return '413 Payload Too Large'
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return '408 Request Timeout'
    default:
      return '400 Bad Request'
  }
}
