/**
 * What the paid canaries of a day have cost, kept in the state store, so that a cap holds over restarts and over all
 * instances. An amount is reserved before it is spent and corrected after; without the store nothing is spent, because then
 * nobody would know.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { StateStore } from '../../store/state-store.ts'

export interface CanaryPurse {
  /** False when the amount does not fit under the day's cap, or that cannot be known. */
  reserve(amount: number): Promise<boolean>
  /** What was spent in the end, in place of what was reserved. */
  settle(reserved: number, spent: number): Promise<void>
  /** Of today, as last read. */
  spentToday(): number
}

export interface CanaryPurseParts {
  readonly store: Pick<StateStore, 'get' | 'put'>
  readonly clock: Clock
  costPerDay(): number
}

const collection = 'health'
/** Other instances may write at the same moment: a few tries find a gap. */
const tries = 5
const keptMs = 2 * 24 * 3_600_000

export function createCanaryPurse(parts: CanaryPurseParts): CanaryPurse {
  const { store, clock } = parts
  let spentToday = 0

  /** Adds the amount when the sum fits; negative amounts always fit. */
  const add = async (amount: number): Promise<boolean> => {
    const nowMs = clock.nowMs()
    const key = `canary/${new Date(nowMs).toISOString().slice(0, 10)}`
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const record = await store.get(collection, key)
      const spent = amountOf(record?.value)
      spentToday = spent
      if (amount > 0 && spent + amount > parts.costPerDay()) return false
      const sum = Math.max(0, spent + amount)
      const outcome = await store.put(collection, key, { spent: sum }, { expiresAtMs: nowMs + keptMs, ifVersion: record?.version ?? 'absent' })
      if (outcome.stored) {
        spentToday = sum
        return true
      }
    }
    return false
  }

  return {
    async reserve(amount) {
      try {
        return await add(amount)
      } catch {
        // The store does not answer: its own health check says so, and the canary waits.
        return false
      }
    },
    async settle(reserved, spent) {
      if (spent === reserved) return
      try {
        await add(spent - reserved)
      } catch {
        // Then the reserved amount stands, which errs on the side of the cap.
      }
    },
    spentToday: () => spentToday,
  }
}

function amountOf(value: unknown): number {
  return typeof value === 'object' && value !== null && 'spent' in value && typeof value.spent === 'number' ? value.spent : 0
}
