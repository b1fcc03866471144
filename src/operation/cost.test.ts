import { describe, expect, it } from 'vitest'
import { costOf, type PriceTable } from './cost.ts'

const prices: PriceTable = {
  currency: 'USD',
  asOf: '2026-10-05',
  source: 'a test',
  models: {
    plain: { inputPerMillion: 3, outputPerMillion: 15 },
    cached: { inputPerMillion: 3, outputPerMillion: 15, cacheReadPerMillion: 0.3, cacheWritePerMillion: 3.75 },
  },
}
const usage = (inputTokens: number, outputTokens: number) => ({ inputTokens, outputTokens, totalTokens: inputTokens + outputTokens })

describe('the cost of an operation', () => {
  it('adds up all attempts, those that lost included', () => {
    const cost = costOf(prices, [
      { modelId: 'plain', usage: usage(1_000_000, 0), estimated: false },
      { modelId: 'plain', usage: usage(0, 100_000), estimated: false },
    ])
    expect(cost).toEqual({ currency: 'USD', estimated: 4.5, includesEstimates: false })
  })

  it('says so when a part is estimated', () => {
    expect(costOf(prices, [{ modelId: 'plain', usage: usage(10, 0), estimated: true }]).includesEstimates).toBe(true)
  })

  it('charges nothing for a model without a price, and says that the sum is not whole', () => {
    expect(costOf(prices, [{ modelId: 'unknown', usage: usage(10, 10), estimated: false }])).toEqual({ currency: 'USD', estimated: 0, includesEstimates: true })
  })

  it('prices cached tokens by their own price, or as input where there is none', () => {
    const cached = { ...usage(0, 0), cacheReadInputTokens: 1_000_000, cacheWriteInputTokens: 1_000_000 }
    expect(costOf(prices, [{ modelId: 'cached', usage: cached, estimated: false }]).estimated).toBeCloseTo(4.05, 10)
    expect(costOf(prices, [{ modelId: 'plain', usage: cached, estimated: false }]).estimated).toBeCloseTo(6, 10)
  })
})
