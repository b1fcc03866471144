/**
 * Opens the relay that goes with the store that the configuration names: instances of one Redis hear each other, the other
 * engines belong to one process.
 */
import type { Clock } from '../../runtime/clock.ts'
import { createLoneRelay, type Relay } from '../relay.ts'
import type { StoreSettings } from './open-store.ts'

export async function openRelay(settings: StoreSettings, clock: Clock, newInstanceId: () => string): Promise<Relay> {
  if (settings.engine !== 'redis') return createLoneRelay(newInstanceId())
  const { openRedisRelay } = await import('./redis-relay.ts')
  return await openRedisRelay({ url: settings.url, clock, instanceId: newInstanceId() })
}
