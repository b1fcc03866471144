import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { testMessageQueue } from '../message-queue.conformance.ts'
import { testStateStore } from '../state-store.conformance.ts'
import type { Durability } from './sqlite-file.ts'
import { openSqliteStore } from './sqlite-store.ts'

const openIn = async (durability: Durability, queue = {}) => {
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-'))
  const clock = createVirtualClock()
  const store = await openSqliteStore({ path: join(folder, 'store.db'), durability, clock, queue })
  const close = async (): Promise<void> => {
    await store.close()
    rmSync(folder, { recursive: true })
  }
  return { store, clock, close }
}

for (const durability of ['process', 'power'] as const) {
  describe(`sqlite, durability ${durability}`, () => {
    testStateStore({
      name: `sqlite (${durability})`,
      modelRuns: durability === 'process' ? 60 : 8,
      async open() {
        const { store, clock, close } = await openIn(durability)
        return { store: store.state, clock, close }
      },
    })
    testMessageQueue({
      name: `sqlite (${durability})`,
      modelRuns: durability === 'process' ? 60 : 15,
      async open(options) {
        const { store, clock, close } = await openIn(durability, options)
        const advance = async (durationMs: number): Promise<void> => {
          await clock.advanceAsync(durationMs)
          // The worker's answer to what the clock set off: a call of ours queues behind it.
          await store.queue.check().catch(() => undefined)
        }
        return { queue: store.queue, nowMs: () => clock.nowMs(), advance, close }
      },
    })
  })
}
