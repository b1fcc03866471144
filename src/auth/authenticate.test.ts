import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defaultConfig } from '../config/resolve-config.ts'
import type { ApiKeyConfig, AuthConfig } from '../config/schema.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createKeyRing } from './adapters/key-ring.ts'
import { authenticate, isForwarded, isPublicRead, type Authentication, type Credentials, type PresentedToken } from './authenticate.ts'
import { createAuthenticator } from './authenticator.ts'
import { requireRole, tenantFor, type Principal } from './principal.ts'

const noLimits = { rateLimit: null, concurrency: null }
const keys: readonly ApiKeyConfig[] = [
  { name: 'reader', role: 'viewer', secret: 'viewer-key', tenant: null, ...noLimits },
  { name: 'acme-dev', role: 'operator', sha256: createHash('sha256').update('operator-key').digest('hex').toUpperCase(), tenant: 'acme', ...noLimits },
  { name: 'ops', role: 'admin', secret: 'admin-key', tenant: null, ...noLimits },
]
const auth: AuthConfig = { keys, publicHealth: true, jwt: null, ...noLimits, lockout: { failures: 20, windowMs: 60_000, lockMs: 60_000 } }
const ring = createKeyRing(keys)

const local: Credentials = { remoteAddress: '127.0.0.1', host: 'localhost:8080', forwarded: false, publicRead: false }
const remote: Credentials = { remoteAddress: '203.0.113.7', host: 'router.example', forwarded: true, publicRead: false }

/** What matters of the outcome, in one word or three. */
function summary(outcome: Authentication | PresentedToken | Promise<Authentication>): string {
  if (outcome instanceof Promise || outcome.kind === 'token') return 'a token'
  return outcome.kind === 'principal' ? outcome.principal.name : `${outcome.code} ${outcome.reason}`
}

describe('without keys, callers on this machine may do everything', () => {
  test('the local principal is an admin of no tenant', () => {
    expect(authenticate(local, null, ring)).toEqual({ kind: 'principal', principal: { name: 'local', role: 'admin', tenant: null, local: true } })
  })

  test.each<{ why: string; with: Partial<Credentials>; outcome: string }>([
    { why: 'a presented key is not checked, since SDKs insist on one', with: { authorization: 'Bearer whatever', xApiKey: 'other' }, outcome: 'local' },
    { why: 'an AWS signature is not checked either', with: { authorization: 'AWS4-HMAC-SHA256 Credential=emulator/…' }, outcome: 'local' },
    { why: 'IPv6 loopback', with: { remoteAddress: '::1', host: '[::1]:8080' }, outcome: 'local' },
    { why: 'IPv4 loopback mapped into IPv6, as a dual-stack socket reports it', with: { remoteAddress: '::ffff:127.0.0.1' }, outcome: 'local' },
    { why: 'another caller', with: { remoteAddress: '192.168.1.5' }, outcome: 'unauthorized not_local' },
    { why: 'another caller mapped into IPv6', with: { remoteAddress: '::ffff:192.168.1.5' }, outcome: 'unauthorized not_local' },
    { why: 'a socket that is gone', with: { remoteAddress: undefined }, outcome: 'unauthorized not_local' },
    { why: 'a proxy on this machine speaks for someone else', with: { forwarded: true }, outcome: 'unauthorized forwarded' },
    { why: 'health is not public for what came through a proxy', with: { forwarded: true, publicRead: true }, outcome: 'unauthorized forwarded' },
    { why: 'a rebound DNS name shows in Host', with: { host: 'evil.example:8080' }, outcome: 'forbidden foreign_host' },
    { why: 'HTTP/1.0 without a Host', with: { host: undefined }, outcome: 'forbidden foreign_host' },
    { why: 'an empty Host', with: { host: '' }, outcome: 'forbidden foreign_host' },
    { why: 'a page of this service', with: { origin: 'http://localhost:8080' }, outcome: 'local' },
    { why: 'a page of this service, in capitals', with: { host: 'LOCALHOST:8080', origin: 'HTTP://LocalHost:8080' }, outcome: 'local' },
    { why: 'a page of another site', with: { origin: 'https://evil.example' }, outcome: 'forbidden foreign_origin' },
    { why: 'a page of another port of this machine', with: { origin: 'http://localhost:3000' }, outcome: 'forbidden foreign_origin' },
    { why: 'a page that calls this machine by another name', with: { origin: 'http://127.0.0.1:8080' }, outcome: 'forbidden foreign_origin' },
    { why: 'a page that hides its origin', with: { origin: 'null' }, outcome: 'forbidden foreign_origin' },
    { why: 'a site that writes us as its user', with: { origin: 'http://localhost:8080@evil.example' }, outcome: 'forbidden foreign_origin' },
    { why: 'a browser extension', with: { origin: 'chrome-extension://localhost:8080' }, outcome: 'forbidden foreign_origin' },
    { why: 'an origin with a path is none', with: { origin: 'http://localhost:8080/' }, outcome: 'forbidden foreign_origin' },
  ])('$why: $outcome', ({ with: changes, outcome }) => {
    expect(summary(authenticate({ ...local, ...changes }, null, ring))).toBe(outcome)
  })
})

describe('with keys', () => {
  test('a key stands for its name, role and tenant, wherever it comes from', () => {
    expect(authenticate({ ...remote, authorization: 'Bearer operator-key' }, auth, ring)).toEqual({
      kind: 'principal',
      principal: { name: 'acme-dev', role: 'operator', tenant: 'acme', local: false },
    })
  })

  test.each<{ why: string; with: Partial<Credentials>; outcome: string }>([
    { why: 'in x-api-key', with: { xApiKey: 'admin-key' }, outcome: 'ops' },
    { why: 'the scheme in any case', with: { authorization: 'bEARER admin-key' }, outcome: 'ops' },
    { why: 'the same key in both', with: { authorization: 'Bearer admin-key', xApiKey: 'admin-key' }, outcome: 'ops' },
    { why: 'different keys, both valid', with: { authorization: 'Bearer admin-key', xApiKey: 'viewer-key' }, outcome: 'unauthorized conflicting_keys' },
    { why: 'an SDK signs for AWS beside our key', with: { authorization: 'AWS4-HMAC-SHA256 Credential=x', xApiKey: 'admin-key' }, outcome: 'ops' },
    { why: 'an SDK signs for AWS and sends no key', with: { authorization: 'AWS4-HMAC-SHA256 Credential=x' }, outcome: 'unauthorized unknown_scheme' },
    { why: 'a key as a user’s password', with: { authorization: 'Basic YTphZG1pbi1rZXk=' }, outcome: 'unauthorized unknown_scheme' },
    { why: 'a key without its scheme', with: { authorization: 'admin-key' }, outcome: 'unauthorized unknown_scheme' },
    { why: 'no key', with: {}, outcome: 'unauthorized no_key' },
    { why: 'an empty key', with: { authorization: 'Bearer ', xApiKey: '' }, outcome: 'unauthorized no_key' },
    { why: 'a key that is not known', with: { authorization: 'Bearer nobody' }, outcome: 'unauthorized unknown_key' },
    { why: 'the beginning of a key', with: { authorization: 'Bearer admin-ke' }, outcome: 'unauthorized unknown_key' },
    { why: 'a key in another case', with: { authorization: 'Bearer Admin-Key' }, outcome: 'unauthorized unknown_key' },
    { why: 'the hash in place of the key', with: { xApiKey: keys[1]?.sha256 }, outcome: 'unauthorized unknown_key' },
    { why: 'two keys after one scheme', with: { authorization: 'Bearer admin-key viewer-key' }, outcome: 'unauthorized no_key' },
    { why: 'a header sent twice, as Node joins it', with: { xApiKey: 'admin-key, admin-key' }, outcome: 'unauthorized unknown_key' },
    { why: 'a megabyte', with: { xApiKey: 'x'.repeat(1_000_000) }, outcome: 'unauthorized unknown_key' },
    { why: 'local callers need one as well', with: { ...local }, outcome: 'unauthorized no_key' },
    { why: 'health is readable without a key', with: { publicRead: true }, outcome: 'anonymous' },
    { why: 'health with a key is read under its name', with: { publicRead: true, xApiKey: 'viewer-key' }, outcome: 'reader' },
    { why: 'health with a wrong key shows that it is wrong', with: { publicRead: true, xApiKey: 'nobody' }, outcome: 'unauthorized unknown_key' },
  ])('$why: $outcome', ({ with: changes, outcome }) => {
    expect(summary(authenticate({ ...remote, ...changes }, auth, ring))).toBe(outcome)
  })

  test('health needs a key when it is not public', () => {
    expect(summary(authenticate({ ...remote, publicRead: true }, { ...auth, publicHealth: false }, ring))).toBe('unauthorized no_key')
  })

  test('whoever reads health without a key is a viewer', () => {
    const outcome = authenticate({ ...remote, publicRead: true }, auth, ring)
    expect(outcome.kind === 'principal' && outcome.principal.role).toBe('viewer')
  })

  test('a 401 says how to authenticate, a 403 does not', () => {
    const challenge = (outcome: Authentication | PresentedToken): string | null => (outcome.kind === 'refused' ? outcome.challenge : '')
    expect(challenge(authenticate(remote, auth, ring))).toBe('Bearer realm="hybrid-routing"')
    expect(challenge(authenticate({ ...remote, xApiKey: 'nobody' }, auth, ring))).toBe('Bearer realm="hybrid-routing", error="invalid_token"')
    expect(challenge(authenticate({ ...remote, xApiKey: 'a', authorization: 'Bearer b' }, auth, ring))).toBe('Bearer realm="hybrid-routing", error="invalid_request"')
    expect(challenge(authenticate({ ...local, host: 'evil.example' }, null, ring))).toBeNull()
  })

  test('no refusal repeats what was presented', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), fc.string({ minLength: 12 }), (left, right) => {
        const outcome = authenticate({ ...remote, authorization: `Bearer ${left}`, xApiKey: right, host: left, origin: right }, auth, ring)
        const shown = JSON.stringify(outcome)
        return outcome.kind === 'refused' && !shown.includes(left) && !shown.includes(right)
      }),
    )
  })

  test('of all texts only the configured keys open anything', () => {
    const secrets = ['viewer-key', 'operator-key', 'admin-key']
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...secrets), fc.string()), (presented) => {
        expect(ring.find(presented) !== null).toBe(secrets.includes(presented))
      }),
    )
  })

  test('a key that a reload withdraws stops working, and a new one works', () => {
    let current: AuthConfig | null = auth
    const authenticator = createAuthenticator({ config: () => ({ ...defaultConfig(), auth: current }), clock: createVirtualClock() })
    const admin = { ...remote, xApiKey: 'admin-key' }
    expect(summary(authenticator.authenticate(admin))).toBe('ops')
    current = { ...auth, keys: [{ name: 'new', role: 'admin', secret: 'new-key', tenant: null, ...noLimits }] }
    expect(summary(authenticator.authenticate(admin))).toBe('unauthorized unknown_key')
    expect(summary(authenticator.authenticate({ ...remote, xApiKey: 'new-key' }))).toBe('new')
  })
})

describe('what the headers and the path say', () => {
  test.each([
    [['host', 'accept'], false],
    [['forwarded'], true],
    [['via'], true],
    [['x-forwarded-for'], true],
    [['x-forwarded-anything'], true],
    [['x-forwarded'], false],
  ])('%j passed a proxy: %s', (names, forwarded) => {
    expect(isForwarded(names)).toBe(forwarded)
  })

  test.each([
    ['GET', '/health', true],
    ['HEAD', '/health/live', true],
    ['GET', '/health/component/mcp-router', true],
    ['POST', '/health/alerts/alrt_1/acknowledge', false],
    ['GET', '/healthy', false],
    ['GET', '/metrics', false],
    ['GET', '//health', false],
  ])('%s %s is a public read: %s', (method, path, isPublic) => {
    expect(isPublicRead(method, path)).toBe(isPublic)
  })
})

describe('roles and tenants', () => {
  const principal = (role: Principal['role'], tenant: string | null = null): Principal => ({ name: 'x', role, tenant, local: false })

  test.each([
    ['viewer', 'viewer', true],
    ['viewer', 'operator', false],
    ['viewer', 'admin', false],
    ['operator', 'viewer', true],
    ['operator', 'operator', true],
    ['operator', 'admin', false],
    ['admin', 'viewer', true],
    ['admin', 'operator', true],
    ['admin', 'admin', true],
  ] as const)('%s may do what needs %s: %s', (held, needed, may) => {
    const refusal = requireRole(principal(held), needed)
    expect(refusal === null).toBe(may)
    if (refusal !== null) expect(refusal).toEqual({ kind: 'refused', code: 'forbidden', reason: 'role', detail: `This needs the role ${needed}; the key has the role ${held}.` })
  })

  test.each([
    { key: 'acme', body: undefined, outcome: 'acme', why: 'the key’s tenant' },
    { key: 'acme', body: 'acme', outcome: 'acme', why: 'the same' },
    { key: 'acme', body: 'other', outcome: 'forbidden', why: 'another one' },
    { key: 'acme', body: '', outcome: 'forbidden', why: 'an empty one is another one' },
    { key: null, body: 'other', outcome: 'other', why: 'the key is not bound' },
    { key: null, body: undefined, outcome: null, why: 'nobody names one' },
  ])('a key of $key and a body of $body: $outcome ($why)', ({ key, body, outcome }) => {
    const choice = tenantFor(principal('operator', key), body)
    expect(choice.kind === 'tenant' ? choice.tenant : choice.code).toBe(outcome)
  })
})
