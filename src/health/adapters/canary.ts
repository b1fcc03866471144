/**
 * The paid canary: one short operation on one target, as a caller would send it. It is the only probe that sees whether the
 * model answers when nobody asks it, and it is made only within the day's cap.
 */
import { costOf, type PriceTable } from '../../operation/cost.ts'
import type { Operation } from '../../operation/operation.ts'
import type { AttemptEnd, Path } from '../../operation/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Finding } from '../health-subject.ts'
import type { CanaryPurse } from './canary-purse.ts'

export interface CanaryRequest {
  readonly path: Path
  readonly clock: Clock
  readonly purse: CanaryPurse
  readonly prices: PriceTable
  readonly target: string
  readonly modelId: string
  /** What is asked; its `maxTokens` bounds the cost. */
  readonly operation: Operation
  readonly maxTokens: number
  /** Monotonic. */
  readonly deadlineMs: number
}

/** More than the few words of the question take in any model's counting. */
const inputTokens = 50
const nothing: Finding = { level: null, reason: '', responseTimeMs: null }

export async function askCanary(request: CanaryRequest): Promise<Finding> {
  const { clock, purse, prices, modelId, maxTokens } = request
  if (prices.models[modelId] === undefined) return { ...nothing, reason: `No canary: the price table does not know ${modelId}` }
  const ceiling = costOf(prices, [{ modelId, usage: { inputTokens, outputTokens: maxTokens, totalTokens: inputTokens + maxTokens }, estimated: true }]).estimated
  if (!(await purse.reserve(ceiling))) return { ...nothing, reason: 'No canary: the day’s cap is reached' }
  const startMs = clock.monotonicMs()
  const end = await run(request)
  await purse.settle(ceiling, costOf(prices, [end.spend]).estimated)
  const responseTimeMs = clock.monotonicMs() - startMs
  switch (end.outcome) {
    case 'succeeded':
      return { level: 'healthy', reason: 'A canary was answered', responseTimeMs }
    case 'cancelled':
      return { level: 'critical', reason: 'A canary was not answered in time', responseTimeMs: null }
    case 'failed':
      return end.fault.kind === 'throttled'
        ? { level: 'degraded', reason: 'A canary was throttled', responseTimeMs: null }
        : { level: 'critical', reason: `A canary failed: ${end.fault.message}`, responseTimeMs: null }
    default:
      return end satisfies never
  }
}

function run({ path, clock, operation, target, deadlineMs }: CanaryRequest): Promise<AttemptEnd> {
  return new Promise((resolve) => {
    const attempt = path.start({ operation, number: 1, target, streaming: false, deadlineMs }, { onSent: () => undefined, onEvent: () => undefined, onEnd: (end) => {
      cancelLimit()
      resolve(end)
    } })
    const cancelLimit = clock.schedule(deadlineMs, () => attempt.cancel())
  })
}
