/** Tokens against an identity provider over real HTTP; time is virtual. */
import { createHmac, createPublicKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { validConfig } from '../config/resolve-config.ts'
import type { Config } from '../config/schema.ts'
import { createVirtualClock, type VirtualClock } from '../runtime/virtual-clock.ts'
import type { Authentication, Credentials } from './authenticate.ts'
import { createAuthenticator, type Authenticator } from './authenticator.ts'
import { startCertifiedProvider } from './testing/certified-provider.ts'
import { handMade, newKey, startIssuer, tokenOf, type Mood, type SigningKey, type TestIssuer } from './testing/issuer.ts'

let clock: VirtualClock
let key: SigningKey
let issuer: TestIssuer
let authenticator: Authenticator

const remote: Credentials = { remoteAddress: '203.0.113.7', host: 'router.example', forwarded: false, publicRead: false }

function configOf(jwt: object, more: object = {}): Config {
  return validConfig({
    direct: { targets: [{ id: 'a', region: 'eu-central-1', modelId: 'm.m' }] },
    auth: { keys: [{ name: 'ops', role: 'admin', secret: 'a-key-that-is-long' }], jwt: { issuer: issuer.url, audience: 'hybrid-routing', claims: { tenant: 'tenant' }, ...jwt }, lockout: { failures: 1_000 }, ...more },
  })
}

const make = (jwt: object = {}, more: object = {}): Authenticator => {
  const config = configOf(jwt, more)
  return createAuthenticator({ config: () => config, clock })
}

const show = (token: string): Authentication | Promise<Authentication> => authenticator.authenticate({ ...remote, authorization: `Bearer ${token}` })
const summary = (outcome: Authentication): string => (outcome.kind === 'principal' ? `${outcome.principal.name} ${outcome.principal.role} ${outcome.principal.tenant}` : `${outcome.code} ${outcome.reason}`)
const verdict = async (token: string): Promise<string> => summary(await show(token))

beforeEach(async () => {
  clock = createVirtualClock()
  key = await newKey('k1')
  issuer = await startIssuer([key])
  authenticator = make()
})
afterEach(() => issuer.close())

describe('a token', () => {
  test('of the issuer, for this service and in time, stands for its claims', async () => {
    expect(await show(await tokenOf(key, issuer.url, clock))).toEqual({ kind: 'principal', principal: { name: 'jwt:alice', role: 'operator', tenant: 'acme', local: false } })
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/jwks'])
  })

  const now = (): number => Math.floor(clock.nowMs() / 1_000)
  test.each<{ why: string; token: () => Promise<string>; outcome: string; detail?: string }>([
    { why: 'for another audience', token: () => tokenOf(key, issuer.url, clock, { aud: 'other' }), outcome: 'unauthorized token_claims', detail: 'The token is for another audience.' },
    { why: 'for several, this one among them', token: () => tokenOf(key, issuer.url, clock, { aud: ['other', 'hybrid-routing'] }), outcome: 'jwt:alice operator acme' },
    { why: 'of another issuer, signed with the same key', token: () => tokenOf(key, 'https://other.example', clock), outcome: 'unauthorized token_claims', detail: 'The token is of another issuer.' },
    { why: 'expired beyond the tolerance', token: () => tokenOf(key, issuer.url, clock, { exp: now() - 31 }), outcome: 'unauthorized token_claims', detail: 'The token has expired.' },
    { why: 'expired within the tolerance', token: () => tokenOf(key, issuer.url, clock, { exp: now() - 29 }), outcome: 'jwt:alice operator acme' },
    { why: 'not valid yet', token: () => tokenOf(key, issuer.url, clock, { nbf: now() + 31 }), outcome: 'unauthorized token_claims', detail: 'The token is not valid yet.' },
    { why: 'not valid yet, within the tolerance', token: () => tokenOf(key, issuer.url, clock, { nbf: now() + 29 }), outcome: 'jwt:alice operator acme' },
    { why: 'without an end', token: () => new SignJWT({ iss: issuer.url, aud: 'hybrid-routing', sub: 'a', roles: 'admin' }).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(key.privateKey), outcome: 'unauthorized token_claims', detail: 'The token does not say when it expires.' },
    { why: 'with algorithm none', token: async () => handMade({ alg: 'none' }, { iss: issuer.url, aud: 'hybrid-routing', sub: 'a', exp: now() + 60, roles: ['admin'] }), outcome: 'unauthorized invalid_token', detail: 'The token’s algorithm is not allowed.' },
    { why: 'signed by somebody else under the same kid', token: async () => tokenOf(await newKey('k1'), issuer.url, clock), outcome: 'unauthorized invalid_token' },
    { why: 'that brings its own key', token: async () => { const own = await newKey('k1'); return tokenOf(own, issuer.url, clock, {}, { jwk: own.publicJwk }) }, outcome: 'unauthorized invalid_token' },
    { why: 'that asks for an extension which nobody knows', token: async () => { const text = await tokenOf(key, issuer.url, clock); const [, payload, signature] = text.split('.'); return `${Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 })).toString('base64url')}.${payload}.${signature}` }, outcome: 'unauthorized invalid_token' },
    { why: 'with an altered payload', token: async () => { const [header, , signature] = (await tokenOf(key, issuer.url, clock)).split('.'); return handMade({}, { iss: issuer.url, aud: 'hybrid-routing', sub: 'a', exp: now() + 60, roles: ['admin'] }).replace(/^[^.]*/, header ?? '').replace(/[^.]*$/, signature ?? '') }, outcome: 'unauthorized invalid_token' },
    { why: 'of an algorithm that is not configured', token: async () => { const other = await newKey('k2', 'ES384'); issuer.published.push(other.publicJwk); return tokenOf(other, issuer.url, clock) }, outcome: 'unauthorized invalid_token', detail: 'The token’s algorithm is not allowed.' },
    { why: 'without a role', token: () => tokenOf(key, issuer.url, clock, { roles: ['guest'] }), outcome: 'forbidden token_claims' },
    { why: 'without the tenant', token: () => tokenOf(key, issuer.url, clock, { tenant: undefined }), outcome: 'forbidden token_claims' },
    { why: 'of an admin without a tenant', token: () => tokenOf(key, issuer.url, clock, { roles: ['admin'], tenant: undefined }), outcome: 'jwt:alice admin null' },
    { why: 'with a tenant that is none', token: () => tokenOf(key, issuer.url, clock, { roles: ['admin'], tenant: 'a b' }), outcome: 'forbidden token_claims' },
    { why: 'with a name that forges a line of the log', token: () => tokenOf(key, issuer.url, clock, { sub: 'alice\nadmin' }), outcome: 'unauthorized token_claims' },
  ])('$why: $outcome', async ({ token, outcome, detail }) => {
    const seen = await show(await token())
    expect(summary(seen)).toBe(outcome)
    if (detail !== undefined) expect(seen.kind === 'refused' && seen.detail).toBe(detail)
  })

  test('signed with the issuer’s public key as a shared secret is refused, for every form of that key', async () => {
    const rsa = await newKey('rsa', 'RS256')
    issuer.published = [rsa.publicJwk]
    authenticator = make({ algorithms: ['RS256'] })
    expect(await verdict(await tokenOf(rsa, issuer.url, clock))).toBe('jwt:alice operator acme')
    const pem = createPublicKey({ key: rsa.publicJwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    for (const secret of [pem, JSON.stringify(rsa.publicJwk), rsa.publicJwk.n ?? '']) {
      const unsigned = handMade({ alg: 'HS256', kid: 'rsa' }, { iss: issuer.url, aud: 'hybrid-routing', sub: 'a', exp: now() + 60, roles: ['admin'] }).replace(/\.$/, '')
      expect(await verdict(`${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`)).toBe('unauthorized invalid_token')
    }
  })

  test('that names a shared secret which the issuer published by mistake is refused', async () => {
    issuer.published.push({ kty: 'oct', k: 'c2VjcmV0', kid: 'oct', alg: 'HS256' })
    const unsigned = handMade({ alg: 'HS256', kid: 'oct' }, { iss: issuer.url, aud: 'hybrid-routing', sub: 'a', exp: now() + 60, roles: ['admin'] }).replace(/\.$/, '')
    expect(await verdict(`${unsigned}.${createHmac('sha256', 'secret').update(unsigned).digest('base64url')}`)).toBe('unauthorized invalid_token')
  })

  test.each<{ why: string; claims: object; roles: object; payload: object; outcome: string }>([
    { why: 'a path through members', claims: { role: 'realm_access.roles' }, roles: {}, payload: { realm_access: { roles: ['viewer', 'operator'] } }, outcome: 'jwt:alice operator null' },
    { why: 'a name with dots of its own', claims: { role: 'https://id.example/roles' }, roles: {}, payload: { 'https://id.example/roles': 'viewer' }, outcome: 'jwt:alice viewer null' },
    { why: 'words as scope has them', claims: { role: 'scope' }, roles: { operator: ['hybrid:write'] }, payload: { scope: 'openid hybrid:write' }, outcome: 'jwt:alice operator null' },
    { why: 'groups with names of their own', claims: { role: 'groups' }, roles: { admin: ['sre', 'oncall'] }, payload: { groups: ['dev', 'oncall'] }, outcome: 'jwt:alice admin null' },
    { why: 'the built-in name once another is configured', claims: { role: 'groups' }, roles: { admin: ['sre'] }, payload: { groups: ['admin'] }, outcome: 'forbidden token_claims' },
    { why: 'a claim that every object has', claims: { role: 'constructor.name' }, roles: { admin: ['Object'] }, payload: {}, outcome: 'forbidden token_claims' },
    { why: 'another name claim', claims: { name: 'email' }, roles: {}, payload: { email: 'a@b.example', roles: 'viewer' }, outcome: 'jwt:a@b.example viewer null' },
  ])('role and name are read from configurable claims: $why', async ({ claims, roles, payload, outcome }) => {
    authenticator = make({ claims: { tenant: null, ...claims }, roles })
    expect(await verdict(await tokenOf(key, issuer.url, clock, { roles: undefined, tenant: undefined, ...payload }))).toBe(outcome)
  })
})

test('a certified provider’s tokens are accepted, also after it rotated its keys', async () => {
  const provider = await startCertifiedProvider()
  try {
    // Its tokens are dated by the real clock.
    clock = createVirtualClock(Date.now())
    authenticator = make({ issuer: provider.url, audience: 'urn:hybrid-routing' })
    const claims = { roles: ['operator'], tenant: 'acme' }
    const before = await provider.issue('urn:hybrid-routing', claims)
    expect(await verdict(before)).toBe('jwt:deploy-bot operator acme')
    await provider.rotate('second')
    clock.advance(10_000)
    expect(await verdict(await provider.issue('urn:hybrid-routing', claims))).toBe('jwt:deploy-bot operator acme')
    expect(await verdict(before)).toBe('unauthorized invalid_token')
    expect(await verdict(await provider.issue('urn:another', claims))).toBe('unauthorized token_claims')
  } finally {
    await provider.close()
  }
})

describe('keys of this service', () => {
  test('are answered without a promise, and never ask the issuer', () => {
    expect(show('a-key-that-is-long')).toMatchObject({ kind: 'principal', principal: { name: 'ops' } })
    expect(show('not-a-key')).toMatchObject({ kind: 'refused', reason: 'unknown_key' })
    expect(issuer.asked).toEqual([])
  })

  test('may look like a token', () => {
    const secret = 'eyJhbGciOiJub25lIn0.e30.x'
    authenticator = make({}, { keys: [{ name: 'odd', role: 'viewer', secret }] })
    expect(show(secret)).toMatchObject({ kind: 'principal', principal: { name: 'odd' } })
  })
})

describe('the keys of the issuer', () => {
  test('are fetched once for many tokens', async () => {
    const token = await tokenOf(key, issuer.url, clock)
    expect(new Set(await Promise.all(Array.from({ length: 50 }, () => verdict(token))))).toEqual(new Set(['jwt:alice operator acme']))
    expect(issuer.asked.length).toBe(2)
  })

  test('are fetched again for a key that is new, and at most every ten seconds whatever tokens name', async () => {
    await verdict(await tokenOf(key, issuer.url, clock))
    const next = await newKey('k2')
    issuer.published = [key.publicJwk, next.publicJwk]
    expect(await verdict(await tokenOf(next, issuer.url, clock))).toBe('unauthorized invalid_token')
    clock.advance(10_000)
    expect(await verdict(await tokenOf(next, issuer.url, clock))).toBe('jwt:alice operator acme')
    const asked = issuer.asked.length
    for (let count = 0; count < 20; count += 1) expect(await verdict(await tokenOf(await newKey(`random-${count}`), issuer.url, clock))).toBe('unauthorized invalid_token')
    expect(issuer.asked.length).toBe(asked)
  })

  test('that are withdrawn end within ten minutes', async () => {
    await verdict(await tokenOf(key, issuer.url, clock))
    const next = await newKey('k2')
    issuer.published = [next.publicJwk]
    clock.advance(600_000)
    // Renewed beside the request that finds them old, so that no request waits.
    await verdict(await tokenOf(key, issuer.url, clock))
    while (issuer.asked.length < 4) await new Promise(setImmediate)
    await expect.poll(async () => verdict(await tokenOf(key, issuer.url, clock))).toBe('unauthorized invalid_token')
    expect(await verdict(await tokenOf(next, issuer.url, clock))).toBe('jwt:alice operator acme')
  })

  test('stay in use while the issuer is away, for an hour', async () => {
    await verdict(await tokenOf(key, issuer.url, clock))
    issuer.mood = 'fails'
    clock.advance(3_599_000)
    expect(await verdict(await tokenOf(key, issuer.url, clock))).toBe('jwt:alice operator acme')
    clock.advance(11_000)
    expect(await verdict(await tokenOf(key, issuer.url, clock))).toBe('no_route_available issuer_unavailable')
  })

  test.each<{ mood: Mood }>([{ mood: 'fails' }, { mood: 'redirects' }, { mood: 'lies' }, { mood: 'floods' }])('of an issuer that $mood are not had: 503, and the next try is ten seconds later', async ({ mood }) => {
    issuer.mood = mood
    const token = await tokenOf(key, issuer.url, clock)
    expect(await show(token)).toMatchObject({ code: 'no_route_available', reason: 'issuer_unavailable', retryAfterMs: 10_000, challenge: null })
    const asked = issuer.asked.length
    expect(await verdict(token)).toBe('no_route_available issuer_unavailable')
    expect(issuer.asked.length).toBe(asked)
    issuer.mood = 'answers'
    clock.advance(10_000)
    expect(await verdict(token)).toBe('jwt:alice operator acme')
  })

  test('of an issuer that hangs are waited for five seconds, by tokens alone', async () => {
    issuer.mood = 'hangs'
    const waiting = verdict(await tokenOf(key, issuer.url, clock))
    while (issuer.asked.length === 0) await new Promise(setImmediate)
    expect(show('a-key-that-is-long')).toMatchObject({ kind: 'principal' })
    let over = false
    void waiting.then(() => (over = true))
    await clock.advanceAsync(4_999)
    expect(over).toBe(false)
    clock.advance(1)
    expect(await waiting).toBe('no_route_available issuer_unavailable')
    expect(clock.pending()).toBe(0)
  })

  test('come from where the configuration says, without discovery', async () => {
    authenticator = make({ jwksUri: `${issuer.url}/jwks` })
    expect(await verdict(await tokenOf(key, issuer.url, clock))).toBe('jwt:alice operator acme')
    expect(issuer.asked).toEqual(['/jwks'])
  })

  test('outlive a reload that changes something else', async () => {
    let config = configOf({})
    authenticator = createAuthenticator({ config: () => config, clock })
    await verdict(await tokenOf(key, issuer.url, clock))
    config = configOf({}, { publicHealth: false })
    await verdict(await tokenOf(key, issuer.url, clock))
    expect(issuer.asked.length).toBe(2)
    config = configOf({ audience: 'another' })
    expect(await verdict(await tokenOf(key, issuer.url, clock))).toBe('unauthorized token_claims')
  })
})
