/**
 * Whom a verified token speaks for: name, role and tenant from the claims that the configuration names. Whether the token
 * is genuine, in time and meant for this service was decided before (`adapters/token-verifier.ts`).
 *
 * What cannot be placed is refused, never guessed: a token without a known role, without a name, or without the tenant that
 * the configuration asks for. The name is shown as `jwt:NAME`, which no key can be called, so that a person cannot pass for
 * a key in the audit or share its limits.
 */
import { roles, type Role } from '../config/schema-auth.ts'
import type { JwtConfig } from '../config/schema.ts'
import type { Principal, Refusal } from './principal.ts'

export type Claims = Readonly<Record<string, unknown>>

export type ClaimsReading = { readonly kind: 'principal'; readonly principal: Principal } | Refusal

/** Characters. A token that is longer does not fit into the headers with anything beside it. */
const longestToken = 12_288
/** Characters of a name: an e-mail address or a subject fits. */
const namePattern = /^[^\p{C}\p{Z}][^\p{C}]{0,199}$/u
/** As a key's tenant in the configuration. */
const tenantPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Three parts of base64url, the first a JSON object (`{"` is `eyJ`); the signature may be empty, and is refused later. */
export function looksLikeToken(presented: string): boolean {
  return presented.startsWith('eyJ') && presented.length <= longestToken && /^[\w-]+\.[\w-]+\.[\w-]*$/.test(presented)
}

export function readClaims(claims: Claims, jwt: JwtConfig): ClaimsReading {
  const name = claimAt(claims, jwt.claims.name)
  if (typeof name !== 'string' || !namePattern.test(name)) return refused('unauthorized', `The token’s claim ${jwt.claims.name} is no name.`)
  const role = roleOf(wordsOf(claimAt(claims, jwt.claims.role)), jwt)
  if (role === undefined) return refused('forbidden', `The token’s claim ${jwt.claims.role} gives no role here.`)
  const tenant = jwt.claims.tenant === null ? null : tenantOf(claimAt(claims, jwt.claims.tenant))
  if (tenant === undefined || (tenant === null && jwt.claims.tenant !== null && role !== 'admin')) {
    return refused('forbidden', `The token’s claim ${jwt.claims.tenant ?? ''} names no tenant.`)
  }
  return { kind: 'principal', principal: { name: `jwt:${name}`, role, tenant, local: false } }
}

/** A member of that very name (`https://example/roles` has dots of its own), else a path through members. */
function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Claims)[step]
  }
  return value
}

function wordsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(' ')
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}

/** The most powerful one that is given. */
function roleOf(words: readonly string[], jwt: JwtConfig): Role | undefined {
  return roles.findLast((role) => jwt.roles[role].some((value) => words.includes(value)))
}

/** Null where it is absent, undefined where it cannot be used. */
function tenantOf(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return null
  return typeof value === 'string' && tenantPattern.test(value) ? value : undefined
}

function refused(code: 'unauthorized' | 'forbidden', detail: string): Refusal {
  return { kind: 'refused', code, reason: 'token_claims', detail }
}
