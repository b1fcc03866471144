import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareKeys, endOfPrefix, utf8Bytes } from './key-order.ts'

const anyText = fc.string({ unit: 'binary' })

test('keys are in the order of their UTF-8 bytes', () => {
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
})

test('the counted bytes are those of the encoding', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(utf8Bytes(text)).toBe(Buffer.byteLength(text))
    }),
  )
})

test('the end of a prefix parts the texts that have it from the greater ones', () => {
  fc.assert(
    fc.property(fc.oneof(anyText, fc.constantFrom('\u{10ffff}', 'a\u{10ffff}', '\ud7ff')), anyText, (prefix, other) => {
      const end = endOfPrefix(prefix)
      const isInside = compareKeys(other, prefix) >= 0 && (end === undefined || compareKeys(other, end) < 0)
      expect(isInside).toBe(other.startsWith(prefix))
      expect(end === undefined || compareKeys(prefix + other, end) < 0).toBe(true)
    }),
  )
})
