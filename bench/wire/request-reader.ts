/**
 * Cuts the bytes of an HTTP/1.1 connection into requests, as little as the mock upstream needs: a head, and a body with
 * Content-Length. It exists because `node:http` would cost the mock more than the services it serves spend on a request.
 * Pipelined requests come out one by one; a body without a length, and a head or body beyond the limits, is refused.
 */

/** Bytes. A Converse request of a benchmark is below 4 KiB; these only bound memory. */
const limits = { head: 64 * 1024, body: 4 * 1024 * 1024 } as const

const contentLength = /\r\ncontent-length: *(\d{1,9})/i
const chunked = /\r\ntransfer-encoding:/i

export type OnRequest = (head: string, body: Buffer) => void

export class RequestReader {
  readonly #onRequest: OnRequest
  #pending: Buffer | null = null

  constructor(onRequest: OnRequest) {
    this.#onRequest = onRequest
  }

  /** Throws on what it cannot read; the connection is then of no more use. */
  read(chunk: Buffer): void {
    let bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk])
    while (bytes.length > 0) {
      const headEnd = bytes.indexOf('\r\n\r\n')
      if (headEnd < 0) {
        if (bytes.length > limits.head) throw new Error('request head is too long')
        break
      }
      const head = bytes.toString('latin1', 0, headEnd)
      if (chunked.test(head)) throw new Error('request bodies need Content-Length')
      const length = Number(contentLength.exec(head)?.[1] ?? 0)
      if (length > limits.body) throw new Error('request body is too long')
      const end = headEnd + 4 + length
      if (bytes.length < end) break
      this.#onRequest(head, bytes.subarray(headEnd + 4, end))
      bytes = bytes.subarray(end)
    }
    this.#pending = bytes.length > 0 ? bytes : null
  }
}
