/**
 * Instances that hear each other within one process, for tests of what several do on one store.
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { Relay } from '../relay.ts'

export interface RelayHub {
  join(instanceId: string): Relay
  /** It is not heard of any more, as after `kill -9`. */
  die(instanceId: string): void
  /** Which words do not arrive. */
  loses: (message: JsonValue) => boolean
}

export function createRelayHub(): RelayHub {
  const members = new Map<string, Set<(message: JsonValue, from: string) => void>>()
  const hub: RelayHub = {
    loses: () => false,
    join(instanceId) {
      const listeners = new Set<(message: JsonValue, from: string) => void>()
      members.set(instanceId, listeners)
      return {
        instanceId,
        shared: true,
        send(to, message) {
          if (!members.has(instanceId) || hub.loses(message)) return
          const text = JSON.stringify(message)
          for (const [id, heard] of members) {
            if (id === instanceId || (to !== null && id !== to)) continue
            for (const listener of heard) listener(JSON.parse(text) as JsonValue, instanceId)
          }
        },
        subscribe(listener) {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
        isAlive: (id) => Promise.resolve(members.has(id)),
        close: () => Promise.resolve(),
      }
    },
    die: (instanceId) => void members.delete(instanceId),
  }
  return hub
}
