import { describe, expect, it } from 'vitest'
import { runbookMatrix } from '../operation/matrix.ts'
import type { DecidedAttempt, DecisionRecord } from './decision-ledger.ts'
import { leastRecords, proposeThresholds, type OptimizationWish } from './propose-thresholds.ts'

const first: DecidedAttempt = { route: 'direct', target: 'frankfurt', reason: 'first', startMs: 0, durationMs: 500, outcome: 'succeeded' }

function record(index: number, attempts: readonly DecidedAttempt[], latencyMs: number): DecisionRecord {
  return {
    operationId: `op_${index}`,
    operation: 'infrastructure',
    priority: 'critical',
    tenant: null,
    decidedAt: '2026-01-01T08:00:00.000Z',
    decidedAtMs: index * 100,
    decision: { route: 'direct', target: 'frankfurt', reason: 'matrix', alternatives: [{ route: 'mcp', reason: 'fallback' }] },
    status: 'succeeded',
    route: 'direct',
    target: 'frankfurt',
    basis: 'completion',
    latencyMs,
    latencyRequirementMs: 10_000,
    slaMet: latencyMs <= 10_000,
    attempts,
    hindsight: { optimal: true, regretMs: 0, basis: '' },
  }
}

const wellAnswered = (index: number): DecisionRecord => record(index, [{ ...first, durationMs: 400 + (index % 7) * 40 }], 500)
/** Nobody helped it: as it is when help comes only after a failure. */
const hung = (index: number): DecisionRecord => ({ ...record(index, [{ ...first, durationMs: 15_000, outcome: 'timed_out' }], 15_000), status: 'failed', route: null, target: null })
/** Failed at once, and the other route answered: that is how its speed is known. */
const fellBack = (index: number): DecisionRecord =>
  record(index, [{ ...first, durationMs: 50, outcome: 'failed' }, { ...first, route: 'mcp', target: 'ops', reason: 'fallback', startMs: 50, durationMs: 900 }], 950)

const never = Number.POSITIVE_INFINITY
const wish: OptimizationWish = { mode: 'latency', targetEfficiency: null }
const manyHangs = Array.from({ length: 200 }, (_, index) => {
  if (index % 10 === 9) return hung(index)
  return index % 10 === 4 ? fellBack(index) : wellAnswered(index)
})

describe('a proposal of thresholds', () => {
  it('starts help before a failure where attempts hang, and predicts what that gains', () => {
    const proposal = proposeThresholds(manyHangs, runbookMatrix, never, 0.2, wish)
    expect(proposal.observed).toEqual({ inTimeShare: 0.9, helpShare: 0 })
    expect(proposal.replayed).toMatchObject({ inTimeShare: 0.9, helpShare: 0 })
    expect(proposal.proposed?.rescueThreshold).toBeLessThan(1)
    expect(proposal.predictedGain).toBeGreaterThan(0.05)
    expect(proposal.proposed?.inTimeShare).toBeGreaterThan(0.97)
  })

  it('promises nothing where nothing was late', () => {
    const calm = Array.from({ length: 200 }, (_, index) => wellAnswered(index))
    const proposal = proposeThresholds(calm, runbookMatrix, 0.2, 0.2, { mode: 'balanced', targetEfficiency: null })
    expect(proposal).toMatchObject({ proposed: null, predictedGain: 0, replayed: { inTimeShare: 1 } })
  })

  it('proposes nothing from too few decisions', () => {
    const proposal = proposeThresholds(manyHangs.slice(0, leastRecords - 1), runbookMatrix, never, 0.2, wish)
    expect(proposal).toMatchObject({ records: leastRecords - 1, proposed: null, predictedGain: 0 })
  })

  it('says whether the wish can be met, and asks for cost no more help than it needs', () => {
    const reachable = proposeThresholds(manyHangs, runbookMatrix, never, 0.2, { mode: 'cost', targetEfficiency: 0.97 })
    expect(reachable.reachesTarget).toBe(true)
    const cheapest = Math.min(...[reachable.replayed, ...reachable.tried].filter(({ inTimeShare }) => inTimeShare >= 0.97).map(({ helpShare }) => helpShare))
    expect(reachable.proposed?.helpShare).toBeCloseTo(cheapest, 3)
    const hopeless = Array.from({ length: 100 }, (_, index) => record(index, [{ ...first, durationMs: 15_000, outcome: 'timed_out' }], 15_000))
    expect(proposeThresholds(hopeless, runbookMatrix, 0.2, 0.2, { mode: 'latency', targetEfficiency: 0.9 }).reachesTarget).toBe(false)
  })

  it('never spends more help than the budget allows', () => {
    for (const { helpShare } of proposeThresholds(manyHangs, runbookMatrix, 0.2, 0.03, wish).tried) expect(helpShare).toBeLessThanOrEqual(0.03 + 1 / 200)
  })
})
