import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HedgeBudget } from './hedge-budget.ts'

/** `share` of the operations want a hedge, of which `wins` win; answers how many were started. */
function started(operations: number, share: number, wins: number, budget = new HedgeBudget(0.05)): number {
  let count = 0
  let wanted = 0
  let won = 0
  for (let operation = 0; operation < operations; operation += 1) {
    budget.earn()
    wanted += share
    if (wanted < 1) continue
    wanted -= 1
    if (!budget.spend()) continue
    count += 1
    won += wins
    budget.onEnded(won >= 1)
    if (won >= 1) won -= 1
  }
  return count
}

describe('the budget of hedges', () => {
  it.each<[rationale: string, wanted: number, wins: number, least: number, most: number]>([
    ['hedges that lose stop below one in a hundred: all wait in the same queue', 0.05, 0, 3, 10],
    ['one in three wins by luck: still below one in a hundred', 0.05, 1 / 3, 4, 12],
    ['where they win, one in twenty may be hedged', 0.05, 0.9, 48, 50],
    ['the hard share holds however often they win', 0.2, 1, 55, 63],
  ])('%s', (...[, wanted, wins, least, most]) => {
    const count = started(1_000, wanted, wins)
    expect(count).toBeGreaterThanOrEqual(least)
    expect(count).toBeLessThanOrEqual(most)
  })

  it('hedges less when rescues have used the extra load', () => {
    const budget = new HedgeBudget(0.05)
    for (let rescue = 0; rescue < 12; rescue += 1) budget.onRescue()
    expect(budget.spend()).toBe(false)
    expect(started(1_000, 0.05, 1, budget)).toBeLessThanOrEqual(50)
  })

  it('is more patient the less it is trusted', () => {
    const budget = new HedgeBudget(0.05)
    expect(budget.patience).toBe(1)
    budget.spend()
    const once = budget.patience
    budget.spend()
    expect(once).toBeGreaterThan(1)
    expect(budget.patience).toBeGreaterThan(once)
    budget.onEnded(true)
    budget.onEnded(true)
    expect(budget.patience).toBe(1)
  })

  it('forbids hedges at a share of 0', () => {
    const budget = new HedgeBudget(0)
    for (let operation = 0; operation < 100; operation += 1) budget.earn()
    budget.onEnded(true)
    expect(budget.spend()).toBe(false)
  })

  it('never exceeds its share and its burst, whatever happens in which order', () => {
    const event = fc.constantFrom('earn', 'earn', 'earn', 'spend', 'won', 'lost', 'rescue')
    fc.assert(
      fc.property(fc.array(event, { maxLength: 600 }), fc.double({ min: 0, max: 1, noNaN: true }), (events, share) => {
        const budget = new HedgeBudget(share)
        let earned = 0
        let count = 0
        for (const each of events) {
          if (each === 'earn') {
            budget.earn()
            earned += share
          } else if (each === 'spend') count += budget.spend() ? 1 : 0
          else if (each === 'rescue') budget.onRescue()
          else budget.onEnded(each === 'won')
          expect(count).toBeLessThanOrEqual(earned + 12.01)
          expect(budget.patience).toBeGreaterThanOrEqual(1)
          expect(budget.patience).toBeLessThanOrEqual(1.5)
        }
      }),
    )
  })
})
