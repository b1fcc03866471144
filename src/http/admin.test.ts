import { afterEach, describe, expect, it } from 'vitest'
import { leverNames, leverTable } from '../levers/lever-table.ts'
import { speakHttp1, speakHttp2, startTestService, type Answer, type Ask, type TestService } from './testing/test-service.ts'

let service: TestService
afterEach(() => service.stop())
const ask = (request: Ask): Promise<Answer> => speakHttp1(service.port, request)
const json = async (request: Ask): Promise<Record<string, unknown>> => JSON.parse((await ask(request)).text) as Record<string, unknown>

/** The runbook's table, letter by letter. */
const runbook: readonly (readonly [string, string, unknown])[] = [
  ['POST', '/admin/circuit-breaker/reset', { component: 'direct-bedrock-client' }],
  ['POST', '/admin/circuit-breaker/enable', undefined],
  ['POST', '/admin/circuit-breaker/disable', undefined],
  ['POST', '/admin/routing/force-mcp', { reason: 'Bedrock unavailable', duration: 3600 }],
  ['POST', '/admin/routing/force-direct', { reason: 'Bedrock unavailable', duration: 3600 }],
  ['DELETE', '/admin/routing/override', undefined],
  ['POST', '/admin/routing/bedrock-percentage', { percentage: 10 }],
  ['POST', '/admin/routing/config', { directBedrockLatencyThreshold: 8000, mcpLatencyThreshold: 25_000, fallbackAggressiveness: 0.7 }],
  ['POST', '/admin/routing/fallback', { aggressiveFallback: true }],
  ['POST', '/admin/routing/optimize', { targetEfficiency: 0.85, optimizationMode: 'balanced' }],
  ['POST', '/admin/config/update', { directBedrockTimeout: 15_000, mcpTimeout: 45_000 }],
  ['POST', '/admin/emergency/isolate-component', { component: 'direct-bedrock-client', confirm: true }],
  ['POST', '/admin/emergency/enable', undefined],
  ['POST', '/admin/emergency/disable', undefined],
  ['POST', '/admin/maintenance/enable', undefined],
  ['POST', '/admin/maintenance/disable', undefined],
  ['POST', '/admin/bedrock/test', undefined],
  ['POST', '/admin/alerts/suppress', { severity: ['low', 'medium'], duration: 1800 }],
  ['POST', '/admin/alerts/bulk-resolve', { component: 'cache-layer' }],
  ['POST', '/health/alerts/alrt_1/acknowledge', undefined],
  ['POST', '/health/alerts/alrt_1/resolve', undefined],
  ['POST', '/admin/alerts/test', { severity: 'critical' }],
  ['GET', '/admin/feature-flags', undefined],
  ['POST', '/admin/feature-flags/ENABLE_DIRECT_BEDROCK_FALLBACK/enable', undefined],
  ['POST', '/admin/feature-flags/ENABLE_DIRECT_BEDROCK_FALLBACK/disable', undefined],
  ['GET', '/admin/audit', undefined],
  ['GET', '/admin/audit/verify', undefined],
  ['GET', '/admin/audit/export', undefined],
  ['GET', '/admin/support/status', undefined],
  ['POST', '/admin/support/activate', undefined],
  ['POST', '/admin/support/deactivate', undefined],
  ['POST', '/admin/support/emergency/shutdown', undefined],
]

describe('the runbook’s requests', () => {
  it.each([['HTTP/1.1', speakHttp1], ['HTTP/2', speakHttp2]] as const)('work as written over %s, and leave one record each', async (_name, speak) => {
    service = await startTestService(() => [])
    for (const [method, path, body] of runbook) {
      const answer = await speak(service.port, { method, path, ...(body === undefined ? {} : { body }) })
      expect(answer.status, `${method} ${path} ${answer.text}`).toBe(200)
    }
    const changing = runbook.filter(([method, path]) => method !== 'GET' && path !== '/admin/routing/optimize')
    expect((await json({ path: '/admin/audit?limit=100' }))['records']).toHaveLength(changing.length)
    expect(await json({ path: '/admin/audit/verify' })).toMatchObject({ ok: true, records: changing.length })
    expect(service.internalErrors).toEqual([])
  })

  it('a lever is done within 100 ms', async () => {
    service = await startTestService(() => [])
    await ask({ method: 'POST', path: '/admin/routing/force-mcp', body: {} })
    const startMs = performance.now()
    for (let index = 0; index < 20; index += 1) await ask({ method: 'POST', path: '/admin/routing/force-mcp', body: {} })
    expect((performance.now() - startMs) / 20).toBeLessThan(100)
  })
})

describe('a lever’s body', () => {
  it.each(leverNames)('%s refuses a member that it does not know by name, and a duration that is none', async (name) => {
    service = await startTestService(() => [])
    const { method, path } = leverTable[name]
    const at = { method, path: path.replace(':name', 'ENABLE_INTELLIGENT_ROUTING') }
    expect(await json({ ...at, body: { resaon: 'x' } })).toMatchObject({ status: 400, code: 'invalid_request', errors: expect.arrayContaining([{ path: 'resaon', message: expect.stringContaining('known are') }]) })
    for (const duration of [0, -1, 1e9, '60', null]) expect((await json({ ...at, body: { duration } }))['status']).toBe(400)
    expect((await json({ ...at, body: { reason: '' } }))['status']).toBe(400)
    expect((await json({ ...at, body: [] }))['status']).toBe(400)
    expect(service.admin.levers.overridesInForce()).toEqual([])
    expect((await json({ path: '/admin/audit' }))['records']).toEqual([])
  })

  it.each([
    ['/admin/routing/bedrock-percentage', { percentage: 101 }, 'percentage'],
    ['/admin/routing/bedrock-percentage', { percentage: 10.5 }, 'percentage'],
    ['/admin/routing/config', { fallbackAggressiveness: 1.1 }, 'fallbackAggressiveness'],
    ['/admin/config/update', { mcpTimeout: 0 }, 'mcpTimeout'],
    ['/admin/emergency/isolate-component', { component: 'nothing' }, 'component'],
    ['/admin/alerts/suppress', { severity: ['loud'], duration: 60 }, 'severity[0]'],
    ['/admin/alerts/suppress', { severity: ['low'] }, 'duration'],
    ['/admin/operations-log', { findings: 'x' }, 'title'],
    ['/health/alerts/alrt_1/resolve', { who: 'me' }, 'who'],
  ])('%s with %j names %s', async (path, body, named) => {
    service = await startTestService(() => [])
    const problem = await json({ method: 'POST', path, body })
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' })
    expect((problem['errors'] as readonly { path: string }[]).map((error) => error.path)).toContain(named)
  })
})

describe('what is in force', () => {
  it('is shown with who, why, since and until', async () => {
    service = await startTestService(() => [], { auth: { keys: [{ name: 'anna', role: 'admin', secret: 'the-key-of-anna-is-long' }] } })
    const headers = { 'x-api-key': 'the-key-of-anna-is-long' }
    await ask({ method: 'POST', path: '/admin/maintenance/enable', body: { reason: 'weekly', duration: 1800 }, headers })
    await ask({ method: 'POST', path: '/admin/circuit-breaker/reset', body: {}, headers })
    const status = await json({ path: '/admin/status', headers })
    expect(status).toMatchObject({
      overrides: [{ what: 'maintenance', value: true, lever: 'enable-maintenance', by: 'anna', automatic: false, reason: 'weekly', since: expect.stringMatching(/Z$/), until: expect.stringMatching(/Z$/) }],
      modes: { emergency: false, maintenance: true, breakers: 'on', support: 'inactive' },
      resets: [{ component: 'all', by: 'anna' }],
      stored: true,
      audit: { waiting: 0 },
    })
  })
})

describe('alerts', () => {
  it('are listed by status, acknowledged and resolved once, by name', async () => {
    service = await startTestService(() => [])
    expect(await json({ path: '/health/alerts' })).toMatchObject({ status: 'healthy', data: { activeAlerts: 1, alerts: [{ id: 'alrt_1' }] } })
    expect(await json({ path: '/health/alerts?status=all' })).toMatchObject({ data: { activeAlerts: 1, alerts: [{ id: 'alrt_1' }, { id: 'alrt_2' }] } })
    expect((await json({ path: '/health/alerts?status=loud' }))['status']).toBe(400)
    expect(await json({ method: 'POST', path: '/health/alerts/alrt_1/acknowledge', body: { reason: 'mine' } })).toMatchObject({ id: 'alrt_1', status: 'acknowledged' })
    expect(await json({ method: 'POST', path: '/health/alerts/alrt_2/resolve', body: {} })).toMatchObject({ status: 409 })
    expect(await json({ method: 'POST', path: '/health/alerts/alrt_9/resolve', body: {} })).toMatchObject({ status: 404 })
    expect((await json({ path: '/admin/audit?what=acknowledge-alert' }))['records']).toMatchObject([{ who: 'local', component: 'mcp-router', reason: 'mine' }])
  })
})

describe('the audit trail over HTTP', () => {
  it('is filtered, paged, exported, and checked against a head of the log', async () => {
    service = await startTestService(() => [])
    for (let index = 0; index < 5; index += 1) await ask({ method: 'POST', path: index % 2 === 0 ? '/admin/routing/force-mcp' : '/admin/emergency/enable', body: { reason: `${index}` } })
    const first = await json({ path: '/admin/audit?what=force-mcp&limit=2' })
    const second = await json({ path: `/admin/audit?what=force-mcp&limit=2&cursor=${String(first['nextCursor'])}` })
    const reasons = [first, second].flatMap((page) => (page['records'] as readonly { reason: string }[]).map(({ reason }) => reason))
    expect(reasons).toEqual(['4', '2', '0'])
    const exported = await ask({ path: '/admin/audit/export' })
    expect(exported.headers['content-type']).toBe('application/jsonl; charset=utf-8')
    expect(exported.text.trimEnd().split('\n')).toHaveLength(6)
    const { head } = (await json({ path: '/admin/audit/verify' })) as { head: { sequence: number; hash: string } }
    expect(await json({ path: `/admin/audit/verify?sequence=${head.sequence}&hash=${head.hash}` })).toMatchObject({ ok: true })
    expect(await json({ path: `/admin/audit/verify?sequence=${head.sequence}&hash=${'0'.repeat(64)}` })).toMatchObject({ ok: false, findings: [{ kind: 'anchor_differs' }] })
    expect(await json({ path: '/admin/audit/verify?sequence=9' })).toMatchObject({ status: 400 })
    expect(await json({ path: '/admin/audit?kind=nonsense' })).toMatchObject({ status: 400 })
    expect(await json({ path: '/admin/audit?cursor=nonsense' })).toMatchObject({ status: 400 })
    expect(await json({ path: '/admin/audit?since=yesterday' })).toMatchObject({ status: 400 })
  })
})

describe('the operations log', () => {
  it('takes texts or lists, and gives back entries with their author', async () => {
    service = await startTestService(() => [])
    expect((await ask({ method: 'POST', path: '/admin/operations-log', body: { title: 'Morning check', findings: 'all healthy', actions: 'none' } })).status).toBe(201)
    await ask({ method: 'POST', path: '/admin/operations-log', body: { title: 'Second', findings: ['a', 'b'] } })
    expect(await json({ path: '/admin/operations-log' })).toMatchObject({ entries: [{ title: 'Second', findings: ['a', 'b'], actions: [], author: 'local' }, { title: 'Morning check', findings: ['all healthy'], actions: ['none'] }], nextCursor: null })
  })
})
