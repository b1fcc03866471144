/**
 * Who may what: every route by every role and every method, over real HTTP. The sheet below is the public contract's part 2
 * written out; a route that is registered and not in it fails the test, so that a new one cannot be forgotten.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leverNames, leverTable } from '../levers/lever-table.ts'
import { openApiDocument } from './openapi.ts'
import { speakHttp1, startTestService, type TestService } from './testing/test-service.ts'

const roles = ['nobody', 'viewer', 'operator', 'admin'] as const
type Needs = 'public' | 'viewer' | 'operator' | 'admin'

const levers: Readonly<Record<string, Needs>> = Object.fromEntries(leverNames.map((name) => [`${leverTable[name].method} ${leverTable[name].path}`, 'admin']))

/** Reading figures needs a viewer, working with operations an operator, everything of the operators' own an admin. */
const sheet: Readonly<Record<string, Needs>> = {
  'POST /v1/operations': 'operator',
  'GET /v1/operations': 'operator',
  'GET /v1/operations/:id': 'operator',
  'DELETE /v1/operations/:id': 'operator',
  'GET /v1/operations/:id/events': 'operator',
  'GET /v1/routing/matrix': 'viewer',
  'GET /v1/routing/decisions': 'viewer',
  'POST /v1/routing/decide': 'operator',
  'GET /health': 'viewer',
  'GET /health/live': 'viewer',
  'GET /health/ready': 'viewer',
  'GET /health/detailed': 'viewer',
  'GET /health/components': 'viewer',
  'GET /health/component/:name': 'viewer',
  'GET /health/metrics': 'viewer',
  'GET /health/status': 'viewer',
  'GET /health/alerts': 'viewer',
  'POST /health/alerts/:id/acknowledge': 'operator',
  'POST /health/alerts/:id/resolve': 'admin',
  'GET /metrics': 'viewer',
  'GET /metrics/routing-efficiency': 'viewer',
  'GET /metrics/performance': 'viewer',
  'GET /metrics/cache-hit-rate': 'viewer',
  'GET /metrics/error-breakdown': 'viewer',
  'GET /metrics/routing-distribution': 'viewer',
  'GET /metrics/cost-breakdown': 'viewer',
  'GET /openapi.json': 'public',
  'GET /docs': 'public',
  'GET /problems/:code': 'public',
  ...levers,
  'GET /admin/status': 'admin',
  'GET /admin/feature-flags': 'admin',
  'GET /admin/support/status': 'admin',
  'GET /admin/config/history': 'admin',
  'GET /admin/audit': 'admin',
  'GET /admin/audit/verify': 'admin',
  'GET /admin/audit/export': 'admin',
  'GET /admin/dead-letters': 'admin',
  'POST /admin/dead-letters/:id/retry': 'admin',
  'DELETE /admin/dead-letters/:id': 'admin',
  'GET /admin/operations-log': 'admin',
  'POST /admin/operations-log': 'admin',
}

const registered = Object.entries(openApiDocument('1').paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`))
const patterns = [...new Set(registered.map((route) => route.split(' ')[1] ?? ''))]
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

const keys = roles.slice(1).map((role) => ({ name: role, role, secret: `${role}-key-of-the-tests` }))
const as = (role: string): Record<string, string> => (role === 'nobody' ? {} : { authorization: `Bearer ${role}-key-of-the-tests` })
const filled = (pattern: string): string => pattern.replace(':code', 'not_found').replace(':name', 'ENABLE_INTELLIGENT_ROUTING').replace(':id', 'none')

/** Each with the fewest answers that let a role pass: what a route says to whom it lets in is tested where the route is. */
let service: TestService
beforeAll(async () => {
  service = await startTestService(() => [{ afterMs: 0, text: 'yes' }, { afterMs: 0, succeed: true }], { auth: { keys, publicHealth: false } })
})
afterAll(() => service.stop())

describe('every route, by every role and method', () => {
  it('the sheet names every route that there is', () => {
    expect(registered.length).toBeGreaterThan(60)
    expect(registered.filter((route) => !(route in sheet))).toEqual([])
  })

  it.each(patterns)('%s', async (pattern) => {
    for (const method of methods) {
      // HEAD is GET without a body: it needs the same.
      const needs = sheet[`${method === 'HEAD' ? 'GET' : method} ${pattern}`]
      for (const role of roles) {
        const body = method === 'GET' || method === 'HEAD' ? {} : { body: pattern.startsWith('/admin') && pattern !== '/admin/operations-log' ? { dryRun: true } : {} }
        const { status } = await speakHttp1(service.port, { method, path: filled(pattern), headers: as(role), ...body })
        const about = `${role} ${method} ${pattern}: ${status}`
        if (needs === undefined || (method === 'HEAD' && pattern.endsWith('/events'))) expect(status, about).toBe(405)
        else if (needs === 'public') expect(status, about).toBe(200)
        else if (role === 'nobody') expect(status, about).toBe(401)
        else if (roles.indexOf(role) < roles.indexOf(needs)) expect(status, about).toBe(403)
        else expect([200, 201, 202, 400, 404, 409], about).toContain(status)
      }
    }
  })

  it('nobody was let in to change anything', () => {
    expect(service.admin.levers.overridesInForce()).toEqual([])
    expect(service.admin.asked).toEqual([])
  })
})

describe('what keyless callers may read', () => {
  it('is health and nothing that changes anything, even below /health', async () => {
    const open = await startTestService(() => [], { auth: { keys, publicHealth: true } })
    try {
      expect((await speakHttp1(open.port, { path: '/health/alerts' })).status).toBe(200)
      for (const action of ['acknowledge', 'resolve']) expect((await speakHttp1(open.port, { method: 'POST', path: `/health/alerts/alrt_1/${action}`, body: {} })).status).toBe(401)
      expect((await speakHttp1(open.port, { path: '/admin/status' })).status).toBe(401)
    } finally {
      await open.stop()
    }
  })
})
