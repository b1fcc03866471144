import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { openStore, type StoreSettings } from './open-store.ts'
import { startRedisServer } from '../testing/redis-server.ts'

const settings: Readonly<Record<StoreSettings['engine'], () => Promise<StoreSettings>>> = {
  memory: async () => ({ engine: 'memory' }),
  sqlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    return { engine: 'sqlite', path: join(folder, 'store.db'), durability: 'process' }
  },
  redis: async () => {
    const server = await startRedisServer()
    onTestFinished(() => server.stop())
    return { engine: 'redis', url: server.url }
  },
}

for (const engine of ['memory', 'sqlite', 'redis'] as const) {
  test(`the ${engine} store opens with a working queue and working records, and closes both`, async () => {
    const store = await openStore(await settings[engine](), createVirtualClock())
    await store.queue.check()
    expect(await store.state.put('results', 'op_1', 1)).toMatchObject({ stored: true })
    expect(await store.queue.claim({ workerId: 'a', leaseMs: 1_000 })).toBeUndefined()
    await store.close()
    await expect(store.queue.check()).rejects.toMatchObject({ fault: 'closed' })
    await expect(store.state.check()).rejects.toMatchObject({ fault: 'closed' })
  })
}
