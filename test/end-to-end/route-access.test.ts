/**
 * Who may what, by the service as it is composed: every route that it registers, by every kind of caller and every method.
 * Routes are taken from the HTTP server itself as it is built, whoever adds them and wherever; one that is not in the sheet,
 * or says nothing of its access, fails. The sheet is the public contract's part 2 written out, line by line.
 *
 * Asked is only whether a caller is let in. Bodies are empty or dry runs and ids are unknown, so that nothing changes.
 */
import { channel } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import type { OperationResult } from '../../src/operation/result.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import type { Service } from '../../src/service/serve.ts'
import { targetAt } from '../configuration.ts'
import { startInProcess } from '../in-process-service.ts'

type Needs = 'public' | 'viewer' | 'operator' | 'admin'

const sheet: Readonly<Record<Needs, readonly string[]>> = {
  // What the service is, not what it does.
  public: ['GET /openapi.json', 'GET /docs', 'GET /problems/:code'],
  // "viewer reads health, metrics, decisions and alerts"
  viewer: [
    'GET /health',
    'GET /health/live',
    'GET /health/ready',
    'GET /health/detailed',
    'GET /health/components',
    'GET /health/component/:name',
    'GET /health/metrics',
    'GET /health/status',
    'GET /health/alerts',
    'GET /metrics',
    'GET /metrics/routing-efficiency',
    'GET /metrics/performance',
    'GET /metrics/cache-hit-rate',
    'GET /metrics/error-breakdown',
    'GET /metrics/routing-distribution',
    'GET /metrics/cost-breakdown',
    'GET /v1/routing/matrix',
    'GET /v1/routing/decisions',
  ],
  // "operator also submits, reads and cancels operations (its tenant's) and acknowledges alerts"
  operator: [
    'POST /v1/operations',
    'GET /v1/operations',
    'GET /v1/operations/:id',
    'DELETE /v1/operations/:id',
    'GET /v1/operations/:id/events',
    'POST /v1/routing/decide',
    'POST /health/alerts/:id/acknowledge',
  ],
  // "admin also pulls levers and reads logs and audit"
  admin: [
    'POST /health/alerts/:id/resolve',
    'POST /admin/circuit-breaker/reset',
    'POST /admin/circuit-breaker/enable',
    'POST /admin/circuit-breaker/disable',
    'POST /admin/routing/force-mcp',
    'POST /admin/routing/force-direct',
    'DELETE /admin/routing/override',
    'POST /admin/routing/bedrock-percentage',
    'POST /admin/routing/config',
    'POST /admin/routing/fallback',
    'POST /admin/routing/optimize',
    'POST /admin/config/update',
    'POST /admin/config/rollback',
    'GET /admin/config/history',
    'POST /admin/emergency/isolate-component',
    'POST /admin/emergency/restore-component',
    'POST /admin/emergency/enable',
    'POST /admin/emergency/disable',
    'POST /admin/maintenance/enable',
    'POST /admin/maintenance/disable',
    'POST /admin/bedrock/test',
    'POST /admin/alerts/suppress',
    'POST /admin/alerts/bulk-resolve',
    'POST /admin/alerts/test',
    'GET /admin/feature-flags',
    'POST /admin/feature-flags/:name/enable',
    'POST /admin/feature-flags/:name/disable',
    'GET /admin/support/status',
    'POST /admin/support/activate',
    'POST /admin/support/deactivate',
    'POST /admin/support/emergency/shutdown',
    'GET /admin/status',
    'GET /admin/audit',
    'GET /admin/audit/verify',
    'GET /admin/audit/export',
    'GET /admin/operations-log',
    'POST /admin/operations-log',
    'GET /admin/dead-letters',
    'POST /admin/dead-letters/:id/retry',
    'DELETE /admin/dead-letters/:id',
  ],
}

const needsOf = new Map((Object.keys(sheet) as Needs[]).flatMap((needs) => sheet[needs].map((route) => [route, needs] as const)))
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

interface Caller {
  readonly headers: Readonly<Record<string, string>>
  readonly passes: readonly Needs[]
}
const bearer = (secret: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${secret}` })
const callers: Readonly<Record<string, Caller>> = {
  'nobody': { headers: {}, passes: ['public'] },
  'a wrong key': { headers: bearer('a-key-that-nobody-has'), passes: ['public'] },
  'viewer': { headers: bearer('viewer-key'), passes: ['public', 'viewer'] },
  'operator': { headers: bearer('operator-key'), passes: ['public', 'viewer', 'operator'] },
  'operator of another tenant': { headers: bearer('stranger-key'), passes: ['public', 'viewer', 'operator'] },
  'admin': { headers: bearer('admin-key'), passes: ['public', 'viewer', 'operator', 'admin'] },
}

interface Registered {
  readonly route: string
  readonly access: string | undefined
}

const registered: Registered[] = []
let emulator: Emulator
let service: Service

beforeAll(async () => {
  emulator = createEmulator({ clock: createSystemClock(), faults: [{ kind: 'hang' }] })
  await emulator.listen()
  // Fastify tells of every server as it is made: earlier than any route, so that none can slip by.
  const creation = channel('fastify.initialization')
  const listen = (message: unknown): void => {
    const { fastify } = message as { readonly fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url, config }) => {
      for (const one of [method].flat()) registered.push({ route: `${one} ${url}`, access: config?.access })
    })
  }
  creation.subscribe(listen)
  try {
    service = await startInProcess({
      targets: [targetAt(emulator.url)],
      auth: {
        publicHealth: false,
        lockout: { failures: 0 },
        keys: [
          { name: 'viewer', role: 'viewer', secret: 'viewer-key' },
          { name: 'operator', role: 'operator', secret: 'operator-key', tenant: 'acme' },
          { name: 'stranger', role: 'operator', secret: 'stranger-key', tenant: 'other' },
          { name: 'admin', role: 'admin', secret: 'admin-key' },
        ],
      },
    })
  } finally {
    creation.unsubscribe(listen)
  }
})

afterAll(async () => {
  await service.stop()
  await emulator.close()
})

async function ask(method: string, path: string, headers: Readonly<Record<string, string>>, body?: object): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${service.url}${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, text: await answer.text() }
}

const filled = (pattern: string): string => pattern.replace(':code', 'not_found').replace(':name', 'hybrid-router').replaceAll(':id', 'unknown')
/** HEAD is GET without a body: it needs the same. */
const needed = (method: string, pattern: string): Needs | undefined => needsOf.get(`${method === 'HEAD' ? 'GET' : method} ${pattern}`)
const hasRoute = (method: string, pattern: string): boolean => registered.some(({ route }) => route === `${method} ${pattern}`)

describe('the routes of the composed service', () => {
  it('are those of the sheet, no more and no fewer', () => {
    const routes = registered.map(({ route }) => route).filter((route) => !route.startsWith('HEAD '))
    expect([...routes].sort()).toEqual([...needsOf.keys()].sort())
  })

  it('each say the access that the sheet has', () => {
    const differing = registered.filter(({ route, access }) => access !== needed(route.slice(0, route.indexOf(' ')), route.slice(route.indexOf(' ') + 1)))
    expect(differing).toEqual([])
  })

  it.each(Object.keys(callers))('let in, of all methods on all paths, exactly what the contract gives: %s', async (name) => {
    const caller = callers[name]
    if (caller === undefined) throw new Error(name)
    const wrong: string[] = []
    for (const pattern of new Set([...needsOf.keys()].map((route) => route.slice(route.indexOf(' ') + 1)))) {
      for (const method of methods) {
        const needs = needed(method, pattern)
        const body = method === 'GET' || method === 'HEAD' || method === 'OPTIONS' ? undefined : pattern.startsWith('/admin/') && pattern !== '/admin/operations-log' && !pattern.includes('dead-letters') ? { dryRun: true } : {}
        const { status } = await ask(method, filled(pattern), caller.headers, body)
        const said = `${method} ${pattern}: ${status}`
        if (needs === undefined || !hasRoute(method, pattern)) {
          // Nothing is there, whoever asks.
          if (status !== 405) wrong.push(`${said}, and there is no such route`)
        } else if (caller.passes.includes(needs)) {
          if (status === 401 || status === 403 || status >= 500) wrong.push(`${said}, and it may`)
        } else if (status !== (name === 'nobody' || name === 'a wrong key' ? 401 : 403)) wrong.push(`${said}, and it may not`)
      }
    }
    expect(wrong).toEqual([])
  }, 30_000)

  it('changed nothing while they were tried', async () => {
    const status = JSON.parse((await ask('GET', '/admin/status', bearer('admin-key'))).text) as { readonly overrides: readonly unknown[] }
    expect(status.overrides).toEqual([])
    expect(service.router.inFlight()).toBe(0)
  })
})

describe('an operation', () => {
  it('is its tenant’s alone: another one neither reads, follows, lists nor cancels it, nor submits in its name', async () => {
    const accepted = await ask('POST', '/v1/operations', bearer('operator-key'), { operation: 'infrastructure', prompt: 'Is the disk full?', mode: 'async' })
    expect(accepted.status).toBe(202)
    const { id } = JSON.parse(accepted.text) as OperationResult
    const stranger = bearer('stranger-key')
    for (const [method, path] of [['GET', `/v1/operations/${id}`], ['GET', `/v1/operations/${id}/events`], ['DELETE', `/v1/operations/${id}`]] as const) {
      expect([method, path, (await ask(method, path, stranger)).status]).toEqual([method, path, 404])
    }
    expect((await ask('GET', '/v1/operations', stranger)).text).not.toContain(id)
    expect((await ask('GET', '/v1/operations', bearer('operator-key'))).text).toContain(id)
    expect((await ask('POST', '/v1/operations', stranger, { operation: 'emergency', prompt: 'x', context: { tenant: 'acme' } })).status).toBe(403)
    expect((await ask('POST', '/v1/routing/decide', stranger, { operation: 'emergency', prompt: 'x', context: { tenant: 'acme' } })).status).toBe(403)

    expect(JSON.parse((await ask('DELETE', `/v1/operations/${id}`, bearer('operator-key'))).text)).toMatchObject({ id, status: 'cancelled' })
  })

  it('of another tenant does not answer for an idempotency key', async () => {
    const body = { operation: 'infrastructure', prompt: 'Is the disk full?', mode: 'async' }
    const ids: string[] = []
    for (const key of ['operator-key', 'stranger-key']) {
      const accepted = await ask('POST', '/v1/operations', { ...bearer(key), 'idempotency-key': 'the-same' }, body)
      expect(accepted.status).toBe(202)
      const { id } = JSON.parse(accepted.text) as OperationResult
      ids.push(id)
      await ask('DELETE', `/v1/operations/${id}`, bearer(key))
    }
    expect(new Set(ids).size).toBe(2)
  })
})
