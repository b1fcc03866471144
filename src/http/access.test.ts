/** Who gets in, and how often: over real HTTP on both protocols, with a certified OpenID provider. */
import { request as http1Request } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startCertifiedProvider, type CertifiedProvider } from '../auth/testing/certified-provider.ts'
import { handMade, startIssuer } from '../auth/testing/issuer.ts'
import type { Step } from '../intake/testing/scripted-runner.ts'
import type { Problem } from '../operation/problem.ts'
import { until } from '../runtime/testing/eventually.ts'
import { speakHttp1, speakHttp2, startTestService, type TestService } from './testing/test-service.ts'

const answers: readonly Step[] = [{ afterMs: 0, text: 'yes' }, { afterMs: 0, succeed: true }]
const body = { operation: 'infrastructure', prompt: 'x' }
const keys = (['viewer', 'operator', 'admin'] as const).map((role) => ({ name: role, role, secret: `${role}-key-of-the-tests` }))
const as = (role: string): Record<string, string> => ({ authorization: `Bearer ${role}-key-of-the-tests` })
const server = { port: 0 }

let service: TestService
afterEach(() => service.stop())

describe('tokens of a certified provider', () => {
  let provider: CertifiedProvider
  beforeAll(async () => {
    provider = await startCertifiedProvider()
  })
  afterAll(() => provider.close())
  const start = (): Promise<TestService> =>
    startTestService(() => answers, { server, auth: { keys, jwt: { issuer: provider.url, audience: 'urn:hybrid-routing', claims: { tenant: 'org' } } } })
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

  it.each([
    ['HTTP/1.1', speakHttp1],
    ['HTTP/2', speakHttp2],
  ])('give role and tenant over %s', async (_name, speak) => {
    service = await start()
    const token = await provider.issue('urn:hybrid-routing', { roles: ['operator'], org: 'acme' })
    const submit = (tenant?: string): Promise<{ status: number; text: string }> =>
      speak(service.port, { path: '/v1/operations', body: { ...body, ...(tenant === undefined ? {} : { context: { tenant } }) }, headers: bearer(token) })
    expect((await submit()).status).toBe(200)
    expect((await submit('acme')).status).toBe(200)
    expect((await submit('globex')).status).toBe(403)
    expect(service.runner.started.map((operation) => operation.tenant)).toEqual(['acme', 'acme'])
    const reader = await provider.issue('urn:hybrid-routing', { roles: ['viewer'], org: 'acme' })
    expect((await speak(service.port, { path: '/v1/operations', body, headers: bearer(reader) })).status).toBe(403)
    expect((await speak(service.port, { path: '/v1/routing/matrix', headers: { 'x-api-key': reader } })).status).toBe(200)
  })

  it('for another service are refused, and the security log says why', async () => {
    service = await start()
    const answer = await speakHttp1(service.port, { path: '/v1/routing/matrix', headers: bearer(await provider.issue('urn:another', { roles: ['admin'] })) })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="hybrid-routing", error="invalid_token"')
    expect(service.published.filter(({ type }) => type === 'authentication_failed')).toMatchObject([{ reason: 'token_claims', remoteAddress: '127.0.0.1' }])
  })

})

it('an issuer that hangs holds up tokens alone; a key is answered meanwhile, and the connection stays usable', async () => {
  const issuer = await startIssuer([])
  issuer.mood = 'hangs'
  service = await startTestService(() => answers, { server, auth: { keys, jwt: { issuer: issuer.url, audience: 'a' } } })
  const waiting = speakHttp1(service.port, { path: '/v1/routing/matrix', headers: { authorization: `Bearer ${handMade({ alg: 'ES256', kid: 'x' }, {}, 'AAAA')}` } })
  await until(() => issuer.asked.length > 0)
  expect((await speakHttp1(service.port, { path: '/v1/operations', body, headers: as('operator') })).status).toBe(200)
  expect((await speakHttp2(service.port, { path: '/v1/operations', body, headers: as('operator') })).status).toBe(200)
  await issuer.close()
  const answer = await waiting
  expect(answer.status).toBe(503)
  expect(answer.headers['retry-after']).toBe('10')
  expect(JSON.parse(answer.text) as Problem).toMatchObject({ code: 'no_route_available', retryable: true })
})

describe('an address that guesses', () => {
  const from = (localAddress: string, key: string): Promise<{ status: number; retryAfter: string | undefined }> =>
    new Promise((resolve, reject) => {
      const request = http1Request({ host: '127.0.0.1', port: service.port, localAddress, agent: false, path: '/v1/routing/matrix', headers: { 'x-api-key': key } }, (response) => {
        response.resume()
        response.on('end', () => resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }))
      })
      request.on('error', reject)
      request.end()
    })

  it('is locked out, told how long, and logged once; a configured key gets in all the same', async () => {
    service = await startTestService(() => answers, { server, auth: { keys, lockout: { failures: 3, lockMs: 90_000 } } })
    for (let count = 0; count < 3; count += 1) expect((await from('127.0.0.2', `wrong-${count}`)).status).toBe(401)
    expect(await from('127.0.0.2', 'wrong')).toEqual({ status: 429, retryAfter: '90' })
    for (const address of ['127.0.0.2', '127.0.0.3']) expect((await from(address, 'admin-key-of-the-tests')).status).toBe(200)
    const told = service.published.filter(({ type }) => type === 'authentication_failed' || type === 'address_locked_out')
    expect(told.map(({ type }) => type)).toEqual(['authentication_failed', 'authentication_failed', 'authentication_failed', 'address_locked_out'])
    expect(told.at(-1)).toMatchObject({ remoteAddress: '127.0.0.2', failures: 3, lockMs: 90_000 })
    expect(JSON.stringify(told)).not.toContain('wrong')
  })
})

describe.each([
  ['HTTP/1.1', speakHttp1],
  ['HTTP/2', speakHttp2],
])('the limits of a key over %s', (_name, speak) => {
  const limited = (limits: object): object => ({ server, auth: { keys: [{ name: 'batch', role: 'operator', secret: 'batch-key-of-the-tests', ...limits }] } })

  it('a rate beyond is 429, with the headers that say when, and binds no idempotency key', async () => {
    service = await startTestService(() => answers, limited({ rateLimit: { requests: 1, windowMs: 1_000 } }))
    const submit = (prompt: string): ReturnType<typeof speak> => speak(service.port, { path: '/v1/operations', body: { ...body, prompt }, headers: { ...as('batch'), 'idempotency-key': 'k' } })
    expect((await speak(service.port, { path: '/v1/routing/matrix', headers: as('batch') })).headers).toMatchObject({ 'ratelimit-remaining': '0', ratelimit: '"key";r=0;t=1' })
    const refused = await submit('one')
    expect(refused.status).toBe(429)
    expect(refused.headers).toMatchObject({ 'retry-after': '1', 'ratelimit-limit': '1', 'ratelimit-remaining': '0', 'ratelimit-policy': '"key";q=1;w=1' })
    expect(JSON.parse(refused.text) as Problem).toMatchObject({ code: 'rate_limited', retryable: true })
    expect(service.published).toContainEqual(expect.objectContaining({ type: 'operation_refused', code: 'rate_limited' }))
    expect(service.runner.started).toEqual([])
    let accepted = refused
    await expect.poll(async () => (accepted = await submit('another')).status, { interval: 100, timeout: 5_000 }).toBe(200)
    expect(accepted.status).toBe(200)
  })

  it('streams carry the headers too', async () => {
    service = await startTestService(() => answers, limited({ rateLimit: { requests: 5, windowMs: 60_000 } }))
    const answer = await speak(service.port, { path: '/v1/operations', body: { ...body, mode: 'stream' }, headers: as('batch') })
    expect([answer.headers['content-type'], answer.headers['ratelimit-remaining']]).toEqual(['text/event-stream; charset=utf-8', '4'])
  })

  it('more at once than allowed is 429 until one ends, also by going away', async () => {
    service = await startTestService(() => [{ afterMs: 60_000, succeed: true }], limited({ concurrency: 1 }))
    const matrix = { path: '/v1/routing/matrix', headers: as('batch') }
    const open = speak(service.port, { path: '/v1/operations', body, headers: as('batch'), dropAtOnce: true }).catch(() => undefined)
    await until(() => service.runner.started.length === 1)
    const refused = await speak(service.port, matrix)
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1'])
    await open
    await expect.poll(async () => (await speak(service.port, matrix)).status).toBe(200)
    for (let count = 0; count < 5; count += 1) expect((await speak(service.port, matrix)).status).toBe(200)
  })
})

describe('web pages of other origins', () => {
  const preflight = { method: 'OPTIONS', path: '/v1/operations' }
  const from = (origin: string): Record<string, string> => ({ origin, 'access-control-request-method': 'POST' })

  it('are not answered in a way that they could read, unless they are configured', async () => {
    service = await startTestService(() => answers, { server, auth: { keys } })
    const answer = await speakHttp1(service.port, { ...preflight, headers: from('https://console.example') })
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([405, undefined])
    const read = await speakHttp1(service.port, { path: '/v1/routing/matrix', headers: { ...as('viewer'), origin: 'https://console.example' } })
    expect(Object.keys(read.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  it('that are configured may ask with a key, streams included, and no other origin may', async () => {
    service = await startTestService(() => answers, { server: { ...server, cors: { origins: ['https://console.example'] } }, auth: { keys } })
    const allowed = await speakHttp1(service.port, { ...preflight, headers: from('https://console.example') })
    expect(allowed.status).toBe(204)
    expect(allowed.headers).toMatchObject({ 'access-control-allow-origin': 'https://console.example', 'access-control-allow-methods': 'GET, HEAD, POST', vary: 'Origin' })
    expect(allowed.headers['access-control-allow-credentials']).toBeUndefined()
    expect((await speakHttp1(service.port, { ...preflight, path: '/nothing', headers: from('https://console.example') })).status).toBe(404)
    const streamed = await speakHttp1(service.port, { path: '/v1/operations', body: { ...body, mode: 'stream' }, headers: { ...as('operator'), origin: 'https://console.example' } })
    expect(streamed.headers['access-control-allow-origin']).toBe('https://console.example')
    const unauthorized = await speakHttp1(service.port, { path: '/v1/operations', body, headers: { origin: 'https://console.example' } })
    expect([unauthorized.status, unauthorized.headers['access-control-allow-origin']]).toEqual([401, 'https://console.example'])
    for (const origin of ['https://console.example.evil', 'http://console.example', 'null', 'https://evil.example']) {
      const answer = await speakHttp1(service.port, { path: '/v1/routing/matrix', headers: { ...as('viewer'), origin } })
      expect([answer.headers['access-control-allow-origin'], answer.headers['vary']]).toEqual([undefined, 'Origin'])
    }
  })
})

it('every answer carries the security headers, refusals too', async () => {
  service = await startTestService(() => answers, { server, auth: { keys } })
  for (const request of [{ path: '/v1/routing/matrix' }, { path: '/nothing' }, { path: '/v1/routing/matrix', headers: as('viewer') }]) {
    expect((await speakHttp1(service.port, request)).headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': "frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'x-frame-options': 'DENY',
    })
  }
})
