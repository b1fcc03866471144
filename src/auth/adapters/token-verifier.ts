/**
 * Whether a token is genuine, in time, and meant for this service. The work is `jose`'s; here is what it is asked for (RFC
 * 8725, JWT Best Current Practices): the algorithm must be in the configured list, which can hold no shared-secret one and
 * no `none`; issuer and audience must be the configured ones; `exp` must be there; the key is one of the issuer's own set,
 * whatever the token's header offers beside its `kid`.
 *
 * The signature is checked before the claims, so that only an issuer's token learns what else is wrong with it.
 */
import { errors, jwtVerify } from 'jose'
import type { JwtConfig } from '../../config/schema.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Claims } from '../token-claims.ts'
import { createSigningKeys, type HeldKeys, type SigningKeys } from './signing-keys.ts'

export type Verification =
  | { readonly kind: 'claims'; readonly claims: Claims }
  /** `token_claims`: genuine, but not for here and now; `invalid_token`: not known to be genuine. */
  | { readonly kind: 'invalid'; readonly reason: 'invalid_token' | 'token_claims'; readonly detail: string }
  /** The issuer's keys could not be had. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number }

export interface TokenVerifier {
  verify(token: string): Promise<Verification>
}

class KeysUnavailable extends Error {
  readonly retryAfterMs: number

  constructor(retryAfterMs: number) {
    super('the keys of the issuer are not available')
    this.retryAfterMs = retryAfterMs
  }
}

export function createTokenVerifier(jwt: JwtConfig, clock: Clock): TokenVerifier {
  const keys = createSigningKeys({ issuer: jwt.issuer, jwksUri: jwt.jwksUri, clock })
  const options = {
    issuer: jwt.issuer,
    audience: jwt.audience,
    algorithms: [...jwt.algorithms],
    clockTolerance: jwt.clockToleranceMs / 1_000,
    requiredClaims: ['exp'],
  }
  return {
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, (header, input) => findKey(keys, header, input), { ...options, currentDate: new Date(clock.nowMs()) })
        return { kind: 'claims', claims: payload }
      } catch (error) {
        return error instanceof KeysUnavailable ? { kind: 'unavailable', retryAfterMs: error.retryAfterMs } : invalidity(error)
      }
    },
  }
}

type FindKey = Extract<HeldKeys, { kind: 'keys' }>['lookup']

async function findKey(keys: SigningKeys, header: Parameters<FindKey>[0], input: Parameters<FindKey>[1]): ReturnType<FindKey> {
  try {
    return await lookupOf(await keys.get('any'))(header, input)
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    return lookupOf(await keys.get('unknown'))(header, input)
  }
}

function lookupOf(held: HeldKeys): FindKey {
  switch (held.kind) {
    case 'keys':
      return held.lookup
    case 'absent':
      throw new errors.JWKSNoMatchingKey()
    case 'unavailable':
      throw new KeysUnavailable(held.retryAfterMs)
    default:
      return held satisfies never
  }
}

function invalidity(error: unknown): Verification {
  if (error instanceof errors.JWTExpired) return { kind: 'invalid', reason: 'token_claims', detail: 'The token has expired.' }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return { kind: 'invalid', reason: 'token_claims', detail: claimFaults[error.claim] ?? 'A claim of the token is not valid here.' }
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return { kind: 'invalid', reason: 'invalid_token', detail: 'The token’s algorithm is not allowed.' }
  // Malformed, another key, a key that cannot be used, or a fault of ours: nothing that is not proved is let in.
  return { kind: 'invalid', reason: 'invalid_token', detail: 'The token is not signed by a key of its issuer.' }
}

const claimFaults: Readonly<Record<string, string>> = {
  aud: 'The token is for another audience.',
  iss: 'The token is of another issuer.',
  exp: 'The token does not say when it expires.',
  nbf: 'The token is not valid yet.',
}
