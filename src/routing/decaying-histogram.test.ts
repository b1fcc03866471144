import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DecayingHistogram } from './decaying-histogram.ts'

const latencies = fc.array(fc.double({ min: 0.2, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 })

function filled(values: readonly number[], atMs = 0): DecayingHistogram {
  const histogram = new DecayingHistogram(60_000)
  for (const value of values) histogram.record(value, atMs)
  return histogram
}

describe('a decaying histogram', () => {
  it('gives quantiles of the samples within the width of a bucket', () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const sorted = [...values].sort((a, b) => a - b)
        const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
        const estimate = filled(values).quantile(share) ?? Number.NaN
        // At a step between two samples rounding may choose either neighbour.
        const next = sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length))] ?? 0
        expect(estimate).toBeGreaterThanOrEqual(exact * 0.95)
        expect(estimate).toBeLessThanOrEqual(next * 1.06)
      }),
    )
  })

  it('answers the share above a value as a count of the samples does, within one bucket', () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0.2, max: 100_000, noNaN: true }), (values, value) => {
        const share = filled(values).shareAbove(value) ?? Number.NaN
        const count = (limit: number): number => values.filter((sample) => sample > limit).length / values.length
        expect(share).toBeGreaterThanOrEqual(count(value * 1.06) - 1e-9)
        expect(share).toBeLessThanOrEqual(count(value / 1.06) + 1e-9)
      }),
    )
  })

  it('forgets: after one half-life old samples count half, and new ones decide', () => {
    const histogram = filled(Array.from({ length: 100 }, () => 10))
    expect(histogram.weight(60_000)).toBeCloseTo(50, 5)
    for (let sample = 0; sample < 60; sample += 1) histogram.record(1_000, 60_000)
    expect(histogram.quantile(0.5)).toBeGreaterThan(900)
  })

  it('keeps its figures over years of half-lives', () => {
    const histogram = filled([10])
    for (let hour = 1; hour <= 24 * 365; hour += 1) histogram.record(100, hour * 3_600_000)
    expect(histogram.weight(24 * 365 * 3_600_000)).toBeCloseTo(1, 3)
    expect(histogram.quantile(0.5)).toBeGreaterThan(95)
    expect(histogram.quantile(0.5)).toBeLessThan(105)
  })

  it('tells what is still to come for a call that has already waited', () => {
    const histogram = filled([...Array.from({ length: 95 }, () => 100), ...Array.from({ length: 5 }, () => 1_000)])
    expect(histogram.quantile(0.5)).toBeLessThan(110)
    expect(histogram.quantileBeyond(200, 0.5)).toBeGreaterThan(950)
    expect(histogram.quantileBeyond(2_000, 0.5)).toBeUndefined()
  })

  it('never says that waiting longer means less to come', () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0, max: 1_000, noNaN: true }), fc.double({ min: 0, max: 1_000, noNaN: true }), (values, a, b) => {
        const histogram = filled(values)
        const early = histogram.quantileBeyond(Math.min(a, b), 0.9)
        const late = histogram.quantileBeyond(Math.max(a, b), 0.9)
        if (early !== undefined && late !== undefined) expect(late).toBeGreaterThanOrEqual(early * 0.999)
      }),
    )
  })

  it('has no figure while it has no sample, and none after it was cleared', () => {
    const histogram = new DecayingHistogram(1_000)
    expect([histogram.quantile(0.5), histogram.shareAbove(1), histogram.quantileBeyond(0, 0.5)]).toEqual([undefined, undefined, undefined])
    histogram.record(5, 0)
    histogram.clear()
    expect(histogram.quantile(0.5)).toBeUndefined()
  })
})
