/**
 * The port by which the instances that share a store speak to each other: quick, unreliable, and never the only way. What
 * it says may be lost; whoever depends on it has a slower way to learn the same (a result in the state store, a deadline).
 *
 * An engine that belongs to one process has nobody to speak to; it only knows that nobody else lives.
 */
import type { JsonValue } from '../operation/converse.ts'

export interface Relay {
  /** This process, among those that share the store; new with every start. */
  readonly instanceId: string
  /** Whether there can be others. */
  readonly shared: boolean
  /** To one instance, or with null to all others. */
  send(to: string | null, message: JsonValue): void
  subscribe(listener: (message: JsonValue, from: string) => void): () => void
  /** Whether that instance was heard of a moment ago. */
  isAlive(instanceId: string): Promise<boolean>
  close(): Promise<void>
}

export function createLoneRelay(instanceId: string): Relay {
  return {
    instanceId,
    shared: false,
    send: () => undefined,
    subscribe: () => () => undefined,
    isAlive: (other) => Promise.resolve(other === instanceId),
    close: () => Promise.resolve(),
  }
}
