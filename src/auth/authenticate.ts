/**
 * Who is calling: decided from the request's headers and address, the configuration, and a ring of keys that is asked.
 *
 * With keys: `Authorization: Bearer KEY` or `x-api-key: KEY`; two different keys are refused, because whichever was taken
 * the other would be a surprise. An Authorization of another scheme beside an `x-api-key` (an SDK that signs for AWS) is
 * not ours and is passed over. What is no known key and has the form of a token (JWT) is handed on to be verified, where
 * an identity provider is configured; keys come first, so that they never wait for it.
 *
 * Without keys, callers on this machine may do everything, and web pages must not get in through their browser: the caller's
 * address and the Host must be loopback (a rebound DNS name shows in Host), an Origin must be this service's own, and what
 * came through a proxy is not local whoever connects. A presented key is then not looked at, because SDKs insist on one.
 *
 * Source: public contract, part 2; challenges as in RFC 6750, section 3.
 */
import { isLoopbackAddress, isLoopbackAuthority } from '../config/loopback.ts'
import type { AuthConfig } from '../config/schema.ts'
import type { Principal, Refusal, RefusalReason } from './principal.ts'
import { looksLikeToken } from './token-claims.ts'

/** What authentication needs to know of a request. Header values as they came; absent and empty are the same. */
export interface Credentials {
  readonly authorization?: string | undefined
  readonly xApiKey?: string | undefined
  /** Of the socket; absent when it is already gone. */
  readonly remoteAddress?: string | undefined
  readonly xForwardedFor?: string | undefined
  /** Host, or `:authority` over HTTP/2. */
  readonly host?: string | undefined
  readonly origin?: string | undefined
  /** See `isForwarded`. */
  readonly forwarded: boolean
  /** See `isPublicRead`. */
  readonly publicRead: boolean
}

export interface KeyHolder {
  readonly name: string
  readonly role: Principal['role']
  readonly tenant: string | null
}

/** Finds the holder of a key without telling by its timing how much of it was right. */
export interface KeyRing {
  find(presented: string): KeyHolder | null
}

export type Authentication =
  | { readonly kind: 'principal'; readonly principal: Principal }
  | RefusedAuthentication

export type RefusedAuthentication = Refusal & {
  /** The value of WWW-Authenticate; null with a 403, which no key would change. */
  readonly challenge: string | null
  readonly retryAfterMs?: number
  /** Whose failure it is: the socket's address, or the client's behind a trusted proxy. */
  readonly address?: string
  /** With this failure the address is locked out. */
  readonly lockout?: { readonly failures: number; readonly lockMs: number }
}

/** What may be a token: it is to be verified, which takes a promise. */
export interface PresentedToken {
  readonly kind: 'token'
  readonly token: string
}

/** Longer than any key can be configured (`auth.keys[].secret`): not worth hashing. */
const longestKey = 1_024

export const localPrincipal: Principal = Object.freeze({ name: 'local', role: 'admin', tenant: null, local: true })
/** Who reads the public health pages without a key. */
export const anonymousPrincipal: Principal = Object.freeze({ name: 'anonymous', role: 'viewer', tenant: null, local: false })

export function authenticate(credentials: Credentials, auth: AuthConfig | null, ring: KeyRing): Authentication | PresentedToken {
  return auth === null ? authenticateLocal(credentials) : authenticateKey(credentials, auth, ring)
}

function authenticateLocal(credentials: Credentials): Authentication {
  const { remoteAddress, host, origin } = credentials
  if (remoteAddress === undefined || !isLoopbackAddress(remoteAddress)) {
    return refused('unauthorized', 'not_local', 'Without configured keys only callers on this machine are served.')
  }
  if (credentials.forwarded) {
    return refused('unauthorized', 'forwarded', 'The request came through a proxy, so it is not local: configure auth.keys and send a key.')
  }
  if (host === undefined || !isLoopbackAuthority(host)) {
    return refused('forbidden', 'foreign_host', 'Without configured keys the Host must be a loopback name or address.')
  }
  if (origin !== undefined && origin !== '' && !isSameOrigin(origin, host)) {
    return refused('forbidden', 'foreign_origin', 'Without configured keys a web page of another origin is not served.')
  }
  return { kind: 'principal', principal: localPrincipal }
}

function authenticateKey(credentials: Credentials, auth: AuthConfig, ring: KeyRing): Authentication | PresentedToken {
  const authorization = credentials.authorization?.trim() ?? ''
  const bearer = /^bearer +(\S+)$/i.exec(authorization)?.[1] ?? ''
  const xApiKey = credentials.xApiKey?.trim() ?? ''
  if (bearer !== '' && xApiKey !== '' && bearer !== xApiKey) {
    return refused('unauthorized', 'conflicting_keys', 'Authorization and x-api-key hold different keys: send one.', 'invalid_request')
  }
  const presented = bearer === '' ? xApiKey : bearer
  if (presented === '') {
    if (credentials.publicRead && auth.publicHealth) return { kind: 'principal', principal: anonymousPrincipal }
    const scheme = /^[A-Za-z0-9-]+/.exec(authorization)?.[0]?.toLowerCase()
    return scheme === undefined || scheme === 'bearer'
      ? refused('unauthorized', 'no_key', 'Send a key as Authorization: Bearer KEY or x-api-key: KEY.')
      : refused('unauthorized', 'unknown_scheme', 'The Authorization is of another scheme: send a key as Authorization: Bearer KEY or x-api-key: KEY.')
  }
  const holder = presented.length > longestKey ? null : ring.find(presented)
  if (holder === null) {
    if (auth.jwt !== null && looksLikeToken(presented)) return { kind: 'token', token: presented }
    return refused('unauthorized', 'unknown_key', 'The key is not known.', 'invalid_token')
  }
  return { kind: 'principal', principal: { name: holder.name, role: holder.role, tenant: holder.tenant, local: false } }
}

/** Whether anything is presented that could be a guess. */
export function presentsSecret(credentials: Credentials): boolean {
  return (credentials.authorization ?? '') !== '' || (credentials.xApiKey ?? '') !== ''
}

/** Whether a proxy says that it passed the request on. Header names in lower case, as Node gives them. */
export function isForwarded(headerNames: Iterable<string>): boolean {
  for (const name of headerNames) {
    if (name === 'via' || name === 'forwarded' || name.startsWith('x-forwarded-')) return true
  }
  return false
}

/** Whether the request only reads `/health` or what is below it. The path without its query, before percent-decoding. */
export function isPublicRead(method: string, path: string): boolean {
  return (method === 'GET' || method === 'HEAD') && (path === '/health' || path.startsWith('/health/'))
}

/** An origin is a scheme and an authority and nothing else (RFC 6454); `null` is the origin of a page that hides it. */
function isSameOrigin(origin: string, host: string): boolean {
  const authority = /^https?:\/\/([^/\s]+)$/i.exec(origin)?.[1]
  return authority !== undefined && isLoopbackAuthority(authority) && authority.toLowerCase() === host.toLowerCase()
}

/** With the challenge of RFC 6750, section 3. */
export function refused(code: Refusal['code'], reason: RefusalReason, detail: string, bearerError?: string): RefusedAuthentication {
  const realm = 'Bearer realm="hybrid-routing"'
  const challenge = code !== 'unauthorized' ? null : bearerError === undefined ? realm : `${realm}, error="${bearerError}"`
  return { kind: 'refused', code, reason, detail, challenge }
}
