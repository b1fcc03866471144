import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countTokens, splitTokens } from './tokens.ts'

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.lorem({ maxCount: 20 }))

describe('tokens', () => {
  it('joined are the text, and their number is the count', () => {
    fc.assert(
      fc.property(text, (value) => {
        const tokens = splitTokens(value)
        expect(tokens.join('')).toBe(value)
        expect(tokens).toHaveLength(countTokens(value))
        expect(tokens.every((token) => token !== '')).toBe(true)
      }),
    )
  })

  it('never cut a character in two', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (value) => splitTokens(value).every((token) => token.isWellFormed())))
  })

  it('up to a limit are the beginning of the text', () => {
    fc.assert(
      fc.property(text, fc.nat(10), (value, limit) => {
        const tokens = splitTokens(value, limit)
        expect(tokens.length).toBeLessThanOrEqual(limit)
        expect(value.startsWith(tokens.join(''))).toBe(true)
      }),
    )
  })

  it('are about as many as a model would count in English', () => {
    const sentence = 'The quick brown fox jumps over the lazy dog, and then it sleeps.'
    expect(countTokens(sentence)).toBeGreaterThanOrEqual(13)
    expect(countTokens(sentence)).toBeLessThanOrEqual(18)
  })
})
