/**
 * Who a request speaks for, and what that allows: roles (each includes the ones below it) and tenants.
 *
 * The rules are the public contract's, part 2: `viewer` reads, `operator` also submits, cancels and acknowledges, `admin`
 * also pulls levers; the key's tenant wins, and another one in the body is refused. How a principal was found is
 * `authenticate.ts`' affair.
 */
import { roles, type Role } from '../config/schema-auth.ts'

export interface Principal {
  /** The key's name, for audit and logs. */
  readonly name: string
  readonly role: Role
  /** Null: not bound to a tenant. */
  readonly tenant: string | null
  /** A caller on this machine that needed no key. */
  readonly local: boolean
}

export interface Refusal {
  readonly kind: 'refused'
  /** `rate_limited`: locked out for a while; `no_route_available`: the issuer of the token cannot be asked. */
  readonly code: 'unauthorized' | 'forbidden' | 'rate_limited' | 'no_route_available'
  /** Why, in a closed list, for the security log. */
  readonly reason: RefusalReason
  /** Safe to show. */
  readonly detail: string
}

export const refusalReasons = [
  'no_key',
  'unknown_key',
  'conflicting_keys',
  'unknown_scheme',
  'not_local',
  'forwarded',
  'foreign_host',
  'foreign_origin',
  'invalid_token',
  'token_claims',
  'issuer_unavailable',
  'locked_out',
  'role',
  'tenant',
] as const
export type RefusalReason = (typeof refusalReasons)[number]

export function hasRole(principal: Principal, needed: Role): boolean {
  return roles.indexOf(principal.role) >= roles.indexOf(needed)
}

/** Null when the principal may. */
export function requireRole(principal: Principal, needed: Role): Refusal | null {
  if (hasRole(principal, needed)) return null
  return { kind: 'refused', code: 'forbidden', reason: 'role', detail: `This needs the role ${needed}; the key has the role ${principal.role}.` }
}

export type TenantChoice = { readonly kind: 'tenant'; readonly tenant: string | null } | Refusal

/** The tenant of a new operation: the key's, or where the key has none what the body says. */
export function tenantFor(principal: Principal, named: string | undefined): TenantChoice {
  if (principal.tenant === null) return { kind: 'tenant', tenant: named ?? null }
  if (named === undefined || named === principal.tenant) return { kind: 'tenant', tenant: principal.tenant }
  return { kind: 'refused', code: 'forbidden', reason: 'tenant', detail: 'The key belongs to another tenant than context.tenant names.' }
}
