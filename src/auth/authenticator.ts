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
import { createSharedRates } from './adapters/shared-rates.ts'
import type { TokenVerifier } from './adapters/token-verifier.ts'
import { authenticate, presentsSecret, refused, type Authentication, type Credentials, type KeyRing } from './authenticate.ts'
import { clientAddress } from './client-address.ts'
import { Lockout, type LockoutRules } from './lockout.ts'
import type { Principal, RefusalReason } from './principal.ts'
import type { SharedCounts } from './shared-counts.ts'
import { readClaims } from './token-claims.ts'

export interface Authenticator {
  /** Never rejects. */
  authenticate(credentials: Credentials): Authentication | Promise<Authentication>
  /** Counts a request of this caller, once it is known that the request is allowed. */
  enter(principal: Principal): LimitVerdict | Promise<LimitVerdict>
  close(): void
}

export interface AuthenticatorParts {
  /** In force now: `auth` is the same object until a reload changes it. */
  readonly config: () => Pick<Config, 'auth' | 'server'>
  readonly clock: Clock
  /** Where instances share a store: what they count together. */
  readonly shared?: SharedCounts | undefined
  /** An address was locked out by what several instances saw together. */
  onLockedOut?(lockout: { readonly address: string; readonly failures: number; readonly lockMs: number }): void
}

/** Failures that may be guesses. No key at all, a key of another scheme or a token that only expired are none. */
const guesses: ReadonlySet<RefusalReason> = new Set<RefusalReason>(['unknown_key', 'invalid_token'])

/** Wrong keys that are on their way to the store at once: who guesses cannot flood it. */
const mostGuessesUnderWay = 64

const unlimited: LimitVerdict = { kind: 'within', release: null, headers: null }

export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  const { clock } = parts
  const lockout = new Lockout()
  const rates = parts.shared === undefined ? null : createSharedRates(parts.shared, clock)
  const limits = createCallerLimits(rates)
  let guessesUnderWay = 0
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
    const isGuess = rules !== undefined && guesses.has(outcome.reason)
    const begins = isGuess && lockout.onFailure(networkOf(address), clock.monotonicMs(), rules)
    if (isGuess) void shareGuess(address, rules)
    return { ...outcome, address, ...(begins ? { lockout: { failures: rules.failures, lockMs: rules.lockMs } } : {}) }
  }

  /** Adds it to what the others saw. While the store is away, or under a flood, each instance counts for itself. */
  const shareGuess = async (address: string, { failures, windowMs, lockMs }: LockoutRules): Promise<void> => {
    if (parts.shared === undefined || failures === 0 || guessesUnderWay >= mostGuessesUnderWay) return
    guessesUnderWay += 1
    try {
      const network = networkOf(address)
      const { count, endsInMs } = await parts.shared.add({ key: `guess:${network}`, points: 1, windowMs, hold: { at: failures, forMs: lockMs } })
      if (count < failures || lockout.lockedForMs(network, clock.monotonicMs()) > 0) return
      lockout.lock(network, clock.monotonicMs() + endsInMs)
      if (count === failures) parts.onLockedOut?.({ address, failures, lockMs })
    } catch {
      // Counted here; the store tells of itself by its own health.
    } finally {
      guessesUnderWay -= 1
    }
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
    close: () => rates?.close(),
  }
}
