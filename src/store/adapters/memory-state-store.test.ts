import { expect, test } from 'vitest'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { storeLimits } from '../limits.ts'
import { testStateStore } from '../state-store.conformance.ts'
import { createMemoryStateStore } from './memory-state-store.ts'

testStateStore({
  name: 'memory',
  modelRuns: 200,
  async open() {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    return { store, clock, close: () => store.close() }
  },
})

test('a full memory store refuses new records, still replaces old ones, and takes new ones when old ones have expired', async () => {
  const clock = createVirtualClock()
  const store = createMemoryStateStore(clock)
  for (let index = 0; index < storeLimits.memoryRecords; index += 1) {
    await store.put('results', `op_${String(index).padStart(7, '0')}`, index, { expiresAtMs: clock.nowMs() + 1_000 })
  }
  await expect(store.put('results', 'one more', 1)).rejects.toMatchObject({ fault: 'full' })
  expect(await store.put('results', 'op_0000000', 'replaced', { expiresAtMs: clock.nowMs() + 5_000 })).toMatchObject({ stored: true })
  clock.advance(1_000)
  expect(await store.put('results', 'one more', 1)).toMatchObject({ stored: true })
  expect((await store.list('results', { limit: 10 })).map((record) => record.key)).toEqual(['one more', 'op_0000000'])
})

test('large values fill the memory store by their bytes', async () => {
  const store = createMemoryStateStore(createVirtualClock())
  const mebibytes = 'x'.repeat(8 * 1_024 * 1_024)
  let stored = 0
  await expect(
    (async () => {
      for (; stored < 100; stored += 1) await store.put('results', `op_${stored}`, mebibytes)
    })(),
  ).rejects.toMatchObject({ fault: 'full' })
  expect(stored).toBe(31)
  expect(await store.delete('results', 'op_0')).toBe(true)
  expect(await store.put('results', 'op_new', mebibytes)).toMatchObject({ stored: true })
})
