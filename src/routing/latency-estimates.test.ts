import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { operationTypes, type OperationType } from '../operation/matrix.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { LatencyEstimates, type LatencyPrior } from './latency-estimates.ts'

const prior: LatencyPrior = { medianMs: 1_000, p99Ms: 5_000 }
const priors = Object.fromEntries(operationTypes.map((type) => [type, prior])) as Record<OperationType, LatencyPrior>

function estimates(): LatencyEstimates {
  return new LatencyEstimates({ halfLifeMs: 60_000, priorWeight: 4, priors })
}

describe('latency estimates', () => {
  it('begin with the prior: half below its median, one in a hundred above its p99', () => {
    const cold = estimates()
    expect(cold.missChance('a', 'emergency', 'completion', 0, 1_000, 0)).toBeCloseTo(0.5, 6)
    expect(cold.missChance('a', 'emergency', 'completion', 0, 5_000, 0)).toBeCloseTo(0.01, 6)
    expect(cold.ownQuantile('a', 'emergency', 'completion', 0.5)).toBeUndefined()
  })

  it('follow what was measured after some dozens of samples', () => {
    const measured = estimates()
    for (let sample = 0; sample < 100; sample += 1) measured.onCompleted('a', 'emergency', 200, null, 50, sample)
    expect(measured.missChance('a', 'emergency', 'completion', 0, 400, 100)).toBeLessThan(0.05)
    expect(measured.missChance('b', 'emergency', 'completion', 0, 400, 100)).toBeGreaterThan(0.5)
  })

  it('grow doubtful about an attempt that has outlived its kind', () => {
    const measured = estimates()
    for (let sample = 0; sample < 100; sample += 1) measured.onCompleted('a', 'emergency', 200, null, 50, sample)
    const fresh = measured.missChance('a', 'emergency', 'completion', 0, 3_000, 100)
    const late = measured.missChance('a', 'emergency', 'completion', 2_000, 1_000, 100)
    expect(fresh).toBeLessThan(0.01)
    expect(late).toBeGreaterThan(0.3)
  })

  it('count an attempt that was given up: a target that hangs looks slow, not fast', () => {
    const hanging = estimates()
    for (let sample = 0; sample < 50; sample += 1) hanging.onCompleted('a', 'emergency', 200, null, 50, 0)
    for (let sample = 0; sample < 50; sample += 1) hanging.onAbandoned('a', 'emergency', 'completion', 1_000, 0)
    expect(hanging.missChance('a', 'emergency', 'completion', 0, 1_000, 0)).toBeGreaterThan(0.4)
  })

  it('compose completion of first content and observed length where it was never measured whole', () => {
    const streamed = estimates()
    for (let sample = 0; sample < 40; sample += 1) {
      streamed.onFirstContent('a', 'emergency', 100, 0)
      streamed.onCompleted('b', 'emergency', 1_100, 100, 100, 0)
    }
    // Length is known from target b; of target a a few streams are known to take 10 ms per token.
    for (let sample = 0; sample < 3; sample += 1) streamed.onCompleted('a', 'emergency', 1_100, 100, 100, 0)
    expect(streamed.missChance('a', 'emergency', 'completion', 0, 900, 0)).toBeGreaterThan(0.8)
    expect(streamed.missChance('a', 'emergency', 'completion', 0, 1_500, 0)).toBeLessThan(0.1)
  })

  it('return to the prior when they are told to forget, and by themselves when nothing is measured for long', () => {
    const old = estimates()
    for (let sample = 0; sample < 100; sample += 1) old.onCompleted('a', 'emergency', 20, null, 50, 0)
    expect(old.missChance('a', 'emergency', 'completion', 0, 1_000, 3_600_000)).toBeCloseTo(0.5, 2)
    old.forget('a')
    expect(old.missChance('a', 'emergency', 'completion', 0, 1_000, 0)).toBeCloseTo(0.5, 6)
  })

  it('take nothing for certain because it happened once: who waits as long as one sample did is still in doubt', () => {
    const once = estimates()
    for (let sample = 0; sample < 60; sample += 1) once.onCompleted('a', 'emergency', 200, null, 50, 0)
    once.onCompleted('a', 'emergency', 4_500, null, 50, 0)
    const doubt = once.missChance('a', 'emergency', 'completion', 3_000, 2_000, 0)
    expect(doubt).toBeGreaterThan(0.05)
    expect(doubt).toBeLessThan(0.9)
  })

  it('know from other types of the target how a long wait goes on', () => {
    const alone = estimates()
    const amongOthers = estimates()
    for (const each of [alone, amongOthers]) for (let sample = 0; sample < 20; sample += 1) each.onCompleted('a', 'emergency', 200, null, 50, 0)
    // Of the others one in ten takes three times as long as usual, and none takes five times as long.
    for (let sample = 0; sample < 300; sample += 1) amongOthers.onCompleted('a', 'infrastructure', sample % 10 === 9 ? 6_000 : 2_000, null, 50, 0)
    const waited = (of: LatencyEstimates): number => of.missChance('a', 'emergency', 'completion', 500, 500, 0)
    expect(waited(amongOthers)).toBeLessThan(waited(alone) / 3)
  })

  it('find the tail of the normal, be one in twenty ten times slower or not', () => {
    const random = createSeededRandom(7)
    const tail = (slowShare: number): number => {
      const some = estimates()
      for (let sample = 0; sample < 2_000; sample += 1) {
        const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
        some.onCompleted('a', 'emergency', 400 * Math.exp(0.47 * normal) * (random.next() < slowShare ? 10 : 1), null, 50, 0)
      }
      return some.tailRatio('a', 'completion', 0) ?? Number.NaN
    }
    // The 98.9th percentile of this spread is 2.9 medians; the 95th percentile with slow ones would be far beyond.
    expect(tail(0)).toBeGreaterThan(2.5)
    expect(tail(0)).toBeLessThan(3.4)
    expect(tail(0.05)).toBeGreaterThan(2.7)
    expect(tail(0.05)).toBeLessThan(4.5)
  })

  it('have no tail before there is a shape', () => {
    const few = estimates()
    for (let sample = 0; sample < 40; sample += 1) few.onCompleted('a', 'emergency', 200 + sample, null, 50, 0)
    expect(few.tailRatio('a', 'completion', 0)).toBeUndefined()
    expect(few.tailRatio('b', 'completion', 0)).toBeUndefined()
  })

  it('give a chance between 0 and 1 that falls with the time that is left', () => {
    const sample = fc.record({ afterMs: fc.double({ min: 1, max: 20_000, noNaN: true }), abandoned: fc.boolean() })
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 60 }), fc.nat(10_000), fc.nat(10_000), fc.nat(10_000), (samples, waitedMs, a, b) => {
        const some = estimates()
        for (const { afterMs, abandoned } of samples) {
          if (abandoned) some.onAbandoned('a', 'emergency', 'completion', afterMs, 0)
          else some.onCompleted('a', 'emergency', afterMs, null, 10, 0)
        }
        const less = some.missChance('a', 'emergency', 'completion', waitedMs, Math.min(a, b), 0)
        const more = some.missChance('a', 'emergency', 'completion', waitedMs, Math.max(a, b), 0)
        expect(less).toBeGreaterThanOrEqual(0)
        expect(less).toBeLessThanOrEqual(1)
        expect(more).toBeLessThanOrEqual(less + 1e-9)
      }),
    )
  })
})
