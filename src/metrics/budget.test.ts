import { describe, expect, it } from 'vitest'
import { budgetUsed, failedOperations } from './readings.ts'
import { Tally } from './tally.ts'

function spent(cost: number): Tally {
  const tally = new Tally()
  tally.count('cost', { operation: 'emergency', route: 'direct' }, cost)
  return tally
}

describe('the budget', () => {
  it.each([
    [40, 50, 0.8, 'the share that the alert rules read'],
    [60, 50, 1.2, 'beyond the budget it goes on counting'],
    [0, 50, 0, 'nothing was spent'],
    [40, null, null, 'without a budget there is no share'],
  ])('of %s spent of %s is %s: %s', (cost, budget, share, _rationale) => {
    expect(budgetUsed(spent(cost), budget)).toBe(share)
  })
})

describe('failed operations', () => {
  it('are those that failed or expired, not those that were cancelled', () => {
    const tally = new Tally()
    for (const status of ['succeeded', 'failed', 'expired', 'cancelled']) tally.count('operations', { operation: 'emergency', route: 'direct', status })
    expect(failedOperations(tally)).toBe(2)
  })
})
