/**
 * One request and its answer, the same for HTTP/1.1 and HTTP/2: the body up to a limit, the answer whole or in pieces, and
 * how it ended. Whether we ended the answer is remembered here, because over HTTP/2 Node calls an answer finished whose
 * client vanished in mid-stream.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2ServerRequest, type Http2ServerResponse, type IncomingHttpHeaders } from 'node:http2'

/** How an exchange ended: answered whole, cut by us on purpose, or left by the client. */
export type ExchangeEnd = 'answered' | 'cut' | 'left'

export type BodyOutcome = { readonly kind: 'whole'; readonly body: Buffer } | { readonly kind: 'tooLarge' }

export class Exchange {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly protocol: '1.1' | '2.0'
  readonly remoteAddress: string
  status = 0
  #end: ExchangeEnd | undefined
  readonly #request: IncomingMessage | Http2ServerRequest
  // The two answers share every method that is used here; their union has no callable `write`.
  readonly #response: ServerResponse
  readonly #http2: Http2ServerResponse | undefined
  readonly #listeners: ((end: ExchangeEnd) => void)[] = []

  constructor(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) {
    this.#request = request
    this.#response = response as ServerResponse
    this.#http2 = request.httpVersionMajor === 2 ? (response as Http2ServerResponse) : undefined
    this.method = request.method ?? ''
    this.url = request.url ?? ''
    this.headers = request.headers
    this.protocol = this.#http2 === undefined ? '1.1' : '2.0'
    this.remoteAddress = request.socket.remoteAddress ?? ''
    this.#response.on('close', () => this.#finish('left'))
    // The client's end of the story is told by 'close'; an error without a listener would end the process.
    this.#response.on('error', () => {})
    request.on('error', () => {})
  }

  get over(): boolean {
    return this.#end !== undefined
  }

  /** Called once, when the answer is complete, was cut, or has nobody to go to; at once if that is so already. */
  onOver(listener: (end: ExchangeEnd) => void): void {
    if (this.#end === undefined) this.#listeners.push(listener)
    else listener(this.#end)
  }

  readBody(maxBytes: number, done: (outcome: BodyOutcome) => void): void {
    const chunks: Buffer[] = []
    let bytes = 0
    let settled = false
    const settle = (outcome: BodyOutcome): void => {
      if (settled) return
      settled = true
      done(outcome)
    }
    this.#request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
      else {
        chunks.length = 0
        settle({ kind: 'tooLarge' })
      }
    })
    this.#request.on('end', () => settle({ kind: 'whole', body: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks) }))
  }

  respond(status: number, headers: Readonly<Record<string, string | number>>, body: string | Buffer): void {
    if (this.over) return
    this.status = status
    this.#response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
    this.#response.end(body)
    this.#finish('answered')
  }

  /** Begins an answer in pieces. */
  start(status: number, headers: Readonly<Record<string, string | number>>): void {
    if (this.over) return
    this.status = status
    this.#response.writeHead(status, headers)
  }

  /** False when the client does not keep up: `onDrain` tells when to go on. */
  write(bytes: Buffer): boolean {
    return this.over || this.#response.write(bytes)
  }

  onDrain(listener: () => void): void {
    this.#response.once('drain', listener)
  }

  end(): void {
    if (this.over) return
    this.#response.end()
    this.#finish('answered')
  }

  /**
   * Breaks the connection, as a process that dies or a network that fails does; every exchange on it ends. What was written
   * goes out first, so that the client sees the break in the place that was asked for.
   */
  cut(): void {
    if (this.over) return
    this.#finish('cut')
    if (this.#http2 === undefined) {
      const { socket } = this.#request
      if (socket.writableLength === 0) socket.resetAndDestroy()
      else socket.end(() => socket.destroy())
      return
    }
    const { session } = this.#http2.stream
    if (session === undefined || session.destroyed) return
    session.destroy(undefined, constants.NGHTTP2_INTERNAL_ERROR)
  }

  #finish(end: ExchangeEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    for (const listener of this.#listeners.splice(0)) listener(end)
  }
}
