import { readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { problemCodes } from '../operation/problem.ts'
import type { OperationResult } from '../operation/result.ts'
import { connect } from 'node:net'
import type { Step } from '../intake/testing/scripted-runner.ts'
import { until } from '../runtime/testing/eventually.ts'
import { openApiDocument } from './openapi.ts'
import { errorsMarkdown } from './problem-reference.ts'
import { eventsOf, speakHttp1, speakHttp2, speakRaw, startTestService, type Answer, type Ask, type TestService } from './testing/test-service.ts'

const answers: readonly Step[] = [{ afterMs: 0, text: 'Hi' }, { afterMs: 0, succeed: true }]
const body = { operation: 'standard_analysis', prompt: 'Hello' }

let service: TestService
afterEach(() => service.stop())
const ask = (request: Ask): Promise<Answer> => speakHttp1(service.port, request)

describe('health', () => {
  it.each([
    ['healthy', 200],
    ['degraded', 200],
    ['unhealthy', 503],
    ['critical', 503],
    ['unknown', 503],
  ] as const)('%s is %i, for HEAD as well, in the contract’s shape', async (health, status) => {
    service = await startTestService(() => answers)
    service.health = health
    const answer = await ask({ path: '/health' })
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.text)).toEqual({ status: health, timestamp: expect.stringMatching(/^\d{4}-.*Z$/) as unknown, uptime: expect.any(Number) as unknown, version: '0.0.0-test' })
    const head = await ask({ method: 'HEAD', path: '/health' })
    expect([head.status, head.text]).toEqual([status, ''])
  })

  it('a service that drains is live and not ready, refuses what is new and finishes what runs', async () => {
    service = await startTestService(() => [{ afterMs: 100, text: 'Hi' }, { afterMs: 0, succeed: true }])
    const running = ask({ path: '/v1/operations', body })
    await until(() => service.runner.started.length === 1)
    service.server.beginDrain()
    const refused = await ask({ path: '/v1/operations', body })
    expect([refused.status, refused.headers['retry-after'], refused.headers['connection']]).toEqual([503, '1', 'close'])
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'overloaded' })
    expect((await ask({ path: '/health/live' })).status).toBe(200)
    expect((await ask({ path: '/health/ready' })).status).toBe(503)
    expect((await running).status).toBe(200)
    await service.intake.idle()
    expect(service.intake.counts()).toMatchObject({ running: 0, pendingWrites: 0 })
  })
})

describe('who may', () => {
  const keys = ['admin', 'operator', 'viewer'].map((role) => ({ name: role, role, sha256: createHash('sha256').update(`${role}-secret`).digest('hex') }))
  const tenants = ['acme', 'globex'].map((tenant) => ({ name: tenant, role: 'operator', sha256: createHash('sha256').update(`${tenant}-secret`).digest('hex'), tenant }))
  const config = { auth: { keys: [...keys, ...tenants] } }
  const as = (name: string): Record<string, string> => ({ authorization: `Bearer ${name}-secret` })

  it.each([
    [{ path: '/v1/operations', body }, {}, 401, 'no key'],
    [{ path: '/v1/operations', body }, { 'x-api-key': 'wrong' }, 401, 'a key that is not known'],
    [{ path: '/v1/operations', body }, as('viewer'), 403, 'a viewer submits nothing'],
    [{ path: '/v1/operations', body }, as('operator'), 200, 'an operator submits'],
    [{ path: '/v1/operations', body }, { 'x-api-key': 'operator-secret' }, 200, 'the key in its other header'],
    [{ path: '/v1/operations', body: { ...body, priority: 'low' } }, as('operator'), 200, 'anybody may lower the priority'],
    [{ path: '/v1/operations', body: { ...body, priority: 'critical' } }, as('operator'), 403, 'an operator may not raise it'],
    [{ path: '/v1/operations', body: { ...body, priority: 'critical' } }, as('admin'), 200, 'an admin may'],
    [{ path: '/v1/operations', body: { ...body, context: { tenant: 'globex' } } }, as('acme'), 403, 'another tenant in the body'],
    [{ path: '/v1/routing/matrix' }, as('viewer'), 200, 'a viewer reads'],
    [{ path: '/v1/routing/matrix' }, {}, 401, 'nobody does not'],
    [{ path: '/health' }, {}, 200, 'health is public'],
    [{ path: '/openapi.json' }, {}, 200, 'the reference is public'],
  ] as const)('%j with %j is %i: %s', async (request, headers, status, _why) => {
    service = await startTestService(() => answers, config)
    const answer = await ask({ ...request, headers })
    expect(answer.status).toBe(status)
    if (status === 401) expect(answer.headers['www-authenticate']).toContain('Bearer')
  })

  it('the same key of two tenants is two keys, and each tenant’s operations are hidden from the other', async () => {
    service = await startTestService(() => answers, config)
    const mine = JSON.parse((await ask({ path: '/v1/operations', body, headers: { ...as('acme'), 'idempotency-key': 'k' } })).text) as OperationResult
    const theirs = JSON.parse((await ask({ path: '/v1/operations', body, headers: { ...as('globex'), 'idempotency-key': 'k' } })).text) as OperationResult
    expect(theirs.id).not.toBe(mine.id)
    for (const request of [{ path: `/v1/operations/${mine.id}` }, { method: 'DELETE', path: `/v1/operations/${mine.id}` }, { path: `/v1/operations/${mine.id}/events` }]) {
      expect((await ask({ ...request, headers: as('globex') })).status).toBe(404)
    }
    const listed = JSON.parse((await ask({ path: '/v1/operations', headers: as('globex') })).text) as { operations: OperationResult[] }
    expect(listed.operations.map(({ id }) => id)).toEqual([theirs.id])
  })
})

describe('following', () => {
  it('a follower resumes after the event that it saw last', async () => {
    service = await startTestService(() => [...Array.from({ length: 200 }, (_, index): Step => ({ afterMs: index === 150 ? 60 : 0, text: `${index} ` })), { afterMs: 0, succeed: true }])
    const request = speakHttp1(service.port, { path: '/v1/operations', body: { ...body, mode: 'stream' }, headers: { 'idempotency-key': 'k' } })
    await until(() => service.runner.started.length === 1)
    const resumed = eventsOf((await ask({ path: `/v1/operations/${service.runner.started[0]?.id}/events`, headers: { 'last-event-id': '101' } })).text)
    const whole = eventsOf((await request).text)
    const textAfter = (events: typeof whole): string => events.filter(({ event, id }) => event === 'delta' && (id ?? 0) > 101).map(({ data }) => String(data['text'])).join('')
    expect(textAfter(resumed)).toBe(Array.from({ length: 100 }, (_, index) => `${index + 100} `).join(''))
    expect(resumed.at(-1)?.id).toBe(202)
  })

  it('a client that does not read is not written to, and what it misses does not pile up', async () => {
    const piece = 'x'.repeat(50_000)
    service = await startTestService(() => [...Array.from({ length: 400 }, (): Step => ({ afterMs: 1, text: piece })), { afterMs: 0, succeed: true }])
    const text = JSON.stringify({ ...body, mode: 'stream' })
    const socket = connect(service.port, '127.0.0.1', () =>
      socket.write(`POST /v1/operations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`),
    )
    socket.on('error', () => undefined)
    socket.pause()
    await until(() => service.runner.cancelled.length === 1)
    expect(service.runner.cancelled[0]?.reason).toBe('caller_gone')
    socket.destroy()
  })
})

describe('the reference', () => {
  it('lists exactly the routes that there are', async () => {
    service = await startTestService(() => answers)
    const routes: string[] = []
    for (const [path, methods] of Object.entries(openApiDocument('1').paths)) {
      for (const method of Object.keys(methods)) {
        routes.push(`${method} ${path}`)
        expect(service.server.app.hasRoute({ method: method.toUpperCase(), url: path.replaceAll(/\{(\w+)\}/g, ':$1') }), `${method} ${path}`).toBe(true)
      }
    }
    const registered = service.server.app.printRoutes({ commonPrefix: false }).match(/\((?:[A-Z, ]+)\)/g)?.flatMap((methods) => methods.slice(1, -1).split(', ')) ?? []
    expect(registered.filter((method) => method !== 'HEAD')).toHaveLength(routes.length)
  })

  it('lists exactly the codes of the catalogue', () => {
    const text = JSON.stringify(openApiDocument('1').paths)
    const listed = new Set([...text.matchAll(/`(\w+)`: /g)].map(([, code]) => code))
    // 405 is the answer of every path to another method, so it stands in the description and not at a method.
    expect(new Set([...listed, 'method_not_allowed'])).toEqual(new Set<string>(problemCodes))
    expect(JSON.stringify(openApiDocument('1').info)).toContain('`method_not_allowed`')
  })

  it('docs/errors.md is what the catalogue says: run `node scripts/write-errors-reference.mjs` when it is not', () => {
    expect(readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')).toBe(errorsMarkdown())
  })

  it.each(['/docs', '/problems/overloaded'])('%s is a page that needs no script and no other address', async (path) => {
    service = await startTestService(() => answers)
    const page = await ask({ path })
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(page.text).not.toMatch(/<script|https?:\/\/|<img|<link/)
  })

  it('the decision for a request executes nothing', async () => {
    service = await startTestService(() => answers)
    const answer = await ask({ path: '/v1/routing/decide', body: { operation: 'infrastructure', prompt: 'x', latencyMs: 8_000 } })
    expect(JSON.parse(answer.text)).toMatchObject({ route: 'direct', reason: 'matrix', operation: 'infrastructure', latencyRequirementMs: 8_000, hardTimeoutMs: 12_000 })
    expect(service.runner.started).toEqual([])
    expect(JSON.parse((await ask({ path: '/v1/routing/matrix' })).text)).toMatchObject({ matrix: { emergency: { route: 'direct', fallback: 'none' } } })
  })
})

describe('every answer', () => {
  it.each(['/health', '/openapi.json', '/nothing', '/v1/operations'])('%s is not cached, not sniffed and names no software', async (path) => {
    service = await startTestService(() => answers)
    for (const answer of [await speakHttp1(service.port, { path }), await speakHttp2(service.port, { path })]) {
      expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
      expect(answer.headers['x-correlation-id']).toMatch(/^cor_/)
      expect(answer.headers).not.toHaveProperty('server')
      expect(answer.headers).not.toHaveProperty('x-powered-by')
    }
  })

  it('headers that do not come in time end the connection with problem details', async () => {
    service = await startTestService(() => answers, { limits: { headersTimeoutMs: 100 } })
    expect(await speakRaw(service.port, 'GET /health HTTP/1.1\r\nHost: a\r\n')).toContain('"code":"invalid_request"')
  })
})
