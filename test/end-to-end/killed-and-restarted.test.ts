/**
 * One `serve` on SQLite is killed with `kill -9` in the middle of an incident and started again: the alert that fired still
 * fires under its name, the lever that ran still runs and ends on time, what was accepted goes on or says why not, and the
 * figures of the night are there.
 *
 * The AWS emulator, the operations MCP server and the receiver of pages run here and outlive the killed process.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isFinal } from '../../src/operation/result.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { eventually } from '../../src/runtime/testing/eventually.ts'
import { targetAt } from '../configuration.ts'
import { openOutsideWorld, type OutsideWorld } from './outside-world.ts'
import { startServiceProcess, type ServiceProcess } from './service-process.ts'

const clock = createSystemClock()
/** Longer than a restart takes on a machine that is busy with other tests. */
const leverSeconds = 15

interface Alert {
  readonly id: string
  readonly rule: string
  readonly status: string
  readonly startedAt: string
}
interface Status {
  readonly overrides: readonly { readonly lever: string; readonly automatic: boolean; readonly until: string | null; readonly auditId: string }[]
}

let world: OutsideWorld
let folder: string
let config: object
let service: ServiceProcess | undefined

beforeAll(async () => {
  world = await openOutsideWorld(clock)
  world.holds = true
  folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-restart-'))
  // Two calls at once, so that some of what is accepted waits in the queue.
  config = world.config({ store: { engine: 'sqlite', path: join(folder, 'store.db') }, targets: [targetAt(world.emulator.url)], concurrency: 2 })
  service = await startServiceProcess(folder, 'service', config)
}, 60_000)

afterAll(async () => {
  await service?.kill()
  await world.close()
  rmSync(folder, { recursive: true, force: true })
})

const alertsOf = async (of: ServiceProcess): Promise<readonly Alert[]> => (await of.read<{ readonly data: { readonly alerts: readonly Alert[] } }>('/health/alerts')).data.alerts
const operationsOf = (of: ServiceProcess): Promise<{ readonly operations: number; readonly complete: boolean }> => of.read('/metrics/performance')

/** Until what has been counted is on disk: a crash may lose the last seconds of figures, and nothing else. */
async function untilFiguresAreWritten(of: ServiceProcess): Promise<void> {
  const countedAtMs = clock.nowMs()
  await eventually(
    () => of.read<{ readonly details: { readonly lastWriteAt: string | null } }>('/health/component/metrics-publisher'),
    ({ details }) => details.lastWriteAt !== null && Date.parse(details.lastWriteAt) > countedAtMs,
    25_000,
  )
}

it('a service that is killed in an incident goes on with it after its restart', async () => {
  if (service === undefined) throw new Error('it did not start')
  const before = service
  for (let count = 0; count < 3; count += 1) expect((await before.ask('POST', '/v1/operations', { operation: 'emergency', prompt: 'Is the disk full?', maxTokens: 16 })).status).toBe(200)
  expect(await operationsOf(before)).toMatchObject({ operations: 3 })

  // An incident: direct is down, an alert fires and a route is preferred, the operator forces one.
  world.emulator.faults.set([{ kind: 'refused' }])
  const { seen: firing } = await eventually(() => alertsOf(before), (alerts) => alerts.length === 1, 15_000)
  await eventually(() => world.pages, (told) => told.length === 1, 5_000)
  await untilFiguresAreWritten(before)
  const ids = await Promise.all(Array.from({ length: 5 }, () => before.submit({ operation: 'background_task' })))
  const waits = before.ask('POST', '/v1/operations', { operation: 'kiro_communication', prompt: 'Whose caller is gone' }).catch(() => undefined)
  await eventually(() => world.held.size, (size) => size === 2, 10_000)
  const { seen: listed } = await eventually(() => before.read<{ readonly operations: readonly { readonly id: string }[] }>('/v1/operations?operation=kiro_communication'), ({ operations }) => operations.length === 1, 5_000)
  const orphan = listed.operations[0]?.id ?? ''
  const pulledMs = performance.now()
  const pulled = JSON.parse((await before.ask('POST', '/admin/routing/force-mcp', { reason: 'direct is down', duration: leverSeconds })).text) as { readonly auditId: string }

  const short = await before.submit({ operation: 'background_task', latencyMs: 750 })
  const shortEndsMs = Date.parse((await before.result(short)).createdAt) + 1_500

  await before.kill()
  await waits
  world.holds = false
  for (const answer of world.held.values()) answer()
  // The service stays away until one of what it had accepted has no time left.
  await eventually(() => clock.nowMs(), (nowMs) => nowMs > shortEndsMs, 5_000)
  const after = await startServiceProcess(folder, 'service', config)
  service = after

  const { seen: still } = await eventually(() => alertsOf(after), (alerts) => alerts.length === 1, 5_000)
  expect(still).toMatchObject([{ id: firing[0]?.id, rule: 'direct-bedrock-unavailable', status: 'firing', startedAt: firing[0]?.startedAt }])
  const { overrides } = await after.read<Status>('/admin/status')
  expect(overrides.find(({ automatic }) => !automatic)).toMatchObject({ lever: 'force-mcp', auditId: pulled.auditId })
  expect(performance.now() - pulledMs).toBeLessThan(leverSeconds * 1_000)
  await eventually(() => after.read<Status>('/admin/status'), (status) => status.overrides.every(({ automatic }) => automatic), leverSeconds * 1_000 + 5_000)
  const undoneMs = performance.now() - pulledMs
  expect(undoneMs).toBeGreaterThan(leverSeconds * 1_000 - 100)
  expect(undoneMs).toBeLessThan(leverSeconds * 1_000 + 3_000)

  const { seen: ended } = await eventually(() => Promise.all(ids.map((id) => after.result(id))), (results) => results.every(({ status }) => isFinal(status)), 40_000)
  expect(ended.map(({ status }) => status)).toEqual(ids.map(() => 'succeeded'))
  const { seen: late } = await eventually(() => after.result(short), ({ status }) => isFinal(status), 30_000)
  expect(late).toMatchObject({ status: 'expired', reason: 'hard_timeout', error: { code: 'deadline_exceeded' } })
  const { seen: gone } = await eventually(() => after.result(orphan), ({ status }) => status !== undefined && isFinal(status), 30_000)
  expect(gone).toMatchObject({ status: 'expired', reason: 'caller_gone' })

  const { seen: figures } = await eventually(() => operationsOf(after), ({ complete }) => complete, 5_000)
  expect(figures.operations).toBeGreaterThanOrEqual(3)
  expect(await after.read('/admin/audit/verify')).toMatchObject({ ok: true, findings: [] })

  world.emulator.faults.set([])
  await eventually(() => world.pages, (told) => told.at(-1)?.event === 'resolved', 15_000)
  expect(world.pages.at(-1)).toMatchObject({ dedupKey: world.pages[0]?.dedupKey, alerts: [{ id: firing[0]?.id, status: 'resolved' }] })
  expect(new Set(world.pages.map(({ dedupKey }) => dedupKey)).size).toBe(1)
}, 120_000)
