import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { median, percentile, quantiles } from './percentile.ts'

describe('percentile', () => {
  it('is the worst of a hundred samples only beyond the ninety-ninth rank', () => {
    const sorted = Float64Array.from({ length: 100 }, (_, index) => index + 1)
    expect(percentile(sorted, 0.5)).toBe(50)
    expect(percentile(sorted, 0.99)).toBe(99)
    expect(percentile(sorted, 1)).toBe(100)
  })

  it('of no samples is not a number', () => {
    expect(quantiles([])).toEqual({ count: 0, p50: Number.NaN, p99: Number.NaN, max: Number.NaN })
  })

  it('is a sample that enough others do not exceed, and the next smaller sample is not', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 100 }), (samples, percent) => {
        const sorted = Float64Array.from(samples).sort()
        const found = percentile(sorted, percent / 100)
        const covered = samples.filter((sample) => sample <= found).length
        const below = samples.filter((sample) => sample < found).length
        expect(samples).toContain(found)
        expect(covered * 100).toBeGreaterThanOrEqual(percent * samples.length - 1e-6)
        expect(below * 100).toBeLessThan(percent * samples.length + 1e-6)
      }),
    )
  })
})

describe('median', () => {
  it('of an even number of rounds is the mean of the middle two', () => {
    expect(median([4, 1, 3, 100])).toBe(3.5)
  })
  it('leaves out a round that gave no figure', () => {
    expect(median([Number.NaN, 7, 5, 9])).toBe(7)
  })
})
