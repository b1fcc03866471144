import { EventStreamCodec } from '@smithy/eventstream-codec'
import fc from 'fast-check'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { EventStreamDecoder } from './event-stream-decoder.ts'
import type { FrameProblem } from './event-stream-decoder.ts'

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
)

function frame(type: string, payload: string, messageType = 'event'): Buffer {
  const nameHeader = messageType === 'event' ? ':event-type' : messageType === 'exception' ? ':exception-type' : ':error-code'
  return Buffer.from(
    codec.encode({
      headers: {
        [nameHeader]: { type: 'string', value: type },
        ':content-type': { type: 'string', value: 'application/json' },
        ':message-type': { type: 'string', value: messageType },
      },
      body: Buffer.from(payload),
    }),
  )
}

function prelude(total: number, headers = 0): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32BE(total, 0)
  bytes.writeUInt32BE(headers, 4)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8)
  return bytes
}

interface Decoded {
  readonly messages: { messageType: string; name: string; payload: string }[]
  readonly problem: FrameProblem | null
  readonly pendingBytes: number
}

function decode(chunks: readonly Buffer[], maxFrameBytes = 65_536): Decoded {
  const messages: Decoded['messages'] = []
  const decoder = new EventStreamDecoder(maxFrameBytes, (headers, payload) => {
    messages.push({ ...headers, payload: payload.toString('utf8') })
    return true
  })
  let problem: FrameProblem | null = null
  for (const chunk of chunks) problem = decoder.push(chunk)
  return { messages, problem, pendingBytes: decoder.pendingBytes }
}

/** Cuts at the given places, each a share of the length. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const offsets = [...new Set(places.map((place) => Math.floor(place * bytes.length)))].sort((a, b) => a - b)
  const chunks: Buffer[] = []
  let from = 0
  for (const to of [...offsets, bytes.length]) {
    // A copy, so that nothing outside a chunk can be read by accident.
    chunks.push(Buffer.from(bytes.subarray(from, to)))
    from = to
  }
  return chunks
}

const messages = fc.array(
  fc.record({
    name: fc.constantFrom('messageStart', 'contentBlockDelta', 'metadata', 'throttlingException'),
    messageType: fc.constantFrom('event', 'exception', 'error'),
    payload: fc.string({ unit: 'binary', maxLength: 2_000 }),
  }),
  { maxLength: 12 },
)

describe('the event-stream decoder', () => {
  test('reads what the AWS codec wrote, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }), (sent, places) => {
        const bytes = Buffer.concat(sent.map((message) => frame(message.name, message.payload, message.messageType)))
        const { messages: got, problem, pendingBytes } = decode(cut(bytes, places))
        expect(problem).toBeNull()
        expect(pendingBytes).toBe(0)
        expect(got).toEqual(sent.map((message) => ({ ...message, payload: Buffer.from(message.payload).toString('utf8') })))
      }),
    )
  })

  test('reads a stream that arrives byte by byte', () => {
    const bytes = Buffer.concat([frame('messageStart', '{}'), frame('contentBlockDelta', '{"delta":{"text":"é"}}')])
    const { messages: got } = decode([...bytes].map((byte) => Buffer.from([byte])))
    expect(got.map((message) => message.name)).toEqual(['messageStart', 'contentBlockDelta'])
    expect(got[1]?.payload).toBe('{"delta":{"text":"é"}}')
  })

  test('finds every flipped bit', () => {
    const bytes = Buffer.concat([frame('contentBlockDelta', '{"delta":{"text":"some text"}}'), frame('messageStop', '{}')])
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const broken = Buffer.from(bytes)
        broken[at] = (broken[at] ?? 0) ^ (1 << bit)
        const { messages: got, problem, pendingBytes } = decode([broken])
        // A length made larger may leave the decoder waiting for the rest: the end of the stream then shows it as truncated.
        expect(problem !== null || pendingBytes > 0).toBe(true)
        expect(got.length).toBeLessThan(2)
      }),
    )
  })

  test('says at the end of a cut stream that bytes of a frame are pending', () => {
    const bytes = frame('messageStop', '{"stopReason":"end_turn"}')
    for (let length = 1; length < bytes.length; length += 1) {
      expect(decode([bytes.subarray(0, length)])).toMatchObject({ messages: [], problem: null, pendingBytes: length })
    }
  })

  test('refuses a huge frame by its declared length, before any of it is kept', () => {
    expect(decode([prelude(0x7fff_ffff)])).toMatchObject({ problem: 'too_large' })
    expect(decode([...prelude(65_537)].map((byte) => Buffer.from([byte])))).toMatchObject({ problem: 'too_large' })
    expect(decode([prelude(65_536)])).toMatchObject({ problem: null })
  })

  test('does not wait for the bytes of a length whose own checksum is wrong', () => {
    const lying = prelude(1_000)
    lying.writeUInt32BE(30_000, 0)
    expect(decode([lying])).toMatchObject({ problem: 'frame_checksum' })
    expect(decode([lying.subarray(0, 5), lying.subarray(5)])).toMatchObject({ problem: 'frame_checksum' })
  })

  test('keeps only what has arrived of a frame that is allowed to be large', () => {
    const before = process.memoryUsage().arrayBuffers
    const decoders = Array.from({ length: 64 }, () => {
      const decoder = new EventStreamDecoder(128 * 1_048_576, () => true)
      decoder.push(prelude(64 * 1_048_576))
      decoder.push(Buffer.alloc(2_000))
      return decoder
    })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1_048_576)
    expect(decoders.every((decoder) => decoder.pendingBytes === 2_012)).toBe(true)
  })

  test.each([
    ['a total below the least frame', 8, 0],
    ['headers longer than the frame', 40, 30],
  ])('refuses %s', (_name, total, headers) => {
    expect(decode([prelude(total, headers)])).toMatchObject({ problem: 'frame_length' })
  })

  test('survives any header block, and never takes the payload for a header', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), (headers, payload) => {
        const total = 16 + headers.length + payload.length
        const unsummed = Buffer.concat([prelude(total, headers.length), headers, payload])
        const checksum = Buffer.alloc(4)
        checksum.writeUInt32BE(crc32(unsummed))
        expect(decode([unsummed, checksum])).toMatchObject({ messages: [], problem: 'frame_headers' })
      }),
    )
  })

  test('refuses a header whose value runs on into the payload', () => {
    const whole = frame('contentBlockDelta', '{"a":1}')
    const headersLength = whole.readUInt32BE(4)
    // The block ends within its last value; everything else, checksums included, is right.
    const shorter = Buffer.concat([prelude(whole.length, headersLength - 3), whole.subarray(12, -4)])
    const checksum = Buffer.alloc(4)
    checksum.writeUInt32BE(crc32(shorter))
    expect(decode([shorter, checksum])).toMatchObject({ messages: [], problem: 'frame_headers' })
  })

  test('refuses a message that does not say what it is', () => {
    const nameless = Buffer.from(codec.encode({ headers: { ':message-type': { type: 'string', value: 'event' } }, body: Buffer.from('{}') }))
    expect(decode([nameless])).toMatchObject({ messages: [], problem: 'frame_headers' })
  })

  test('skips header types that it has no use for', () => {
    const mixed = Buffer.from(
      codec.encode({
        headers: {
          flag: { type: 'boolean', value: true },
          count: { type: 'integer', value: 7 },
          when: { type: 'timestamp', value: new Date(0) },
          raw: { type: 'binary', value: new Uint8Array([1, 2, 3]) },
          ':message-type': { type: 'string', value: 'event' },
          ':event-type': { type: 'string', value: 'messageStart' },
        },
        body: Buffer.from('{}'),
      }),
    )
    expect(decode([mixed])).toMatchObject({ messages: [{ name: 'messageStart' }], problem: null })
  })

  test('stays broken after the first problem, and silent after it was stopped', () => {
    const broken = frame('messageStart', '{}')
    broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1
    expect(decode([broken, frame('messageStop', '{}')])).toMatchObject({ messages: [], problem: 'frame_checksum' })

    const names: string[] = []
    const decoder = new EventStreamDecoder(1_000, (headers) => {
      names.push(headers.name)
      return false
    })
    decoder.push(Buffer.concat([frame('one', '{}'), frame('two', '{}')]))
    expect(names).toEqual(['one'])
  })
})
