/**
 * Two `serve` processes on one real Redis are one service: an operation belongs to both, levers and alerts hold for both,
 * figures speak for both, and when one is killed the other takes over what it held.
 *
 * The AWS emulator, the operations MCP server and the receiver of pages run here and outlive the killed process. The tests
 * are one story in order: the last one kills an instance.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventsOf } from '../../src/http/testing/test-service.ts'
import { isFinal, type OperationResult } from '../../src/operation/result.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { eventually } from '../../src/runtime/testing/eventually.ts'
import { startRedisServer, type RedisServer } from '../../src/store/testing/redis-server.ts'
import { model, targetAt } from '../configuration.ts'
import { openOutsideWorld, type OutsideWorld } from './outside-world.ts'
import { startServiceProcess, type ServiceProcess } from './service-process.ts'

const clock = createSystemClock()

let redis: RedisServer
let world: OutsideWorld
let folder: string
let first: ServiceProcess
let second: ServiceProcess

beforeAll(async () => {
  ;[redis, world] = await Promise.all([startRedisServer(), openOutsideWorld(clock, [{ kind: 'latency', firstTokenMs: { p50: 20, p99: 40 }, perTokenMs: { p50: 1, p99: 2 } }])])
  folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-two-'))
  const { url } = world.emulator
  const config = world.config({ store: { engine: 'redis', url: redis.url }, targets: [targetAt(url), targetAt(url, 'silent', 'fault.hang')] })
  ;[first, second] = await Promise.all([startServiceProcess(folder, 'first', config), startServiceProcess(folder, 'second', config)])
}, 180_000)

afterAll(async () => {
  await Promise.all([first?.kill(), second?.kill()])
  await world.close()
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function inFlight(service: ServiceProcess): Promise<number> {
  return Number(/^hybrid_routing_operations_in_flight (\d+)$/m.exec((await service.ask('GET', '/metrics')).text)?.[1])
}

/** Which of both carries out the one operation that runs. */
async function whereItRuns(): Promise<{ readonly runner: ServiceProcess; readonly other: ServiceProcess }> {
  const { seen } = await eventually(() => Promise.all([inFlight(first), inFlight(second)]), ([a, b]) => a + b === 1, 10_000)
  return seen[0] === 1 ? { runner: first, other: second } : { runner: second, other: first }
}

describe('an operation', () => {
  it('that one accepted is read, listed and followed through the other', async () => {
    const id = await first.submit({ operation: 'infrastructure', modelId: model })
    const followed = second.ask('GET', `/v1/operations/${id}/events`)
    const { seen } = await eventually(() => second.result(id), ({ status }) => isFinal(status), 10_000)
    expect(seen).toMatchObject({ id, status: 'succeeded', route: 'direct', target: 'frankfurt' })
    expect(await first.result(id)).toEqual(seen)
    expect((await second.ask('GET', '/v1/operations?limit=10')).text).toContain(id)

    const events = eventsOf((await followed).text)
    expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['decision', 'delta', 'result']))
    expect(events.map(({ data }) => (typeof data['text'] === 'string' ? data['text'] : '')).join('')).toBe(seen.output?.text)
    expect(events.at(-1)?.data).toMatchObject({ id, status: 'succeeded' })
    // Wherever it is told, it is told with the same numbers: a client may resume at the other one.
    expect(eventsOf((await first.ask('GET', `/v1/operations/${id}/events`)).text).at(-1)?.id).toBe(events.at(-1)?.id)
    expect(eventsOf((await first.ask('GET', `/v1/operations/${id}/events`, undefined, { 'last-event-id': String((events.at(-1)?.id ?? 0) - 1) })).text)).toEqual([events.at(-1)])
  })

  it('that runs on one is cancelled through the other within a second, upstream included', async () => {
    const id = await first.submit({ operation: 'infrastructure', modelId: 'fault.hang' })
    const { runner, other } = await whereItRuns()
    const startMs = performance.now()
    expect(JSON.parse((await other.ask('DELETE', `/v1/operations/${id}`)).text)).toMatchObject({ id, status: 'cancelled' })
    await eventually(() => inFlight(runner), (count) => count === 0, 1_000)
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(await runner.result(id)).toMatchObject({ status: 'cancelled' })
  })

  it('over MCP is cancelled through the other too, and its tool call with it', async () => {
    world.holds = true
    const id = await first.submit({ operation: 'background_task' })
    await eventually(() => world.held.has(id), (isHeld) => isHeld, 10_000)
    const { other } = await whereItRuns()
    await other.ask('DELETE', `/v1/operations/${id}`)
    await eventually(() => world.held.has(id), (isHeld) => !isHeld, 1_000)
    world.holds = false
    expect(await other.result(id)).toMatchObject({ status: 'cancelled' })
  })

  it('whose caller waits at one under a key is known to the other, where a repeat waits for it and a cancellation ends it', async () => {
    const body = { operation: 'infrastructure', prompt: 'Is the disk full?', modelId: 'fault.hang' }
    const key = { 'idempotency-key': 'waits' }
    const caller = first.ask('POST', '/v1/operations', body, key)
    const { seen } = await eventually(() => first.read<Listed>('/v1/operations?status=running'), ({ operations }) => operations.length === 1, 10_000)
    const id = seen.operations[0]?.id ?? ''
    expect(await second.result(id)).toMatchObject({ id, status: 'running' })
    const repeat = second.ask('POST', '/v1/operations', body, key)

    const startMs = performance.now()
    expect(JSON.parse((await second.ask('DELETE', `/v1/operations/${id}`)).text)).toMatchObject({ id, status: 'cancelled' })
    const answered = await caller
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(JSON.parse(answered.text)).toMatchObject({ operationId: id })
    const repeated = await repeat
    expect([repeated.status, (JSON.parse(repeated.text) as { operationId: string }).operationId]).toEqual([answered.status, id])
    expect(await inFlight(second)).toBe(0)
  })

  it('without a key, on the direct path, is read, followed and cancelled through the other while its caller waits', async () => {
    const caller = first.ask('POST', '/v1/operations', { operation: 'infrastructure', prompt: 'Is the disk full?', modelId: 'fault.hang' })
    const { seen } = await eventually(() => first.read<Listed>('/v1/operations?status=running'), ({ operations }) => operations.length === 1, 10_000)
    const id = seen.operations[0]?.id ?? ''
    expect(await second.result(id)).toMatchObject({ id, status: 'running', decision: { route: 'direct' } })
    const followed = second.ask('GET', `/v1/operations/${id}/events`)

    const startMs = performance.now()
    expect(JSON.parse((await second.ask('DELETE', `/v1/operations/${id}`)).text)).toMatchObject({ id, status: 'cancelled' })
    const answered = await caller
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(JSON.parse(answered.text)).toMatchObject({ operationId: id })
    expect(eventsOf((await followed).text).at(-1)).toMatchObject({ event: 'error', data: { operationId: id } })
    expect((await second.ask('GET', '/v1/operations/op_00000000000000000000000000')).status).toBe(404)
  })

  it('that bound its key at one is replayed by the other; another body under the key is a conflict', async () => {
    const body = { operation: 'infrastructure', prompt: 'Is the disk full?', modelId: model, maxTokens: 64 }
    const answer = await first.ask('POST', '/v1/operations', body, { 'idempotency-key': 'sync' })
    expect(answer.status).toBe(200)
    const replayed = await second.ask('POST', '/v1/operations', body, { 'idempotency-key': 'sync' })
    expect(JSON.parse(replayed.text)).toEqual(JSON.parse(answer.text))
    expect((await second.ask('POST', '/v1/operations', { ...body, prompt: 'Another question' }, { 'idempotency-key': 'sync' })).status).toBe(409)

    const ids = await Promise.all([first, second, first, second].map((service) => service.submit({ operation: 'infrastructure', modelId: model }, { 'idempotency-key': 'async' })))
    expect(new Set(ids).size).toBe(1)
  })
})

describe('a lever', () => {
  it('that is pulled at one is in force at both within a second, undone at both on time, and audited once', async () => {
    const decided = async (service: ServiceProcess): Promise<{ readonly route: string }> =>
      JSON.parse((await service.ask('POST', '/v1/routing/decide', { operation: 'infrastructure', prompt: 'x' })).text) as { readonly route: string }
    expect(await decided(second)).toMatchObject({ route: 'direct' })
    const pulledMs = performance.now()
    const { status, text } = await first.ask('POST', '/admin/routing/force-mcp', { reason: 'a proof', duration: 2 })
    expect(performance.now() - pulledMs).toBeLessThan(1_000)
    expect(status).toBe(200)
    const { auditId } = JSON.parse(text) as { readonly auditId: string }
    expect(await decided(first)).toMatchObject({ route: 'mcp' })
    await eventually(() => decided(second), ({ route }) => route === 'mcp', 1_000)
    expect(performance.now() - pulledMs).toBeLessThan(1_000)
    for (const service of [first, second]) expect((await service.read<Status>('/admin/status')).overrides).toMatchObject([{ lever: 'force-mcp', reason: 'a proof', auditId }])

    for (const service of [first, second]) await eventually(() => decided(service), ({ route }) => route === 'direct', 5_000)
    const overMs = performance.now() - pulledMs
    expect(overMs).toBeGreaterThan(1_900)
    expect(overMs).toBeLessThan(3_000)
    await eventually(() => Promise.all([first, second].map((service) => service.read<Status>('/admin/status'))), (both) => both.every(({ overrides }) => overrides.length === 0), 1_000)

    const { seen } = await eventually(() => second.read<Trail>('/admin/audit?limit=100'), ({ records }) => records.some(({ kind }) => kind === 'lever_ended'), 2_000)
    expect(seen.records.filter(({ what }) => what === 'force-mcp').map(({ kind }) => kind)).toEqual(['lever_ended', 'lever'])
  })

  it('leaves one chain of records, whoever wrote them', async () => {
    const pulls = [first, second, first, second].map((service, index) => service.ask('POST', '/admin/routing/bedrock-percentage', { percentage: 90 + index, reason: `number ${index}` }))
    expect((await Promise.all(pulls)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    await second.ask('POST', '/admin/routing/bedrock-percentage', { percentage: 100 })
    const { seen } = await eventually(() => second.read<Trail>('/admin/audit?limit=100'), ({ records }) => records.filter(({ what }) => what === 'bedrock-percentage').length === 5, 2_000)
    expect(seen.records.filter(({ reason }) => reason?.startsWith('number'))).toHaveLength(4)
    for (const service of [first, second]) expect(await service.read<Verified>('/admin/audit/verify')).toMatchObject({ ok: true, findings: [], records: seen.records.length })
  })
})

async function activeAlerts(service: ServiceProcess): Promise<readonly Alert[]> {
  return (await service.read<Alerts>('/health/alerts')).data.alerts
}

describe('an alert', () => {
  it('of two instances is one page; whoever acknowledges it, both know', async () => {
    world.emulator.faults.set([{ kind: 'refused' }])
    const firing = await Promise.all([first, second].map((service) => eventually(() => activeAlerts(service), (alerts) => alerts.some(({ status }) => status === 'firing'), 15_000)))
    const ids = firing.map(({ seen }) => seen.map(({ id }) => id))
    expect(ids[0]).toHaveLength(1)
    expect(ids[0]).toEqual(ids[1])
    await eventually(() => world.pages, (told) => told.length > 0, 5_000)
    const id = ids[0]?.[0] ?? ''

    // The automatic action is the alert's, taken once and visible at both.
    for (const service of [first, second]) await eventually(() => service.read<Status>('/admin/status'), ({ overrides }) => overrides.some(({ automatic }) => automatic), 2_000)
    expect((await second.ask('POST', `/health/alerts/${id}/acknowledge`, {})).status).toBe(200)
    await eventually(() => activeAlerts(first), (alerts) => alerts.some(({ status }) => status === 'acknowledged'), 2_000)
    await eventually(() => world.pages, (told) => told.some(({ event }) => event === 'acknowledged'), 5_000)
    // A receiver joins repeats by the key; here there are none to join.
    expect(world.pages.map(({ event }) => event)).toEqual(['firing', 'acknowledged'])
    expect(new Set(world.pages.map(({ dedupKey }) => dedupKey)).size).toBe(1)

    world.emulator.faults.set([])
    for (const service of [first, second]) await eventually(() => activeAlerts(service), (alerts) => alerts.length === 0, 15_000)
    await eventually(() => world.pages, (told) => told.length === 3, 5_000)
    expect(world.pages.map(({ event }) => event)).toEqual(['firing', 'acknowledged', 'resolved'])
    for (const service of [first, second]) await eventually(() => service.read<Status>('/admin/status'), ({ overrides }) => overrides.length === 0, 2_000)
    const { records } = await second.read<Trail>('/admin/audit?kind=automatic&limit=100')
    expect(records).toHaveLength(2)
  }, 60_000)
})

/** Operations of the last hour, by the figures. */
async function count(service: ServiceProcess, scope: 'all' | 'instance'): Promise<number> {
  return (await service.read<{ operations: number }>(`/metrics/performance?window=1h&scope=${scope}`)).operations
}

/** Until what has been counted so far is in the store: a crash loses the figures of the last seconds, and nothing else. */
async function untilFiguresAreWritten(service: ServiceProcess): Promise<void> {
  const countedAtMs = clock.nowMs()
  const lastWriteAt = async (): Promise<string | null> => (await service.read<{ readonly details: { readonly lastWriteAt: string | null } }>('/health/component/metrics-publisher')).details.lastWriteAt
  await eventually(lastWriteAt, (at) => at !== null && Date.parse(at) > countedAtMs, 25_000)
}

describe('when one of them is killed', () => {
  it('the other takes over what it held, evaluates the alerts, speaks for what it did, and goes on with the audit', async () => {
    // Each has something to tell of, whoever claimed the messages before.
    for (const service of [first, second]) expect((await service.ask('POST', '/v1/operations', { operation: 'emergency', prompt: 'x', modelId: model, maxTokens: 16 })).status).toBe(200)
    world.emulator.faults.set([{ kind: 'refused' }])
    const { seen: firing } = await eventually(() => activeAlerts(first), (alerts) => alerts.some(({ status }) => status === 'firing'), 15_000)
    await eventually(() => world.pages, (told) => told.at(-1)?.event === 'firing', 5_000)
    // The one that evaluates is killed: that is the harder case.
    const role = async (service: ServiceProcess): Promise<string | undefined> => (await service.read<Parts>('/health/component/alert-manager')).details.parts.find((part) => part.role !== undefined)?.role
    const { seen: roles } = await eventually(() => Promise.all([role(first), role(second)]), (both) => both.includes('evaluating') && both.includes('standing_by'), 5_000)
    const [victim, survivor] = roles[0] === 'evaluating' ? [first, second] : [second, first]

    world.holds = true
    const ofTheVictim = await count(victim, 'instance')
    const keyed = victim.ask('POST', '/v1/operations', { operation: 'background_task', prompt: 'keyed' }, { 'idempotency-key': 'outlives' }).catch(() => undefined)
    // Either of them may be quicker to claim a message: until this one has some, there are more.
    const ids: string[] = []
    while (ids.length < 4 || (ids.length < 16 && (await inFlight(victim)) < 3)) ids.push(await victim.submit({ operation: 'background_task' }))
    await eventually(() => world.held.size, (size) => size === ids.length + 1, 10_000)
    expect(await inFlight(victim)).toBeGreaterThanOrEqual(3)
    await untilFiguresAreWritten(victim)
    const before = world.asked.size
    await victim.kill()
    await keyed
    world.holds = false
    for (const answer of world.held.values()) answer()

    // Its lease of the alerts is over within moments.
    await eventually(() => role(survivor), (now) => now === 'evaluating', 10_000)
    expect(await activeAlerts(survivor)).toMatchObject([{ id: firing[0]?.id, status: 'firing' }])
    world.emulator.faults.set([])
    await eventually(() => world.pages, (told) => told.at(-1)?.event === 'resolved', 15_000)
    expect(world.pages.at(-1)).toMatchObject({ alerts: [{ id: firing[0]?.id }] })
    expect(new Set(world.pages.map(({ dedupKey }) => dedupKey)).size).toBe(1)

    const { seen, tookMs } = await eventually(() => Promise.all(ids.map((id) => survivor.result(id))), (results) => results.every(({ status }) => isFinal(status)), 40_000)
    expect(seen.map(({ status }) => status)).toEqual(ids.map(() => 'succeeded'))
    expect(tookMs).toBeLessThan(30_000)
    // Nothing new was asked for: what came again came under its own name, by which the tool's server knows it.
    expect(world.asked.size).toBe(before)

    const repeated = await survivor.ask('POST', '/v1/operations', { operation: 'background_task', prompt: 'keyed' }, { 'idempotency-key': 'outlives' })
    expect([repeated.status, JSON.parse(repeated.text)]).toMatchObject([200, { status: 'succeeded' }])
    // Figures speak for both, also for the one that is gone, and with ?scope=instance for one.
    expect(ofTheVictim).toBeGreaterThan(0)
    await eventually(async () => (await count(survivor, 'all')) - (await count(survivor, 'instance')), (others) => others === ofTheVictim, 25_000)
    expect(await count(survivor, 'instance')).toBeGreaterThanOrEqual(ids.length)
    expect(await survivor.read<Verified>('/admin/audit/verify')).toMatchObject({ ok: true, findings: [] })
    expect((await survivor.ask('GET', '/health')).status).toBe(200)
  }, 120_000)
})

interface Parts {
  readonly details: { readonly parts: readonly { readonly role?: string }[] }
}
interface Listed {
  readonly operations: readonly OperationResult[]
}
interface Status {
  readonly overrides: readonly { readonly lever: string; readonly automatic: boolean }[]
}
interface Trail {
  readonly records: readonly { readonly kind: string; readonly what: string; readonly reason: string | null }[]
}
interface Verified {
  readonly ok: boolean
  readonly records: number
}
interface Alert {
  readonly id: string
  readonly status: string
}
interface Alerts {
  readonly data: { readonly alerts: readonly Alert[] }
}
