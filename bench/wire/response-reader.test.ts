import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestReader } from './request-reader.ts'
import { ResponseReader } from './response-reader.ts'

/** The bytes cut at the given places. */
function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const cuts = [0, ...[...new Set(places.map((place) => place % bytes.length))].filter((place) => place > 0).sort((a, b) => a - b), bytes.length]
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end))
}

const responses = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1A;name=value\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n\r\n\r\n0\r\nTrailer: yes\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
]

describe('a response', () => {
  it('ends with its last byte and not before, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.constantFrom(...responses), fc.array(fc.nat(200), { maxLength: 12 }), (text, places) => {
        const reader = new ResponseReader()
        const ends = cut(text, places).map((chunk) => reader.read(chunk))
        expect(ends.indexOf(true)).toBe(ends.length - 1)
        expect(reader.status).toBe(200)
      }),
    )
  })
  it('with bytes after its end is refused', () => {
    expect(() => new ResponseReader().read(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab'))).toThrow('after the end')
  })
})

describe('requests on one connection', () => {
  it('come out one by one, however the bytes are cut', () => {
    const text = 'POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: x\r\n\r\n'
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 12 }), (places) => {
        const seen: string[] = []
        const reader = new RequestReader((head, body) => seen.push(`${head.slice(0, head.indexOf(' HTTP'))} ${body.toString()}`))
        for (const chunk of cut(text, places)) reader.read(chunk)
        expect(seen).toEqual(['POST /a abc', 'GET /b '])
      }),
    )
  })
})
