import { describe, expect, it } from 'vitest'
import { createSeededRandom } from './random.ts'

describe('seeded random', () => {
  const draw = (seed: number, count: number): number[] => {
    const random = createSeededRandom(seed)
    return Array.from({ length: count }, () => random.next())
  }

  it('repeats itself from the same seed and differs from another', () => {
    expect(draw(7, 20)).toEqual(draw(7, 20))
    expect(draw(7, 20)).not.toEqual(draw(8, 20))
  })

  it('is uniform enough for faults and jitter', () => {
    const counts = Array.from({ length: 10 }, () => 0)
    for (const value of draw(1, 100_000)) counts[Math.floor(value * 10)] = (counts[Math.floor(value * 10)] ?? 0) + 1
    // Chi-square with 9 degrees of freedom stays below 33.7 with probability 0.9999.
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
    expect(chiSquare).toBeLessThan(33.7)
  })
})
