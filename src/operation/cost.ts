/**
 * What an attempt costs, estimated from its tokens and a dated price table that the operators keep in the configuration.
 * A model that the table does not know costs nothing here and makes the sum an estimate: an invented price would be worse.
 */
import type { TokenUsage } from './converse.ts'
import type { AttemptSpend } from './path.ts'
import type { Cost } from './result.ts'

export interface ModelPrice {
  /** Per million tokens, in the table's currency. */
  readonly inputPerMillion: number
  readonly outputPerMillion: number
  readonly cacheReadPerMillion?: number
  readonly cacheWritePerMillion?: number
}

export interface PriceTable {
  readonly currency: string
  /** RFC 3339 date on which the prices were checked, and where. */
  readonly asOf: string
  readonly source: string
  /** By model id or inference profile id, exactly as requests name it. */
  readonly models: Readonly<Record<string, ModelPrice>>
}

export function costOf(prices: PriceTable, spends: readonly AttemptSpend[]): Cost {
  let estimated = 0
  let includesEstimates = false
  for (const spend of spends) {
    const price = spend.modelId === null ? undefined : prices.models[spend.modelId]
    if (spend.estimated || price === undefined) includesEstimates = true
    if (price !== undefined) estimated += costOfUsage(price, spend.usage)
  }
  return { currency: prices.currency, estimated, includesEstimates }
}

function costOfUsage(price: ModelPrice, usage: TokenUsage): number {
  const tokens =
    usage.inputTokens * price.inputPerMillion +
    usage.outputTokens * price.outputPerMillion +
    (usage.cacheReadInputTokens ?? 0) * (price.cacheReadPerMillion ?? price.inputPerMillion) +
    (usage.cacheWriteInputTokens ?? 0) * (price.cacheWritePerMillion ?? price.inputPerMillion)
  return tokens / 1_000_000
}
