/**
 * Follows an HTTP/1.1 response through the chunks of a connection and says where it ends: by Content-Length, by the
 * chunked encoding, or by the end of the connection. It never copies the body. The load generator reads with this and not
 * with an HTTP client so that its own cost stays far below that of the services it measures. Source: RFC 9112, parts 6, 7.
 */
type Phase = 'head' | 'length' | 'chunk-size' | 'chunk-data' | 'trailer' | 'until-close'

/** Bytes of a response head; only bounds memory. */
const maxHeadBytes = 64 * 1024

const contentLength = /\r\ncontent-length: *(\d{1,12})/i
const chunkedEncoding = /\r\ntransfer-encoding: *chunked/i
const closes = /\r\nconnection: *close/i

const lineFeed = 0x0a
const carriageReturn = 0x0d
const semicolon = 0x3b

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  if (lower >= 0x61 && lower <= 0x66) return lower - 0x57
  throw new Error('chunk size is not hexadecimal')
}

export class ResponseReader {
  /** Of the response that is being read, or was read last. */
  status = 0
  /** The peer said that it will close the connection after this response. */
  closing = false
  #phase: Phase = 'head'
  #head = ''
  #left = 0
  #inExtension = false
  #trailerLine = 0

  get untilClose(): boolean {
    return this.#phase === 'until-close'
  }

  /** True when the response ends with this chunk. Throws on what is not one HTTP/1.1 response. */
  read(chunk: Buffer): boolean {
    let at = 0
    while (at < chunk.length) {
      switch (this.#phase) {
        case 'head':
          at = this.#readHead(chunk, at)
          if (this.#withoutBody()) return this.#ended(chunk, at)
          break
        case 'length':
        case 'chunk-data': {
          const taken = Math.min(this.#left, chunk.length - at)
          this.#left -= taken
          at += taken
          if (this.#left > 0) return false
          if (this.#phase === 'length') return this.#ended(chunk, at)
          this.#phase = 'chunk-size'
          break
        }
        case 'chunk-size':
          at = this.#readChunkSize(chunk, at)
          break
        case 'trailer': {
          const byte = chunk[at]
          at += 1
          if (byte === lineFeed) {
            if (this.#trailerLine === 0) return this.#ended(chunk, at)
            this.#trailerLine = 0
          } else if (byte !== carriageReturn) {
            this.#trailerLine += 1
          }
          break
        }
        case 'until-close':
          return false
      }
    }
    return false
  }

  #readHead(chunk: Buffer, from: number): number {
    const before = this.#head.length
    this.#head += chunk.toString('latin1', from)
    const end = this.#head.indexOf('\r\n\r\n', Math.max(0, before - 3))
    if (end < 0) {
      if (this.#head.length > maxHeadBytes) throw new Error('response head is too long')
      return chunk.length
    }
    const head = this.#head.slice(0, end)
    this.#head = ''
    this.status = Number(head.slice(9, 12))
    this.closing = closes.test(head)
    if (this.status >= 100 && this.status < 200) return from + end + 4 - before
    const length = contentLength.exec(head)
    if (chunkedEncoding.test(head)) {
      this.#phase = 'chunk-size'
      this.#left = 0
    } else if (length !== null || this.status === 204 || this.status === 304) {
      this.#phase = 'length'
      this.#left = Number(length?.[1] ?? 0)
    } else {
      this.#phase = 'until-close'
    }
    return from + end + 4 - before
  }

  #withoutBody(): boolean {
    return this.#phase === 'length' && this.#left === 0
  }

  #readChunkSize(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0
      if (byte === lineFeed) {
        this.#inExtension = false
        if (this.#left === 0) {
          this.#phase = 'trailer'
          this.#trailerLine = 0
        } else {
          this.#phase = 'chunk-data'
          this.#left += 2 // The line end after the data.
        }
        return at + 1
      }
      if (byte === semicolon) this.#inExtension = true
      if (!this.#inExtension && byte !== carriageReturn) this.#left = this.#left * 16 + hexValue(byte)
    }
    return chunk.length
  }

  #ended(chunk: Buffer, at: number): true {
    if (at !== chunk.length) throw new Error('bytes after the end of the response')
    this.#phase = 'head'
    return true
  }
}
