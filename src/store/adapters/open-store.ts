/**
 * Opens the store that the configuration names: the message queue and the state store of one engine, and one `close` for
 * both. Engines load when they are chosen, so that a service without Redis does not load its client.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { MessageQueue, QueueOptions } from '../message-queue.ts'
import type { StateStore } from '../state-store.ts'

export type StoreSettings =
  | { readonly engine: 'memory' }
  | { readonly engine: 'sqlite'; readonly path: string; readonly durability: 'process' | 'power' }
  | { readonly engine: 'redis'; readonly url: string }

export interface Store {
  readonly queue: MessageQueue
  readonly state: StateStore
  close(): Promise<void>
}

/** Rejects with a `StoreError` that says what to mend. */
export async function openStore(settings: StoreSettings, clock: Clock, queue: Partial<QueueOptions> = {}): Promise<Store> {
  switch (settings.engine) {
    case 'memory': {
      const [{ createMemoryMessageQueue }, { createMemoryStateStore }] = await Promise.all([import('./memory-message-queue.ts'), import('./memory-state-store.ts')])
      return together(createMemoryMessageQueue(clock, queue), createMemoryStateStore(clock))
    }
    case 'sqlite': {
      const { openSqliteStore } = await import('./sqlite-store.ts')
      return await openSqliteStore({ path: settings.path, durability: settings.durability, clock, queue })
    }
    case 'redis': {
      const [{ openRedisMessageQueue }, { connectRedis }, { createRedisStateStore }] = await Promise.all([
        import('./redis-message-queue.ts'),
        import('./redis-connection.ts'),
        import('./redis-state-store.ts'),
      ])
      const state = createRedisStateStore(await connectRedis({ url: settings.url }), clock)
      try {
        return together(await openRedisMessageQueue({ url: settings.url, clock, queue }), state)
      } catch (error) {
        await state.close()
        throw error
      }
    }
  }
}

function together(queue: MessageQueue, state: StateStore): Store {
  return {
    queue,
    state,
    async close() {
      await queue.close()
      await state.close()
    },
  }
}
