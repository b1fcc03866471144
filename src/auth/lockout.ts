/**
 * The lock-out of addresses that guess: after so many wrong keys or tokens within a window, an address is refused for a
 * while. A configured key is let in before the lock-out is asked (`authenticator.ts`), since it is no guess.
 *
 * It is told what failed, where and when, and holds no clock. What stands for an address is the caller's choice
 * (`networkOf`: an IPv6 network is one party).
 *
 * Memory is bounded whatever an attacker owns: two tables of a fixed number of entries, of which the oldest gives way. An
 * attacker with more addresses than a table has entries can make it forget its own failures, and nothing else: an address
 * that never failed is in no table, so a good key from there is never refused. A success does not clear the count, or an
 * attacker with a key of a viewer could guess an admin's between two uses of its own.
 */
export interface LockoutRules {
  /** 0 locks nobody out. */
  readonly failures: number
  readonly windowMs: number
  readonly lockMs: number
}

/** Entries of each table, at about 150 bytes: 2.5 MiB for both. A botnet is larger, and then each address guesses rarely. */
export const lockoutEntries = 8_192

interface Count {
  failures: number
  readonly sinceMs: number
}

export class Lockout {
  /** In the order of each address' first failure of its window: the oldest first. */
  readonly #counts = new Map<string, Count>()
  /** Until when, in the order in which they were locked. */
  readonly #locked = new Map<string, number>()

  /** Whether anybody is locked out at all: the fast path asks nothing else. */
  get isQuiet(): boolean {
    return this.#locked.size === 0
  }

  get entries(): number {
    return this.#counts.size + this.#locked.size
  }

  /** @returns for how long the address is still locked out; 0 when it is not. */
  lockedForMs(address: string, nowMs: number): number {
    this.#dropExpired(nowMs)
    const untilMs = this.#locked.get(address) ?? nowMs
    return Math.max(0, untilMs - nowMs)
  }

  /** @returns whether the address is locked out from now on. */
  onFailure(address: string, nowMs: number, rules: LockoutRules): boolean {
    if (rules.failures === 0) return false
    const known = this.#counts.get(address)
    const count: Count = known === undefined || nowMs - known.sinceMs >= rules.windowMs ? { failures: 0, sinceMs: nowMs } : known
    count.failures += 1
    if (count !== known) {
      this.#counts.delete(address)
      makeRoom(this.#counts)
      this.#counts.set(address, count)
    }
    if (count.failures < rules.failures) return false
    this.lock(address, nowMs + rules.lockMs)
    return true
  }

  /** By what all instances have seen together. */
  lock(address: string, untilMs: number): void {
    this.#counts.delete(address)
    this.#locked.delete(address)
    makeRoom(this.#locked)
    this.#locked.set(address, untilMs)
  }

  /** The oldest first, so it stops at once; the table is quiet again when the last lock has ended, whoever comes back. */
  #dropExpired(nowMs: number): void {
    for (const [address, untilMs] of this.#locked) {
      if (untilMs > nowMs) return
      this.#locked.delete(address)
    }
  }
}

function makeRoom(table: Map<string, unknown>): void {
  if (table.size < lockoutEntries) return
  const oldest = table.keys().next().value
  if (oldest !== undefined) table.delete(oldest)
}
