/**
 * The price table that holds until the configuration brings its own: list prices for on-demand inference in US dollars per
 * million tokens, with the date on which they were checked and where. Prices change and discounts differ, so the table is a
 * start and no truth; a model that is not in it costs nothing in the figures, and those are then marked as estimates.
 *
 * The source gives bare and `global.` ids one price and every geographic profile (`eu.`, `us.`) ten per cent more. It names
 * no cache prices: cached tokens are counted as input until the configuration knows better.
 */
import type { ModelPrice, PriceTable } from '../operation/cost.ts'

const claudePrices: Readonly<Record<string, readonly [inputPerMillion: number, outputPerMillion: number]>> = {
  'anthropic.claude-haiku-4-5-20251001-v1:0': [1, 5],
  'anthropic.claude-sonnet-5': [2, 10],
  'anthropic.claude-sonnet-4-6': [3, 15],
  'anthropic.claude-opus-4-8': [5, 25],
}

const novaPrices: Readonly<Record<string, ModelPrice>> = {
  'amazon.nova-micro-v1:0': { inputPerMillion: 0.035, outputPerMillion: 0.14 },
  'amazon.nova-lite-v1:0': { inputPerMillion: 0.06, outputPerMillion: 0.24 },
  'amazon.nova-pro-v1:0': { inputPerMillion: 0.8, outputPerMillion: 3.2 },
}

/** Tenths, so that ten per cent more of 3 is 3.3 and not 3.3000000000000003. */
const geographicTenths = 11

export const defaultPrices: PriceTable = {
  currency: 'USD',
  asOf: '2026-10-05',
  source: 'bedrock_pricing.py in github.com/aws/agent-toolkit-for-aws',
  models: { ...claudeModels(), ...novaPrices },
}

function claudeModels(): Record<string, ModelPrice> {
  const models: Record<string, ModelPrice> = {}
  for (const [modelId, [input, output]] of Object.entries(claudePrices)) {
    const listed = { inputPerMillion: input, outputPerMillion: output }
    const geographic = { inputPerMillion: (input * geographicTenths) / 10, outputPerMillion: (output * geographicTenths) / 10 }
    models[modelId] = listed
    models[`global.${modelId}`] = listed
    models[`eu.${modelId}`] = geographic
    models[`us.${modelId}`] = geographic
  }
  return models
}
