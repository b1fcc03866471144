/**
 * Health and metrics of the service as it is composed, against the AWS emulator on two ports, one for each region: what the
 * on-call engineer sees when a region goes down, when all do, and when they come back.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { healthCommand } from '../../src/cli/health-command.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import { speakHttp1 } from '../../src/http/testing/test-service.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { eventually, until } from '../../src/runtime/testing/eventually.ts'
import type { Service } from '../../src/service/serve.ts'
import { model, targetAt } from '../configuration.ts'
import { startInProcess } from '../in-process-service.ts'

let emulator: Emulator
let service: Service
let folder: string

beforeEach(async () => {
  emulator = createEmulator({ clock: createSystemClock(), ports: [0, 0] })
  await emulator.listen()
  folder = mkdtempSync(join(tmpdir(), 'health-'))
  service = await start()
})
afterEach(async () => {
  await service.stop()
  await emulator.close()
  rmSync(folder, { recursive: true })
})

async function start(): Promise<Service> {
  const [first, second] = emulator.urls
  return startInProcess({
    targets: [targetAt(first), targetAt(second, 'ireland', model, 'eu-west-1')],
    store: { engine: 'sqlite', path: join(folder, 'store.db') },
    health: { intervalMs: 100, undecidedIntervalMs: 100, timeoutMs: 1_000, trustTrafficMs: 500 },
  })
}

interface Shown {
  readonly status: string
  readonly components: Readonly<Record<string, { readonly status: string; readonly message: string; readonly details: { readonly enabled: boolean } }>>
  readonly summary: Readonly<Record<string, number>>
  readonly metrics: Readonly<Record<string, unknown>>
  readonly alerts: readonly unknown[]
  readonly overrides: readonly unknown[]
}

async function get(path: string): Promise<{ readonly status: number; readonly text: string }> {
  return speakHttp1(Number(new URL(service.url).port), { path })
}

async function json<Body>(path: string): Promise<Body> {
  return JSON.parse((await get(path)).text) as Body
}

async function becomes(status: string): Promise<Shown> {
  const { seen } = await eventually(() => json<Shown>('/health/detailed'), (health) => health.status === status, 8_000)
  return seen
}

function takeDown(...urls: readonly (string | undefined)[]): void {
  emulator.faults.set(urls.map((url) => ({ kind: 'refused', target: { port: Number(new URL(url ?? '').port) } })))
}

async function submit(operation: string): Promise<{ readonly status: number; readonly text: string }> {
  return speakHttp1(Number(new URL(service.url).port), { path: '/v1/operations', body: { operation, prompt: 'Is the disk full?' } })
}

async function command(): Promise<{ readonly code: number; readonly text: string }> {
  let text = ''
  const terminal = { environment: {}, workingDirectory: folder, out: (more: string) => (text += more), err: () => undefined, readInput: () => Promise.resolve(''), onSignal: () => () => undefined } as unknown as Terminal
  return { code: await healthCommand({ json: false, url: service.url }, terminal), text }
}

describe('the health of a running service', () => {
  it('is degraded with a region down, critical with all down and the emergency row without a route, and recovers by itself', async () => {
    const [first, second] = emulator.urls
    while ((await becomes('healthy')).summary['unknown'] !== 0) await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await get('/health')).status).toBe(200)
    expect(await command()).toMatchObject({ code: 0, text: expect.stringMatching(/^healthy: [\s\S]*direct-bedrock-client +healthy[\s\S]*Error rate/) as unknown })

    takeDown(first)
    const degraded = await becomes('degraded')
    expect(degraded.components['direct-bedrock-client']).toMatchObject({ status: 'degraded', message: expect.stringMatching(/^1 of 2 healthy; frankfurt is critical: /) as unknown })
    expect((await get('/health')).status).toBe(200)
    // The view learned it: the operation does not try the region that is down.
    const answered = await submit('emergency')
    expect(JSON.parse(answered.text)).toMatchObject({ status: 'succeeded', target: 'ireland', attempts: [{ number: 1, target: 'ireland' }] })

    takeDown(first, second)
    const critical = await becomes('critical')
    expect(critical.components['direct-bedrock-client']?.status).toBe('critical')
    expect([(await get('/health')).status, (await get('/health/detailed')).status, (await get('/health/live')).status, (await get('/health/ready')).status]).toEqual([503, 503, 200, 200])
    expect(await command()).toMatchObject({ code: 1, text: expect.stringMatching(/^critical: /) as unknown })
    // Reordered, never refused: with all down an emergency is tried all the same.
    expect((JSON.parse((await submit('emergency')).text) as { code: string }).code).not.toBe('no_route_available')

    emulator.faults.set([])
    await becomes('healthy')
  }, 30_000)

  it('has the contract’s shape', async () => {
    await becomes('healthy')
    await submit('emergency')
    const health = await json<Shown>('/health/detailed')
    expect(Object.keys(health)).toEqual(expect.arrayContaining(['status', 'timestamp', 'uptime', 'version', 'components', 'summary', 'metrics', 'alerts', 'overrides']))
    expect(Object.keys(health.components)).toEqual(expect.arrayContaining(['hybrid-router', 'direct-bedrock-client', 'mcp-router', 'health-checker', 'metrics-publisher', 'log-aggregator', 'message-queue', 'circuit-breaker']))
    for (const component of Object.values(health.components)) expect(Object.keys(component)).toEqual(['status', 'message', 'responseTime', 'lastCheck', 'since', 'details'])
    expect(health.components['mcp-router']?.details.enabled).toBe(false)
    expect(Object.values(health.summary).reduce((sum, count) => sum + count, 0)).toBe(Object.values(health.components).filter((component) => component.details.enabled).length)
    expect(health.metrics).toMatchObject({ errorRate: 0, fallbackRate: 0, latency: { emergency: { p50: expect.any(Number) as unknown }, background_task: { p50: null } } })
  })

  it('is there for one component by name and alias; an unknown name is told the known ones', async () => {
    while ((await becomes('healthy')).summary['unknown'] !== 0) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await json('/health/component/bedrock-client')).toMatchObject({ name: 'direct-bedrock-client', status: 'healthy' })
    const unknown = await get('/health/component/cache-layer')
    expect([unknown.status, unknown.text]).toEqual([404, expect.stringContaining('direct-bedrock-client')])
    expect((await get('/health/component/%00')).status).toBe(404)
  })

  it('is a page for a person, without a script and with its own style only', async () => {
    const page = await speakHttp1(Number(new URL(service.url).port), { path: '/health/status' })
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; /)
    expect(page.text).toContain('direct-bedrock-client')
    expect(page.text).not.toMatch(/<script|style="|https?:/)
  })
})

describe('the figures of a running service', () => {
  it('are of the operations that it answered, in Prometheus’ text and in every view', async () => {
    await submit('emergency')
    await submit('background_task')
    await submit('emergency')
    expect((await get('/metrics')).text).toContain('hybrid_routing_operations_total{operation="emergency",route="direct",status="succeeded"} 2')
    expect(await json('/metrics/routing-distribution?window=5m')).toMatchObject({ operations: 3, byRoute: { direct: 3, mcp: 0, none: 0 }, byOperation: { emergency: { direct: 2 } } })
    expect(await json('/metrics/performance')).toMatchObject({ window: '24h', operations: 3, byOperation: { emergency: { operations: 2, slaAttainment: 1 } } })
    expect(await json('/metrics/error-breakdown?scope=instance')).toMatchObject({ errorRate: 0, faults: [], scope: 'instance' })
    expect(await json('/metrics/cache-hit-rate')).toMatchObject({ enabled: false, hitRate: null })
    expect(await json('/metrics/cost-breakdown')).toMatchObject({ currency: 'USD', byOperation: { emergency: expect.any(Number) as unknown } })
    expect(await json('/metrics/routing-efficiency')).toMatchObject({ target: 0.8, decisions: 3 })
  })

  it.each(['window=', 'window=5', 'window=0m', 'window=25h', 'window=9s', 'window=1m&window=2m', 'scope=me', 'windows=5m'])('of ?%s are refused', async (query) => {
    const answer = await get(`/metrics/performance?${query}`)
    expect([answer.status, (JSON.parse(answer.text) as { code: string }).code]).toEqual([400, 'invalid_request'])
  })

  it('outlive a restart', async () => {
    await submit('emergency')
    await service.stop()
    service = await start()
    await until(async () => (await json<{ complete: boolean }>('/metrics/performance')).complete)
    expect(await json('/metrics/performance')).toMatchObject({ operations: 1 })
    expect(await json('/metrics/performance?scope=instance')).toMatchObject({ operations: 0 })
  })
})
