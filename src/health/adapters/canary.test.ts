import { describe, expect, it } from 'vitest'
import { operationOf } from '../../operation/testing/operation.ts'
import type { PriceTable } from '../../operation/cost.ts'
import type { AttemptEnd, Path } from '../../operation/path.ts'
import { createVirtualClock, type VirtualClock } from '../../runtime/virtual-clock.ts'
import { createMemoryStateStore } from '../../store/adapters/memory-state-store.ts'
import { askCanary } from './canary.ts'
import { createCanaryPurse, type CanaryPurse } from './canary-purse.ts'

const prices: PriceTable = { currency: 'USD', asOf: '2026-01-01', source: 'a test', models: { model: { inputPerMillion: 1_000, outputPerMillion: 10_000 } } }
/** 50 tokens in, 8 out. */
const ceiling = 0.13
const spend = { modelId: 'model', usage: { inputTokens: 10, outputTokens: 2, totalTokens: 12 }, estimated: false }

function pathThat(end: AttemptEnd | null): Path & { started: number } {
  const path = {
    route: 'direct' as const,
    started: 0,
    start: (_request: unknown, listener: Parameters<Path['start']>[1]) => {
      path.started += 1
      if (end !== null) queueMicrotask(() => listener.onEnd(end))
      return { cancel: () => listener.onEnd({ outcome: 'cancelled', spend }) }
    },
  }
  return path
}

function ask(path: Path, clock: VirtualClock, purse: CanaryPurse, modelId = 'model'): ReturnType<typeof askCanary> {
  return askCanary({ path, clock, purse, prices, target: 'frankfurt', modelId, operation: operationOf('emergency'), maxTokens: 8, deadlineMs: clock.monotonicMs() + 5_000 })
}

const answered: AttemptEnd = { outcome: 'succeeded', answer: { message: { role: 'assistant', content: [{ text: 'OK' }] }, stopReason: 'end_turn', usage: spend.usage } as never, spend }

describe('a paid canary', () => {
  it('that is answered says that the target is well, and costs what it used', async () => {
    const clock = createVirtualClock()
    const purse = createCanaryPurse({ store: createMemoryStateStore(clock), clock, costPerDay: () => 1 })
    expect(await ask(pathThat(answered), clock, purse)).toMatchObject({ level: 'healthy' })
    expect(purse.spentToday()).toBeCloseTo(0.03, 6)
  })

  it('is not sent beyond the day’s cap, and again the next day', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const purse = createCanaryPurse({ store, clock, costPerDay: () => 2 * ceiling })
    const path = pathThat({ outcome: 'failed', fault: { kind: 'overloaded', retryable: true, message: 'busy' }, spend: { ...spend, usage: { inputTokens: 50, outputTokens: 8, totalTokens: 58 } } })
    const found = []
    for (let index = 0; index < 5; index += 1) found.push((await ask(path, clock, purse)).level)
    expect([found, path.started]).toEqual([['critical', 'critical', null, null, null], 2])
    clock.advance(24 * 3_600_000)
    expect((await ask(path, clock, purse)).level).toBe('critical')
  })

  it('shares its cap with the other instances, and with its own life before a restart', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const purses = Array.from({ length: 6 }, () => createCanaryPurse({ store, clock, costPerDay: () => 3 * ceiling + 0.01 }))
    const granted = await Promise.all(purses.map((purse) => purse.reserve(ceiling)))
    expect(granted.filter(Boolean).length).toBeLessThanOrEqual(3)
    expect(granted.filter(Boolean).length).toBeGreaterThan(0)
  })

  it('is not sent for a model whose price nobody knows, nor without a store that keeps the sum', async () => {
    const clock = createVirtualClock()
    const path = pathThat(answered)
    expect(await ask(path, clock, createCanaryPurse({ store: createMemoryStateStore(clock), clock, costPerDay: () => 1 }), 'unknown')).toMatchObject({ level: null })
    const broken = { get: () => Promise.reject(new Error('gone')), put: () => Promise.reject(new Error('gone')) }
    expect(await ask(path, clock, createCanaryPurse({ store: broken, clock, costPerDay: () => 1 }))).toMatchObject({ level: null })
    expect(path.started).toBe(0)
  })

  it('that hangs is cancelled at its deadline', async () => {
    const clock = createVirtualClock()
    const asked = ask(pathThat(null), clock, createCanaryPurse({ store: createMemoryStateStore(clock), clock, costPerDay: () => 1 }))
    await clock.advanceAsync(5_000)
    expect(await asked).toMatchObject({ level: 'critical' })
    expect(clock.pending()).toBe(0)
  })
})
