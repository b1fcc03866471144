/**
 * What each caller may ask for: so many requests in a window, and so many at once. A key's own limit holds, else the one
 * for all, from which admins are free, so that a lever can be pulled while something else floods.
 *
 * The windows are `rate-limiter-flexible`'s, in memory; where instances share a store, `shared-rates.ts` brings what the
 * others counted, afterwards: no request waits for it. A caller of whom nothing was heard for a window is forgotten. Callers without limits
 * cost nothing here, not even a promise, and where nobody has a rate limit the library is not loaded.
 */
import type { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { AuthConfig, RateLimitConfig } from '../../config/schema.ts'
import type { Principal } from '../principal.ts'
import type { SharedRates } from './shared-rates.ts'

export type LimitVerdict =
  /** `release` is called when the request is over; `headers` tell the caller where it stands. */
  | { readonly kind: 'within'; readonly release: (() => void) | null; readonly headers: Readonly<Record<string, string>> | null }
  | { readonly kind: 'beyond'; readonly limit: 'rate' | 'concurrency'; readonly retryAfterMs: number; readonly detail: string; readonly headers: Readonly<Record<string, string>> | null }

export interface CallerLimits {
  enter(principal: Principal, auth: AuthConfig): LimitVerdict | Promise<LimitVerdict>
}

interface Limits {
  readonly rate: RateLimitConfig | null
  readonly concurrency: number | null
}

const unlimited: LimitVerdict = Object.freeze({ kind: 'within', release: null, headers: null })
/** What a caller waits that has too much open: nobody knows when one of its requests ends. */
const concurrencyRetryMs = 1_000

/** @param shared null: this instance is alone */
export function createCallerLimits(shared: SharedRates | null = null): CallerLimits {
  const windows = new Map<string, Promise<RateLimiterMemory>>()
  const open = new Map<string, number>()
  let auth: AuthConfig | null = null
  let limitsOf = new Map<string, Limits>()

  const follow = (current: AuthConfig): void => {
    auth = current
    limitsOf = new Map(current.keys.map((key) => [key.name, { rate: key.rateLimit ?? forAll(key.role, current.rateLimit), concurrency: key.concurrency ?? forAll(key.role, current.concurrency) }]))
    // Windows that still exist keep their counts: a reload is no way to start anew.
    const kept = new Set([current.rateLimit, ...current.keys.map((key) => key.rateLimit)].flatMap((rate) => (rate === null ? [] : [policyOf(rate)])))
    for (const policy of windows.keys()) if (!kept.has(policy)) windows.delete(policy)
  }

  const windowOf = (rate: RateLimitConfig): Promise<RateLimiterMemory> => {
    const policy = policyOf(rate)
    const known = windows.get(policy)
    if (known !== undefined) return known
    const fresh = import('rate-limiter-flexible').then(({ RateLimiterMemory }) => new RateLimiterMemory({ points: rate.requests, duration: rate.windowMs / 1_000 }))
    windows.set(policy, fresh)
    return fresh
  }

  const noted = (standing: RateLimiterRes, window: RateLimiterMemory, rate: RateLimitConfig, caller: string): RateLimiterRes => {
    shared?.note({ policy: policyOf(rate), caller, windowMs: rate.windowMs, take: ({ count, endsInMs }) => void window.set(caller, count, Math.max(1, endsInMs) / 1_000) })
    return standing
  }

  const leave = (name: string): void => {
    const count = (open.get(name) ?? 1) - 1
    if (count === 0) open.delete(name)
    else open.set(name, count)
  }

  return {
    enter(principal, current) {
      if (current !== auth) follow(current)
      const { rate, concurrency } = limitsOf.get(principal.name) ?? { rate: forAll(principal.role, current.rateLimit), concurrency: forAll(principal.role, current.concurrency) }
      if (rate === null && concurrency === null) return unlimited
      let release: (() => void) | null = null
      if (concurrency !== null) {
        const count = open.get(principal.name) ?? 0
        if (count >= concurrency) {
          return { kind: 'beyond', limit: 'concurrency', retryAfterMs: concurrencyRetryMs, detail: `The key has ${concurrency} requests open, which is its limit.`, headers: null }
        }
        open.set(principal.name, count + 1)
        release = onceOnly(() => leave(principal.name))
      }
      if (rate === null) return { kind: 'within', release, headers: null }
      return windowOf(rate)
        .then((window) => {
          const standing = window.consume(principal.name)
          return shared === null ? standing : standing.then((within) => noted(within, window, rate, principal.name))
        })
        .then(
          (standing): LimitVerdict => ({ kind: 'within', release, headers: rateHeaders(rate, standing) }),
          (standing: unknown): LimitVerdict => {
            release?.()
            if (!isStanding(standing)) throw standing
            return { kind: 'beyond', limit: 'rate', retryAfterMs: standing.msBeforeNext, detail: `The key may send ${rate.requests} requests in ${rate.windowMs} ms.`, headers: rateHeaders(rate, standing) }
          },
        )
    },
  }
}

function forAll<Limit>(role: Principal['role'], limit: Limit | null): Limit | null {
  return role === 'admin' ? null : limit
}

function policyOf(rate: RateLimitConfig): string {
  return `${rate.requests}/${rate.windowMs}`
}

/** The current draft's fields (draft-ietf-httpapi-ratelimit-headers) and the three of its earlier forms, which most clients read. */
function rateHeaders(rate: RateLimitConfig, standing: RateLimiterRes): Readonly<Record<string, string>> {
  const resetSeconds = Math.max(1, Math.ceil(standing.msBeforeNext / 1_000))
  return {
    'ratelimit-policy': `"key";q=${rate.requests};w=${Math.ceil(rate.windowMs / 1_000)}`,
    ratelimit: `"key";r=${standing.remainingPoints};t=${resetSeconds}`,
    'ratelimit-limit': String(rate.requests),
    'ratelimit-remaining': String(standing.remainingPoints),
    'ratelimit-reset': String(resetSeconds),
  }
}

/** The library rejects with where the caller stands when it is beyond, and with an error when something broke. */
function isStanding(value: unknown): value is RateLimiterRes {
  return typeof value === 'object' && value !== null && 'msBeforeNext' in value && !(value instanceof Error)
}

function onceOnly(action: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    action()
  }
}
