import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExponentialHistogram } from './exponential-histogram.ts'

const samples = fc.array(fc.double({ min: 0.01, max: 200_000, noNaN: true }), { minLength: 1, maxLength: 300 })

function filled(values: readonly number[]): ExponentialHistogram {
  const histogram = new ExponentialHistogram()
  for (const value of values) histogram.record(value)
  return histogram
}

describe('an exponential histogram', () => {
  it('gives every quantile of the samples within 4.5 %', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
        const exact = [...values].sort((a, b) => a - b)[Math.max(1, Math.ceil(share * values.length)) - 1] ?? Number.NaN
        const estimate = filled(values).quantile(share) ?? Number.NaN
        expect(Math.abs(estimate / exact - 1)).toBeLessThan(0.0455)
      }),
    )
  })

  it('adds up to what one histogram of all samples holds, also after being written down', () => {
    fc.assert(
      fc.property(samples, samples, (a, b) => {
        const sum = ExponentialHistogram.from(filled(a).toRecord())
        sum.add(filled(b))
        const whole = filled([...a, ...b])
        expect(sum.toRecord().buckets).toEqual(whole.toRecord().buckets)
        expect(sum.count).toBe(a.length + b.length)
      }),
    )
  })

  it('counts zero and negative durations, which a jumping clock can give, without losing them', () => {
    const histogram = filled([0, -5])
    expect(histogram.count).toBe(2)
    expect(histogram.quantile(1)).toBe(0)
  })
})
