/**
 * A state store whose every call ends in time: what is not answered by then is `unavailable` to its caller, whether or not
 * the engine carries it out later.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { StateStore } from '../state-store.ts'
import { withinTime } from './within-time.ts'

export function createBoundedStateStore(state: StateStore, clock: Clock, limitMs: number): StateStore {
  const bounded = <Value>(call: Promise<Value>): Promise<Value> => withinTime(clock, call, limitMs, 'The store')
  return {
    get: (collection, key) => bounded(state.get(collection, key)),
    put: (collection, key, value, options) => bounded(state.put(collection, key, value, options)),
    delete: (collection, key, options) => bounded(state.delete(collection, key, options)),
    list: (collection, options) => bounded(state.list(collection, options)),
    check: () => bounded(state.check()),
    close: () => state.close(),
  }
}
