import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AttemptBudget } from './attempt-budget.ts'

describe('the budget for extra attempts', () => {
  it('never grants more than the share of the operations and the burst', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 20 }), fc.array(fc.boolean(), { maxLength: 500 }), (share, burst, steps) => {
        const budget = new AttemptBudget(share, burst)
        let operations = 0
        let granted = 0
        for (const isOperation of steps) {
          if (isOperation) {
            operations += 1
            budget.earn()
          } else if (budget.spend()) {
            granted += 1
          }
        }
        expect(granted).toBeLessThanOrEqual((share === 0 ? 0 : burst) + share * operations + 1e-6 + 0.001 * granted)
      }),
    )
  })

  it('gives one extra attempt for every twenty operations at 5 %, once the burst is spent', () => {
    const budget = new AttemptBudget(0.05, 3)
    while (budget.spend());
    for (let operation = 0; operation < 19; operation += 1) budget.earn()
    expect(budget.spend()).toBe(false)
    budget.earn()
    expect(budget.spend()).toBe(true)
    expect(budget.spend()).toBe(false)
  })

  it('forbids every extra attempt at a share of 0', () => {
    const budget = new AttemptBudget(0, 10)
    for (let operation = 0; operation < 100; operation += 1) budget.earn()
    expect(budget.spend()).toBe(false)
  })

  it('refuses a share that is none', () => {
    expect(() => new AttemptBudget(1.5, 1)).toThrow('share: 1.5 is not in [0, 1]')
  })
})
