/**
 * The shell: authentication against the keys and the identity provider of the current configuration, with the lock-out of
 * addresses that guess, and the limits of each caller.
 *
 * A request with a key is answered at once, without a promise; only what looks like a token, and a caller with a rate
 * limit, takes one. Ring and verifier are made again when a reload brings another `auth`, so that a withdrawn key stops
 * working with the next request; the issuer's keys, the lock-out and the counts of a window outlive a reload.
 */
import { parseIpRange, networkOf, type IpRange } from '../config/ip-range.ts'
import type { AuthConfig, Config, JwtConfig } from '../config/schema.ts'
import type { Clock } from '../runtime/clock.ts'
import { createCallerLimits, type LimitVerdict } from './adapters/caller-limits.ts'
import { createKeyRing } from './adapters/key-ring.ts'
import type { TokenVerifier } from './adapters/token-verifier.ts'
import { authenticate, presentsSecret, refused, type Authentication, type Credentials, type KeyRing } from './authenticate.ts'
import { clientAddress } from './client-address.ts'
import { Lockout } from './lockout.ts'
import type { Principal, RefusalReason } from './principal.ts'
import { readClaims } from './token-claims.ts'

export interface Authenticator {
  /** Never rejects. */
  authenticate(credentials: Credentials): Authentication | Promise<Authentication>
  /** Counts a request of this caller, once it is known that the request is allowed. */
  enter(principal: Principal): LimitVerdict | Promise<LimitVerdict>
}

export interface AuthenticatorParts {
  /** In force now: `auth` is the same object until a reload changes it. */
  readonly config: () => Pick<Config, 'auth' | 'server'>
  readonly clock: Clock
}

/** Failures that may be guesses. No key at all, a key of another scheme or a token that only expired are none. */
const guesses: ReadonlySet<RefusalReason> = new Set<RefusalReason>(['unknown_key', 'invalid_token'])

const unlimited: LimitVerdict = { kind: 'within', release: null, headers: null }

export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  const { clock } = parts
  const lockout = new Lockout()
  const limits = createCallerLimits()
  let auth: AuthConfig | null = null
  let ring: KeyRing = createKeyRing([])
  let verifier: { readonly of: string; readonly tokens: Promise<TokenVerifier> } | null = null
  let proxyTexts: readonly string[] = []
  let proxies: readonly IpRange[] = []

  const follow = (current: AuthConfig | null): void => {
    auth = current
    ring = createKeyRing(current?.keys ?? [])
    verifier = current === null || current.jwt === null ? null : verifierFor(current.jwt)
  }

  const verifierFor = (jwt: JwtConfig): NonNullable<typeof verifier> => {
    const of = JSON.stringify(jwt)
    if (verifier?.of === of) return verifier
    // Loaded where tokens are used only: the library is a good part of an idle process.
    return { of, tokens: import('./adapters/token-verifier.ts').then(({ createTokenVerifier }) => createTokenVerifier(jwt, clock)) }
  }

  const addressOf = (credentials: Credentials, trusted: readonly string[]): string => {
    if (trusted !== proxyTexts) {
      proxyTexts = trusted
      proxies = trusted.flatMap((text) => parseIpRange(text) ?? [])
    }
    return clientAddress(credentials.remoteAddress ?? '', credentials.xForwardedFor, proxies)
  }

  /** Counts what may have been a guess, and adds what the security log needs. */
  const settle = (outcome: Authentication, credentials: Credentials, trusted: readonly string[]): Authentication => {
    if (outcome.kind === 'principal') return outcome
    const address = addressOf(credentials, trusted)
    const rules = auth?.lockout
    const begins = rules !== undefined && guesses.has(outcome.reason) && lockout.onFailure(networkOf(address), clock.monotonicMs(), rules)
    return { ...outcome, address, ...(begins ? { lockout: { failures: rules.failures, lockMs: rules.lockMs } } : {}) }
  }

  const lockedOut = (credentials: Credentials, trusted: readonly string[]): Authentication | null => {
    if (lockout.isQuiet || auth === null || auth.lockout.failures === 0 || !presentsSecret(credentials)) return null
    const leftMs = lockout.lockedForMs(networkOf(addressOf(credentials, trusted)), clock.monotonicMs())
    if (leftMs === 0) return null
    return { ...refused('rate_limited', 'locked_out', 'Too many wrong keys came from this address: it is locked out for a while.'), retryAfterMs: leftMs }
  }

  const verify = async (token: string, jwt: JwtConfig, tokens: Promise<TokenVerifier>): Promise<Authentication> => {
    const verification = await (await tokens).verify(token)
    switch (verification.kind) {
      case 'claims': {
        const reading = readClaims(verification.claims, jwt)
        return reading.kind === 'principal' ? reading : refused(reading.code, reading.reason, reading.detail, 'invalid_token')
      }
      case 'invalid':
        return refused('unauthorized', verification.reason, verification.detail, 'invalid_token')
      case 'unavailable':
        return { ...refused('no_route_available', 'issuer_unavailable', 'The token cannot be checked now: the keys of its issuer are not available.'), retryAfterMs: verification.retryAfterMs }
      default:
        return verification satisfies never
    }
  }

  return {
    authenticate(credentials) {
      const { auth: current, server } = parts.config()
      if (current !== auth) follow(current)
      const outcome = authenticate(credentials, auth, ring)
      // A configured key is no guess. Were it refused because others at its address guess, one misconfigured client behind a
      // load balancer could lock every emergency out.
      if (outcome.kind === 'principal') return outcome
      const refusal = lockedOut(credentials, server.trustedProxies)
      if (refusal !== null) return refusal
      if (outcome.kind !== 'token') return settle(outcome, credentials, server.trustedProxies)
      if (auth === null || auth.jwt === null || verifier === null) throw new Error('a token is only looked for where an issuer is configured')
      return verify(outcome.token, auth.jwt, verifier.tokens).then((verified) => settle(verified, credentials, server.trustedProxies))
    },
    enter(principal) {
      const current = parts.config().auth
      return current === null || principal.local ? unlimited : limits.enter(principal, current)
    },
  }
}
