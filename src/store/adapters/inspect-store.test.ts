import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { createSystemClock } from '../../runtime/clock.ts'
import { inspectStore, redisFindings } from './inspect-store.ts'
import { openStore } from './open-store.ts'
import { startRedisServer } from '../testing/redis-server.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'hybrid-routing-inspect-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

it('a store in memory is a warning', async () => {
  expect(await inspectStore({ engine: 'memory' }, createVirtualClock())).toMatchObject([{ verdict: 'warning' }])
})

it('a file that can be written is well, one that a service holds too, one that is no database is not', async () => {
  const path = join(folder(), 'store.db')
  const settings = { engine: 'sqlite', path, durability: 'process' } as const
  const clock = createSystemClock()
  expect(await inspectStore(settings, clock)).toEqual([{ verdict: 'ok', message: `${path} can be read and written` }])
  const store = await openStore(settings, clock)
  expect(await inspectStore(settings, clock)).toEqual([{ verdict: 'ok', message: 'held by a service that runs' }])
  await store.close()
  const garbage = join(folder(), 'store.db')
  writeFileSync(garbage, 'this is no database, and long enough to be looked at as one'.repeat(20))
  expect(await inspectStore({ ...settings, path: garbage }, clock)).toMatchObject([{ verdict: 'mend' }])
})

it('a Redis that forgets or evicts is warned about', () => {
  expect(redisFindings('aof_enabled:0\r\nmaxmemory_policy:allkeys-lru\r\n').map(({ verdict }) => verdict)).toEqual(['warning', 'warning'])
  expect(redisFindings('aof_enabled:1\r\nmaxmemory_policy:noeviction\r\n')).toEqual([])
})

it('a real Redis with an append-only file is well, and one that is not there is to be mended', async () => {
  const redis = await startRedisServer()
  onTestFinished(() => redis.stop())
  expect(await inspectStore({ engine: 'redis', url: redis.url }, createSystemClock())).toEqual([{ verdict: 'ok', message: 'Redis answers and takes writes' }])
  expect(await inspectStore({ engine: 'redis', url: 'redis://127.0.0.1:1' }, createSystemClock())).toMatchObject([{ verdict: 'mend' }])
})
