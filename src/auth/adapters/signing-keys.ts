/**
 * The signing keys of an identity provider: OpenID Connect Discovery 1.0 (section 4) finds the key set, RFC 7517 is its
 * form, `key-refresh.ts` says when to fetch.
 *
 * What the provider answers is not trusted further than it must be: the discovery document has to name the configured
 * issuer, the key set has to come over TLS (or from this machine), redirects are not followed, and answers are bounded in
 * size and time. A failure is a value; the cause goes to nobody, since it may hold an address that is not public.
 */
import { createLocalJWKSet, type CryptoKey, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose'
import { isLoopbackHost } from '../../config/loopback.ts'
import type { Clock } from '../../runtime/clock.ts'
import { planKeys, refreshCooldownMs, type KeyPlan } from '../key-refresh.ts'

export type KeyLookup = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>

export type HeldKeys =
  | { readonly kind: 'keys'; readonly lookup: KeyLookup }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number }

export interface SigningKeys {
  /** @param want `unknown`: a token names a key that is not among those held. */
  get(want: 'any' | 'unknown'): Promise<HeldKeys>
}

export interface SigningKeysOptions {
  readonly issuer: string
  /** Null: as discovery says. */
  readonly jwksUri: string | null
  readonly clock: Clock
}

/** ms for discovery and key set together: a token's request waits no longer. */
export const fetchTimeoutMs = 5_000
/** Bytes of one answer. Key sets of a hundred keys with certificates are below. */
const longestAnswer = 262_144

export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  const { clock } = options
  let lookup: KeyLookup | null = null
  let loadedAtMs: number | null = null
  let triedAtMs: number | null = null
  let lastTryFailed = false
  let loading: Promise<void> | null = null

  const load = (): Promise<void> => {
    triedAtMs = clock.monotonicMs()
    loading = fetchKeySet(options).then(
      (keySet) => {
        lookup = createLocalJWKSet(keySet)
        loadedAtMs = clock.monotonicMs()
        lastTryFailed = false
        loading = null
      },
      () => {
        // Told by `unavailable` to whoever needed it; the keys that are held stay in use.
        lastTryFailed = true
        loading = null
      },
    )
    return loading
  }

  const plan = (want: 'any' | 'unknown'): KeyPlan => planKeys({ loadedAtMs, triedAtMs, lastTryFailed, loading: loading !== null }, want, clock.monotonicMs())

  return {
    async get(want) {
      const planned = plan(want)
      switch (planned.kind) {
        case 'use':
          if (planned.refresh) void load()
          break
        case 'wait':
          await (loading ?? load())
          if (lastTryFailed || lookup === null) return { kind: 'unavailable', retryAfterMs: refreshCooldownMs }
          break
        case 'absent':
        case 'unavailable':
          return planned
        default:
          return planned satisfies never
      }
      return lookup === null ? { kind: 'unavailable', retryAfterMs: refreshCooldownMs } : { kind: 'keys', lookup }
    },
  }
}

async function fetchKeySet({ issuer, jwksUri, clock }: SigningKeysOptions): Promise<JSONWebKeySet> {
  const abort = new AbortController()
  const cancel = clock.schedule(clock.monotonicMs() + fetchTimeoutMs, () => abort.abort(new Error('the identity provider did not answer in time')))
  try {
    const keySet = await fetchJson(jwksUri ?? (await discover(issuer, abort.signal)), abort.signal)
    if (!isMembers(keySet) || !Array.isArray(keySet['keys'])) throw new Error('the answer is no key set')
    return { keys: keySet['keys'].filter(isPublicKey) }
  } finally {
    cancel()
  }
}

async function discover(issuer: string, signal: AbortSignal): Promise<string> {
  const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, signal)
  if (!isMembers(document) || document['issuer'] !== issuer) throw new Error('the discovery document is of another issuer')
  const jwksUri = document['jwks_uri']
  if (typeof jwksUri !== 'string') throw new Error('the discovery document names no key set')
  return jwksUri
}

async function fetchJson(address: string, signal: AbortSignal): Promise<unknown> {
  const url = new URL(address)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(url.hostname))) throw new Error('the address is neither https nor on this machine')
  const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > longestAnswer) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  if (!response.ok) throw new Error(`the answer is ${response.status}`)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

/** A shared secret in a published set is a mistake of the provider, and no key. */
function isPublicKey(key: unknown): key is JSONWebKeySet['keys'][number] {
  return isMembers(key) && typeof key['kty'] === 'string' && key['kty'] !== 'oct'
}

function isMembers(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
