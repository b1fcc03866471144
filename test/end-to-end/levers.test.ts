/**
 * Levers of the service as it is composed: they steer real operations, survive a restart with their end, are in force on the
 * other instance of one Redis within a second, and work while Redis is away.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { until } from '../../src/runtime/testing/eventually.ts'
import type { Service } from '../../src/service/serve.ts'
import { startRedisServer, type RedisServer } from '../../src/store/testing/redis-server.ts'
import { targetAt } from '../configuration.ts'
import { startInProcess } from '../in-process-service.ts'

let emulator: Emulator
let folder: string
let services: Service[]

beforeEach(async () => {
  emulator = createEmulator({ clock: createSystemClock(), ports: [0] })
  await emulator.listen()
  folder = mkdtempSync(join(tmpdir(), 'levers-'))
  services = []
})
afterEach(async () => {
  for (const service of services) await service.stop()
  await emulator.close()
  rmSync(folder, { recursive: true })
})

async function start(store: object): Promise<Service> {
  const service = await startInProcess({ targets: [targetAt(emulator.urls[0])], store })
  services.push(service)
  return service
}

async function stop(service: Service): Promise<void> {
  services.splice(services.indexOf(service), 1)
  await service.stop()
}

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly tookMs: number
}

async function ask(service: Service, method: string, path: string, body?: object): Promise<Answer> {
  const startMs = performance.now()
  const response = await fetch(`${service.url}${path}`, { method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) })
  return { status: response.status, body: (await response.json()) as Record<string, unknown>, tookMs: performance.now() - startMs }
}

const whatIsInForce = async (service: Service): Promise<readonly string[]> => ((await ask(service, 'GET', '/admin/status')).body['overrides'] as readonly { what: string }[]).map(({ what }) => what)

const emergency = { operation: 'emergency', prompt: 'x' }
const analysis = { operation: 'standard_analysis', prompt: 'x' }

describe('on SQLite', () => {
  const store = (): object => ({ engine: 'sqlite', path: join(folder, 'store.db') })

  it('levers steer operations, survive a restart, and end on time', async () => {
    let service = await start(store())
    expect((await ask(service, 'POST', '/v1/operations', analysis)).status).toBe(200)
    await ask(service, 'POST', '/admin/maintenance/enable', { reason: 'weekly', duration: 3 })
    expect(await ask(service, 'POST', '/v1/operations', analysis)).toMatchObject({ status: 503, body: { code: 'maintenance' } })
    expect((await ask(service, 'POST', '/v1/operations', emergency)).status).toBe(200)
    const beforeMs = performance.now()
    await stop(service)
    service = await start(store())
    expect((await ask(service, 'POST', '/v1/operations', analysis)).status).toBe(503)
    expect((await ask(service, 'GET', '/health/detailed')).body['overrides']).toMatchObject([{ what: 'maintenance', reason: 'weekly' }])
    await until(async () => (await ask(service, 'POST', '/v1/operations', analysis)).status === 200, 4_000)
    expect(performance.now() - beforeMs).toBeLessThan(4_000)
    expect((await ask(service, 'GET', '/admin/audit/verify')).body).toMatchObject({ ok: true, records: 2 })
    expect(((await ask(service, 'GET', '/admin/audit')).body['records'] as readonly { kind: string }[]).map(({ kind }) => kind)).toEqual(['lever_ended', 'lever'])
    expect(statSync(join(folder, 'store.db.audit-key')).mode & 0o777).toBe(0o600)
  })

  it('isolating the direct client fails emergencies, and restoring it brings them back', async () => {
    const service = await start(store())
    expect((await ask(service, 'POST', '/admin/emergency/isolate-component', { component: 'direct-bedrock-client' })).status).toBe(400)
    expect((await ask(service, 'POST', '/admin/emergency/isolate-component', { component: 'direct-bedrock-client', confirm: true })).status).toBe(200)
    expect(await ask(service, 'POST', '/v1/operations', emergency)).toMatchObject({ status: 503, body: { code: 'no_route_available' } })
    expect((await ask(service, 'GET', '/health')).body['status']).toBe('critical')
    await ask(service, 'POST', '/admin/emergency/restore-component', { component: 'direct-bedrock-client' })
    expect((await ask(service, 'POST', '/v1/operations', emergency)).status).toBe(200)
  })

  it('a reset of breakers is seen in the health of the breakers', async () => {
    const service = await start(store())
    await ask(service, 'POST', '/admin/circuit-breaker/reset', { component: 'direct-bedrock-client', reason: 'Bedrock is back' })
    expect((await ask(service, 'GET', '/health/component/circuit-breaker')).body).toMatchObject({ details: { resets: [{ component: 'direct-bedrock-client', by: 'local', reason: 'Bedrock is back' }] } })
  })

  it('the breakers of one component can be switched off, and the status says whose', async () => {
    const service = await start(store())
    const breakersOf = async (): Promise<unknown> => ((await ask(service, 'GET', '/admin/status')).body['modes'] as { breakers: unknown }).breakers
    expect((await ask(service, 'POST', '/admin/circuit-breaker/disable', { component: 'mcp-router', reason: 'its one server flaps' })).body).toMatchObject({ status: 'applied', component: 'mcp-router' })
    expect(await breakersOf()).toBe('mcp-router off')
    await ask(service, 'POST', '/admin/circuit-breaker/enable', {})
    expect(await breakersOf()).toBe('on')
  })

  it('Bedrock is tested free of charge', async () => {
    const service = await start(store())
    const answer = await ask(service, 'POST', '/admin/bedrock/test', {})
    expect(answer.body['result']).toMatchObject({ targets: [{ target: 'frankfurt', ok: true }], note: expect.stringContaining('no tokens') })
  })

  it('flags take effect without a restart', async () => {
    const service = await start(store())
    const fallbackOf = async (): Promise<string> => ((await ask(service, 'GET', '/v1/routing/matrix')).body['matrix'] as { standard_analysis: { fallback: string } }).standard_analysis.fallback
    expect(await fallbackOf()).toBe('direct')
    await ask(service, 'POST', '/admin/feature-flags/ENABLE_DIRECT_BEDROCK_FALLBACK/disable')
    expect(await fallbackOf()).toBe('none')
    expect((await ask(service, 'POST', '/v1/operations', analysis)).status).toBe(503)
    await ask(service, 'POST', '/admin/feature-flags/ENABLE_DIRECT_BEDROCK_FALLBACK/enable')
    expect((await ask(service, 'POST', '/v1/operations', analysis)).status).toBe(200)
  })
})

describe('on one Redis', () => {
  let redis: RedisServer
  beforeEach(async () => {
    redis = await startRedisServer()
  })
  afterEach(async () => {
    for (const service of services.splice(0)) await service.stop()
    await redis.stop()
  })

  it('a lever is in force on the other instance within a second, is audited once, and both write one chain', async () => {
    const store = { engine: 'redis', url: redis.url }
    const [one, two] = [await start(store), await start(store)]
    const pulled = await ask(one, 'POST', '/admin/maintenance/enable', { duration: 2 })
    expect(pulled.body).toMatchObject({ status: 'applied', audit: 'written', stored: true })
    expect(pulled.tookMs).toBeLessThan(1_000)
    expect(await until(async () => (await whatIsInForce(two)).includes('maintenance'), 1_000)).toBeLessThan(1_000)
    expect((await ask(two, 'POST', '/v1/operations', analysis)).status).toBe(503)
    await ask(two, 'POST', '/admin/emergency/enable', {})
    await until(async () => (await whatIsInForce(one)).length === 1 && (await whatIsInForce(two)).length === 1, 4_000)
    const verified = (await ask(two, 'GET', '/admin/audit/verify')).body
    expect(verified).toMatchObject({ ok: true, records: 3 })
  })

  it('with Redis away a lever works at once, its record comes late, and the other instance learns of it', async () => {
    const store = { engine: 'redis', url: redis.url }
    const [one, two] = [await start(store), await start(store)]
    await redis.kill()
    const pulled = await ask(one, 'POST', '/admin/maintenance/enable', { reason: 'all is down' })
    expect(pulled.body).toMatchObject({ status: 'applied', audit: 'waiting', stored: false })
    expect(pulled.tookMs).toBeLessThan(500)
    expect((await ask(one, 'POST', '/v1/operations', { ...emergency, operation: 'infrastructure' })).status).toBe(503)
    await redis.restart()
    await until(async () => (await whatIsInForce(two)).includes('maintenance'), 10_000)
    await until(async () => ((await ask(one, 'GET', '/admin/status')).body['audit'] as { waiting: number }).waiting === 0, 10_000)
    expect((await ask(two, 'GET', '/admin/audit/verify')).body).toMatchObject({ ok: true, records: 1 })
  })
})
