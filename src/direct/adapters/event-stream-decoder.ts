/**
 * Cuts the bytes of an `application/vnd.amazon.eventstream` body into messages. Format (AWS "Event stream encoding"):
 *
 *   total length u32 · headers length u32 · CRC-32 of these 8 bytes · headers · payload · CRC-32 of everything before
 *
 * Chunks may be cut anywhere. A message that lies whole in one chunk is read in place; else it is gathered in a buffer that
 * grows with what really arrives, up to the declared length, which is believed only after its own checksum and the limit. After
 * the first problem the decoder is broken: there is no way to find the next frame.
 *
 * The headers of nearly all messages of a stream are the same bytes, so the last block read is remembered and compared.
 * `docs/decisions/011-event-stream-decoding.md` has the measurements.
 */
import { crc32 } from 'node:zlib'

export type FrameProblem = 'frame_length' | 'frame_checksum' | 'frame_headers' | 'too_large'

export interface FrameHeaders {
  /** `event`, `exception` or `error`. */
  readonly messageType: string
  /** Of an event its name, of an exception its type, of an error its code. */
  readonly name: string
}

/** The payload is a view on the decoder's bytes: read it before returning. False stops the decoder. */
export type OnFrame = (headers: FrameHeaders, payload: Buffer) => boolean

const preludeBytes = 12
const checksumBytes = 4
const leastBytes = preludeBytes + checksumBytes
/** What gathering starts with; most frames of Bedrock's streams are smaller. */
const firstGatherBytes = 1_024

export class EventStreamDecoder {
  private readonly maxFrameBytes: number
  private readonly onFrame: OnFrame
  private gathered: Buffer = Buffer.alloc(0)
  private gatheredBytes = 0
  /** Of the message that is gathered: its prelude, then, once that is believed, all of it. */
  private neededBytes = preludeBytes
  private preludeChecksum = 0
  private stopped = false
  private problem: FrameProblem | null = null
  private lastBlock: Buffer = Buffer.alloc(0)
  private lastHeaders: FrameHeaders | null = null

  constructor(maxFrameBytes: number, onFrame: OnFrame) {
    this.maxFrameBytes = maxFrameBytes
    this.onFrame = onFrame
  }

  /** Bytes of a message that is not whole yet. */
  get pendingBytes(): number {
    return this.gatheredBytes
  }

  /** Null, or why the stream cannot be read; then always the same. */
  push(chunk: Buffer): FrameProblem | null {
    let offset = 0
    while (this.problem === null && !this.stopped && offset < chunk.length) {
      if (this.gatheredBytes === 0 && chunk.length - offset >= preludeBytes) {
        const total = this.believePrelude(chunk, offset)
        if (total === 0) break
        if (chunk.length - offset >= total) {
          this.read(chunk, offset, total)
          offset += total
          continue
        }
        this.neededBytes = total
      }
      offset += this.gather(chunk, offset)
    }
    return this.problem
  }

  /** Takes what the message in hand still needs, at most what the chunk has, and reads it when it is whole. */
  private gather(chunk: Buffer, offset: number): number {
    const count = Math.min(this.neededBytes - this.gatheredBytes, chunk.length - offset)
    const bytes = this.gatheredBytes + count
    if (bytes > this.gathered.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(firstGatherBytes, bytes, Math.min(this.gathered.length * 2, this.neededBytes)))
      this.gathered.copy(grown, 0, 0, this.gatheredBytes)
      this.gathered = grown
    }
    chunk.copy(this.gathered, this.gatheredBytes, offset, offset + count)
    this.gatheredBytes = bytes
    if (bytes < this.neededBytes) return count
    const total = this.neededBytes === preludeBytes ? this.believePrelude(this.gathered, 0) : bytes
    this.neededBytes = total
    if (total === bytes) {
      this.gatheredBytes = 0
      this.neededBytes = preludeBytes
      this.read(this.gathered, 0, total)
    }
    return count
  }

  /** The declared length, once the prelude's checksum and the limit allow to believe it; else 0. */
  private believePrelude(bytes: Buffer, offset: number): number {
    const total = bytes.readUInt32BE(offset)
    const headers = bytes.readUInt32BE(offset + 4)
    this.preludeChecksum = crc32(bytes.subarray(offset, offset + 8))
    if (this.preludeChecksum !== bytes.readUInt32BE(offset + 8)) this.problem = 'frame_checksum'
    else if (total < leastBytes || headers > total - leastBytes) this.problem = 'frame_length'
    else if (total > this.maxFrameBytes) this.problem = 'too_large'
    return this.problem === null ? total : 0
  }

  private read(bytes: Buffer, offset: number, total: number): void {
    const end = offset + total
    if (crc32(bytes.subarray(offset + 8, end - checksumBytes), this.preludeChecksum) !== bytes.readUInt32BE(end - checksumBytes)) {
      this.problem = 'frame_checksum'
      return
    }
    const payloadStart = offset + preludeBytes + bytes.readUInt32BE(offset + 4)
    const headers = this.headersOf(bytes, offset + preludeBytes, payloadStart)
    if (headers === null) this.problem = 'frame_headers'
    else if (!this.onFrame(headers, bytes.subarray(payloadStart, end - checksumBytes))) this.stopped = true
  }

  private headersOf(bytes: Buffer, start: number, end: number): FrameHeaders | null {
    if (this.lastHeaders !== null && this.lastBlock.length === end - start && bytes.compare(this.lastBlock, 0, this.lastBlock.length, start, end) === 0) {
      return this.lastHeaders
    }
    const headers = readHeaders(bytes, start, end)
    if (headers !== null) {
      this.lastHeaders = headers
      this.lastBlock = Buffer.from(bytes.subarray(start, end))
    }
    return headers
  }
}

/** Bytes of the value of each header type, by its number; null: the value says its own length in two bytes. */
const valueBytes: readonly (number | null)[] = [0, 0, 1, 2, 4, 8, null, null, 8, 16]
const stringType = 7

function readHeaders(bytes: Buffer, start: number, end: number): FrameHeaders | null {
  const strings = new Map<string, string>()
  let at = start
  while (at < end) {
    const nameEnd = at + 1 + (bytes[at] ?? 0)
    const name = bytes.toString('latin1', at + 1, nameEnd)
    const type = bytes[nameEnd] ?? 0
    const fixed = valueBytes[type]
    if (fixed === undefined) return null
    at = nameEnd + 1
    let length = fixed
    if (length === null) {
      if (at + 2 > end) return null
      length = bytes.readUInt16BE(at)
      at += 2
    }
    if (at + length > end) return null
    if (type === stringType) strings.set(name, bytes.toString('utf8', at, at + length))
    at += length
  }
  const messageType = strings.get(':message-type')
  const name = strings.get(messageType === 'event' ? ':event-type' : messageType === 'exception' ? ':exception-type' : ':error-code')
  if (messageType === undefined || name === undefined) return null
  return { messageType, name }
}
