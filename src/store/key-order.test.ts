import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareKeys, utf8Bytes } from './key-order.ts'

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
