/**
 * Counts the requests that run under each concurrency limit, and lets those wait, in order, that a full limit queues.
 */
import type { ConcurrencyRule } from '../fault-rule.ts'
import type { Exchange } from './exchange.ts'

export interface Admission {
  inFlight(rule: ConcurrencyRule): number
  /** Calls back once every limit has room for the request; never when it is over before. */
  admit(exchange: Exchange, rules: readonly ConcurrencyRule[], proceed: () => void): void
  /** The limits are gone: whoever waits goes on. */
  release(): void
}

interface Limit {
  inFlight: number
  readonly waiting: Set<() => void>
}

export function createAdmission(): Admission {
  let limits = new Map<ConcurrencyRule, Limit>()

  const limitOf = (rule: ConcurrencyRule): Limit => {
    const known = limits.get(rule)
    if (known !== undefined) return known
    const limit: Limit = { inFlight: 0, waiting: new Set() }
    limits.set(rule, limit)
    return limit
  }

  const admit: Admission['admit'] = (exchange, rules, proceed) => {
    if (exchange.over) return
    const full = rules.find((rule) => limitOf(rule).inFlight >= rule.limit)
    if (full === undefined) {
      const taken = rules.map(limitOf)
      for (const limit of taken) limit.inFlight += 1
      exchange.onOver(() => {
        for (const limit of taken) {
          limit.inFlight -= 1
          const [first] = limit.waiting
          first?.()
        }
      })
      proceed()
      return
    }
    const { waiting } = limitOf(full)
    // Rules that were replaced while it waited limit nothing any more.
    const admitted = limits
    const retry = (): void => {
      waiting.delete(retry)
      admit(exchange, admitted === limits ? rules : [], proceed)
    }
    waiting.add(retry)
    exchange.onOver(() => waiting.delete(retry))
  }

  return {
    inFlight: (rule) => limits.get(rule)?.inFlight ?? 0,
    admit,
    release() {
      const waiting = [...limits.values()].flatMap((limit) => [...limit.waiting])
      limits = new Map()
      for (const retry of waiting) retry()
    },
  }
}
