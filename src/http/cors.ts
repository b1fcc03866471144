/**
 * Cross-origin requests of web pages (the Fetch standard's CORS protocol): closed, but for the origins that are configured.
 * A page that is not allowed gets no header that would let it read an answer, and its preflight is an unknown method like
 * any other. Credentials are keys in headers, never cookies, so `Access-Control-Allow-Credentials` is never sent.
 */
import type { IncomingHttpHeaders } from 'node:http'

/** Seconds for which a browser remembers a preflight: as long as browsers do at most (Chromium two hours). */
const preflightSeconds = 7_200

/** What a page may read beside the body. */
const exposed = 'X-Correlation-Id, Location, Retry-After, RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, WWW-Authenticate'
/** What a page may send. */
const accepted = 'Authorization, X-Api-Key, Content-Type, Accept, Idempotency-Key, X-Correlation-Id, X-Operation-Type, X-Stream-Restart, Last-Event-ID, Traceparent, Mcp-Session-Id, Mcp-Protocol-Version, Anthropic-Version, Anthropic-Beta'

/** Empty where no origin is configured. */
export function corsHeaders(origin: string | undefined, origins: readonly string[]): Readonly<Record<string, string>> {
  if (origins.length === 0) return {}
  if (origin === undefined || !isAllowed(origin, origins)) return { vary: 'Origin' }
  return { vary: 'Origin', 'access-control-allow-origin': origin, 'access-control-expose-headers': exposed }
}

/** The answer to a preflight; null where the request is none that is allowed. */
export function preflightHeaders(method: string, headers: IncomingHttpHeaders, origins: readonly string[], methods: readonly string[]): Readonly<Record<string, string>> | null {
  if (method !== 'OPTIONS' || headers.origin === undefined || headers['access-control-request-method'] === undefined) return null
  if (methods.length === 0 || !isAllowed(headers.origin, origins)) return null
  return { 'access-control-allow-methods': methods.join(', '), 'access-control-allow-headers': accepted, 'access-control-max-age': String(preflightSeconds) }
}

function isAllowed(origin: string, origins: readonly string[]): boolean {
  const lower = origin.toLowerCase()
  return origins.some((allowed) => allowed.toLowerCase() === lower)
}
