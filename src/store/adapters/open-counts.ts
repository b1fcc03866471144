/**
 * Opens the counts that go with the store that the configuration names: instances of one Redis count together; the other
 * engines belong to one process, which needs none.
 */
import type { StoreSettings } from './open-store.ts'
import type { RedisCounts } from './redis-counts.ts'

export async function openSharedCounts(settings: StoreSettings): Promise<RedisCounts | undefined> {
  if (settings.engine !== 'redis') return undefined
  const { openRedisCounts } = await import('./redis-counts.ts')
  return await openRedisCounts(settings.url)
}
