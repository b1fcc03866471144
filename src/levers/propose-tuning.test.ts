import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { thresholdOf } from '../routing/chance-policy.ts'
import type { ThresholdProposal } from '../routing/propose-thresholds.ts'
import { aggressivenessFor, tuningOf } from './propose-tuning.ts'

const figures = (rescueThreshold: number, inTimeShare: number): NonNullable<ThresholdProposal['proposed']> => ({ rescueThreshold, inTimeShare, helpShare: 0.1 })
const replay = (over: Partial<ThresholdProposal>): ThresholdProposal => ({ records: 500, observed: { inTimeShare: 0.9, helpShare: 0.1 }, replayed: figures(0.2, 0.9), tried: [], proposed: null, predictedGain: 0, reachesTarget: null, ...over })
const wish = { targetEfficiency: 0.85, mode: 'balanced' } as const

describe('tuning by measured data', () => {
  it('proposes the aggressiveness that stands for the threshold that would have done best, and says on what that rests', () => {
    const { members, basis } = tuningOf(replay({ proposed: figures(0.05, 0.97), predictedGain: 0.07, reachesTarget: true }), 0.2, 0.5, 0.7, wish)
    expect(members['fallbackAggressiveness']).toBeGreaterThan(0.5)
    expect(thresholdOf(0.2, members['fallbackAggressiveness'] ?? 0)).toBeCloseTo(0.05, 2)
    expect(basis).toMatchObject({ records: 500, routingEfficiency: 0.7, predictedGain: 0.07, reachesTarget: true, why: expect.stringContaining('97 % would have been in time instead of 90 %') })
  })

  it('proposes nothing where nothing better was found, or too little is on record', () => {
    expect(tuningOf(replay({}), 0.2, 0.5, null, wish)).toMatchObject({ members: {}, basis: { why: expect.stringContaining('None of the thresholds') } })
    expect(tuningOf(replay({ records: 49 }), 0.2, 0.5, null, wish)).toMatchObject({ members: {}, basis: { why: expect.stringContaining('Only 49 decisions') } })
  })

  it('"only after a failure" is no aggressiveness at all', () => {
    expect(tuningOf(replay({ proposed: figures(2, 0.95) }), 0.2, 0.5, null, wish).members).toEqual({ fallbackAggressiveness: 0 })
  })

  it('any aggressiveness is found again from its threshold', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.02, max: 0.9, noNaN: true }), fc.integer({ min: 1, max: 100 }), (configured, hundredths) => {
        expect(aggressivenessFor(thresholdOf(configured, hundredths / 100), configured)).toBeCloseTo(hundredths / 100, 1)
      }),
    )
  })
})
