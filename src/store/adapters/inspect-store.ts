/**
 * What an operator should know of the configured store before a start: whether it can be opened and written, and for Redis
 * whether it would forget (no append-only file) or throw away (eviction) what was accepted. For `doctor`.
 */
import { Redis } from 'ioredis'
import type { Clock } from '../../runtime/clock.ts'
import { StoreError } from '../store-error.ts'
import { openStore, type StoreSettings } from './open-store.ts'
import { redisDefaults } from './redis-connection.ts'

export interface StoreFinding {
  readonly verdict: 'ok' | 'warning' | 'mend'
  readonly message: string
}

export async function inspectStore(settings: StoreSettings, clock: Clock): Promise<readonly StoreFinding[]> {
  if (settings.engine === 'memory') return [{ verdict: 'warning', message: 'in memory: what is queued and every result is gone when the service ends' }]
  try {
    const store = await openStore(settings, clock)
    try {
      await store.state.check()
      await store.queue.check()
    } finally {
      await store.close()
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    if (error.fault === 'locked') return [{ verdict: 'ok', message: 'held by a service that runs' }]
    return [{ verdict: 'mend', message: error.message }]
  }
  if (settings.engine === 'sqlite') return [{ verdict: 'ok', message: `${settings.path} can be read and written` }]
  return [{ verdict: 'ok', message: 'Redis answers and takes writes' }, ...(await inspectRedis(settings.url))]
}

async function inspectRedis(url: string): Promise<readonly StoreFinding[]> {
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, connectTimeout: redisDefaults.connectTimeoutMs, commandTimeout: redisDefaults.callTimeoutMs, retryStrategy: () => null })
  client.on('error', () => undefined)
  try {
    await client.connect()
    // INFO, not CONFIG: managed services do not allow the latter.
    return redisFindings(`${await client.info('persistence')}\n${await client.info('memory')}`)
  } catch {
    return [{ verdict: 'warning', message: 'Redis does not tell how it keeps its data (INFO): check `appendonly` and `maxmemory-policy` there' }]
  } finally {
    client.disconnect()
  }
}

export function redisFindings(info: string): readonly StoreFinding[] {
  const facts = new Map(info.split(/\r?\n/).map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
  const findings: StoreFinding[] = []
  if (facts.get('aof_enabled') !== '1') findings.push({ verdict: 'warning', message: 'Redis has no append-only file: what was accepted is lost when it restarts; set `appendonly yes`' })
  const policy = facts.get('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') findings.push({ verdict: 'warning', message: `Redis may throw away what was accepted when its memory is full (maxmemory-policy ${policy}); set it to noeviction` })
  return findings
}
