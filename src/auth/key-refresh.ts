/**
 * When the keys of an identity provider are fetched: decided from what is held, what is asked for, and now.
 *
 * Keys are kept and used while the provider is away, up to a limit; they are renewed beside the requests when they age, and
 * at once when a token names a key that is not among them (a rotation). However many tokens ask, and whatever they name,
 * two fetches begin no closer than the cool-down, also when they fail: neither an attacker nor an outage makes this
 * service a burden to the provider. Only requests with a token ever wait for a fetch.
 */
export interface KeyState {
  /** When the keys that are held were fetched; null while there are none. Monotonic. */
  readonly loadedAtMs: number | null
  /** When the last fetch began; null before the first. */
  readonly triedAtMs: number | null
  readonly lastTryFailed: boolean
  readonly loading: boolean
}

export type KeyPlan =
  /** Use what is held; `refresh` beside it when true. */
  | { readonly kind: 'use'; readonly refresh: boolean }
  /** Wait for a fetch, which is begun unless one is under way. */
  | { readonly kind: 'wait' }
  /** There is no such key, as far as the provider said a moment ago. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number }

/** Between the beginnings of two fetches: a new key works after this at the latest. */
export const refreshCooldownMs = 10_000
/** Keys older than this are renewed beside the requests, so that a withdrawn key ends within it. */
export const keysAgeMs = 600_000
/** Keys older than this are not used any more, though the provider is away: few tokens live longer than an hour. */
export const keysStaleMs = 3_600_000

/** @param want `unknown`: a token names a key that is not among those held. */
export function planKeys(state: KeyState, want: 'any' | 'unknown', nowMs: number): KeyPlan {
  const cooldownLeftMs = state.triedAtMs === null ? 0 : Math.max(0, state.triedAtMs + refreshCooldownMs - nowMs)
  const mayLoad = !state.loading && cooldownLeftMs === 0
  const usable = state.loadedAtMs !== null && nowMs - state.loadedAtMs < keysStaleMs
  if (usable && want === 'any') return { kind: 'use', refresh: mayLoad && nowMs - (state.loadedAtMs ?? 0) >= keysAgeMs }
  if (state.loading || mayLoad) return { kind: 'wait' }
  return usable && !state.lastTryFailed ? { kind: 'absent' } : { kind: 'unavailable', retryAfterMs: cooldownLeftMs }
}
