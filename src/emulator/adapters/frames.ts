/**
 * Frames of `application/vnd.amazon.eventstream`. The header block of each event type is formatted once by Smithy's codec
 * and kept; the frame around it (lengths, two CRC-32 sums) is put together here, because the codec's own checksum in
 * JavaScript costs nine microseconds for each event and Node's `crc32` a fraction of one. The tests decode with the codec.
 */
import { crc32 } from 'node:zlib'
import { EventStreamCodec, type MessageHeaders } from '@smithy/eventstream-codec'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : decoder.decode(bytes)),
  (text) => encoder.encode(text),
)

const preludeBytes = 12
const checksumBytes = 4

export interface FrameEncoder {
  event(type: string, payload: string): Buffer
  exception(type: string, payload: string): Buffer
}

export function createFrameEncoder(): FrameEncoder {
  const headerBlocks = new Map<string, Uint8Array>()
  const headers = (messageType: 'event' | 'exception', type: string): Uint8Array => {
    const name = `${messageType} ${type}`
    const known = headerBlocks.get(name)
    if (known !== undefined) return known
    const block = codec.formatHeaders(frameHeaders(messageType, type))
    headerBlocks.set(name, block)
    return block
  }
  return {
    event: (type, payload) => frame(headers('event', type), payload),
    exception: (type, payload) => frame(headers('exception', type), payload),
  }
}

/** A prelude that is right in itself and announces two gigabytes. */
export function hugePrelude(): Buffer {
  const prelude = Buffer.alloc(preludeBytes)
  prelude.writeUInt32BE(0x7fff_ffff, 0)
  prelude.writeUInt32BE(16, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  return prelude
}

export function withBadChecksum(whole: Buffer): Buffer {
  const bad = Buffer.from(whole)
  bad.writeUInt8((bad.readUInt8(bad.length - 1) ^ 0xff) & 0xff, bad.length - 1)
  return bad
}

function frameHeaders(messageType: 'event' | 'exception', type: string): MessageHeaders {
  return {
    [messageType === 'event' ? ':event-type' : ':exception-type']: { type: 'string', value: type },
    ':content-type': { type: 'string', value: 'application/json' },
    ':message-type': { type: 'string', value: messageType },
  }
}

function frame(headers: Uint8Array, payload: string): Buffer {
  const payloadBytes = Buffer.byteLength(payload)
  const length = preludeBytes + headers.length + payloadBytes + checksumBytes
  const whole = Buffer.allocUnsafe(length)
  whole.writeUInt32BE(length, 0)
  whole.writeUInt32BE(headers.length, 4)
  whole.writeUInt32BE(crc32(whole.subarray(0, 8)), 8)
  whole.set(headers, preludeBytes)
  whole.write(payload, preludeBytes + headers.length)
  whole.writeUInt32BE(crc32(whole.subarray(0, length - checksumBytes)), length - checksumBytes)
  return whole
}
