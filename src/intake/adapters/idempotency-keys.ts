/**
 * What an `Idempotency-Key` stands for, in the state store: the id of its operation and the fingerprint of its request, for
 * 24 hours, per tenant (public contract, part 3). Of several requests that come at once exactly one binds the key, also
 * across processes: the store's compare-and-set decides.
 */
import type { JsonValue } from '../../operation/converse.ts'
import type { StateRecord, StateStore } from '../../store/state-store.ts'

const collection = 'idempotency'

export interface Binding {
  readonly operationId: string
  readonly fingerprint: string
  /** Wall clock by which the operation has ended, wherever it runs. */
  readonly endsByMs: number
}

export interface HeldBinding {
  readonly key: string
  readonly version: number
  readonly binding: Binding
}

export interface IdempotencyKeys {
  find(key: string): Promise<HeldBinding | undefined>
  /** Binds the key, or says what it is bound to already. */
  bind(key: string, binding: Binding, expiresAtMs: number): Promise<{ readonly bound: boolean; readonly held: HeldBinding }>
  release(held: Pick<HeldBinding, 'key' | 'version'>): Promise<boolean>
}

export function createIdempotencyKeys(state: StateStore): IdempotencyKeys {
  return {
    async find(key) {
      const record = await state.get(collection, key)
      return record === undefined ? undefined : readBinding(record)
    },
    async bind(key, binding, expiresAtMs) {
      for (;;) {
        const outcome = await state.put(collection, key, binding as unknown as JsonValue, { ifVersion: 'absent', expiresAtMs })
        if (outcome.stored) return { bound: true, held: { key, version: outcome.version, binding } }
        const held = outcome.current === undefined ? undefined : readBinding(outcome.current)
        if (held !== undefined) return { bound: false, held }
        // What is there is not a binding (or has expired since): it stands for nothing, so it goes.
        if (outcome.current !== undefined) await state.delete(collection, key, { ifVersion: outcome.current.version })
      }
    },
    release: (held) => state.delete(collection, held.key, { ifVersion: held.version }),
  }
}

function readBinding(record: StateRecord): HeldBinding | undefined {
  if (record.value === null || typeof record.value !== 'object') return undefined
  const { operationId, fingerprint, endsByMs } = record.value as Partial<Binding>
  if (typeof operationId !== 'string' || typeof fingerprint !== 'string' || typeof endsByMs !== 'number') return undefined
  return { key: record.key, version: record.version, binding: { operationId, fingerprint, endsByMs } }
}
