/**
 * One `serve` on SQLite is killed with `kill -9` in the middle of an incident and started again: the alert that fired still
 * fires under its name, the lever that ran still runs and ends on time, what was accepted goes on or says why not, and the
 * figures of the night are there.
 *
 * The AWS emulator, the operations MCP server and the receiver of pages run here and outlive the killed process.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runbookRules } from '../../src/alerts/rules.ts'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import { isFinal } from '../../src/operation/result.ts'
import type { ExecutionEnd } from '../../src/operations-server/execution.ts'
import { createOperationsServer, type OperationsServer } from '../../src/operations-server/operations-server.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { emulatorCredentials, eventually, startServiceProcess, type ServiceProcess } from './service-process.ts'

const clock = createSystemClock()

interface Page {
  readonly event: string
  readonly dedupKey: string
  readonly alerts: readonly { readonly id: string; readonly status: string }[]
}
interface Alert {
  readonly id: string
  readonly rule: string
  readonly status: string
  readonly startedAt: string
}
interface Status {
  readonly overrides: readonly { readonly lever: string; readonly automatic: boolean; readonly until: string | null; readonly auditId: string }[]
}

let emulator: Emulator
let tools: OperationsServer
let folder: string
let config: object
let service: ServiceProcess | undefined
const held = new Map<string, () => void>()
let holds = true
const pages: Page[] = []
const pager = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk: Buffer) => (body += chunk.toString()))
  request.on('end', () => {
    pages.push(JSON.parse(body) as Page)
    response.writeHead(204).end()
  })
})

beforeAll(async () => {
  emulator = createEmulator({ clock, seed: 1 })
  tools = createOperationsServer({
    clock,
    execute: ({ operationId }, { signal }) =>
      new Promise<ExecutionEnd>((resolve) => {
        const answer = (): void => {
          held.delete(operationId)
          resolve({ kind: 'answer', answer: { message: { role: 'assistant', content: [{ text: `done ${operationId}` }] }, stopReason: 'end_turn', usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 } } })
        }
        if (!holds) return answer()
        held.set(operationId, answer)
        signal.addEventListener('abort', () => {
          held.delete(operationId)
          resolve({ kind: 'cancelled' })
        })
      }),
  })
  await new Promise<void>((resolve) => pager.listen(0, '127.0.0.1', resolve))
  const [{ url: toolsUrl }] = await Promise.all([tools.listen(0), emulator.listen()])
  folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-restart-'))
  config = {
    server: { port: 0 },
    logs: { level: 'error' },
    store: { engine: 'sqlite', path: join(folder, 'store.db') },
    direct: { targets: [{ id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0', endpoint: emulator.url }], credentials: emulatorCredentials },
    // Two calls at once, so that some of what is accepted waits in the queue.
    mcp: { servers: { ops: { url: toolsUrl, concurrency: 2 } }, routes: { default: { servers: ['ops'], tool: 'execute_operation', carries: 'converse', repeatable: true } } },
    routing: { matrix: { background_task: { fallback: 'none' } } },
    health: { intervalMs: 200, undecidedIntervalMs: 100, timeoutMs: 1_000, trustTrafficMs: 500 },
    alerts: {
      tickMs: 200,
      notify: [{ type: 'webhook', url: `http://127.0.0.1:${(pager.address() as AddressInfo).port}/page` }],
      rules: Object.fromEntries(runbookRules.map(({ name }) => [name, name === 'direct-bedrock-unavailable' ? { forMs: 400, clearMs: 400 } : { enabled: false }])),
    },
  }
  service = await startServiceProcess(folder, 'service', config)
}, 60_000)

afterAll(async () => {
  await service?.kill()
  await tools.close()
  await emulator.close()
  pager.closeAllConnections()
  pager.close()
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
  emulator.faults.set([{ kind: 'refused' }])
  const { seen: firing } = await eventually(() => alertsOf(before), (alerts) => alerts.length === 1, 15_000)
  await eventually(() => Promise.resolve(pages), (told) => told.length === 1, 5_000)
  await untilFiguresAreWritten(before)
  const ids = await Promise.all(Array.from({ length: 5 }, () => before.submit({ operation: 'background_task' })))
  const waits = before.ask('POST', '/v1/operations', { operation: 'kiro_communication', prompt: 'Whose caller is gone' }).catch(() => undefined)
  await eventually(() => Promise.resolve(held.size), (size) => size === 2, 10_000)
  const { seen: listed } = await eventually(() => before.read<{ readonly operations: readonly { readonly id: string }[] }>('/v1/operations?operation=kiro_communication'), ({ operations }) => operations.length === 1, 5_000)
  const orphan = listed.operations[0]?.id ?? ''
  const pulledMs = performance.now()
  const pulled = JSON.parse((await before.ask('POST', '/admin/routing/force-mcp', { reason: 'direct is down', duration: 6 })).text) as { readonly auditId: string }

  const short = await before.submit({ operation: 'background_task', latencyMs: 750 })
  const shortEndsMs = Date.parse((await before.result(short)).createdAt) + 1_500

  await before.kill()
  await waits
  holds = false
  for (const answer of held.values()) answer()
  // The service stays away until one of what it had accepted has no time left.
  await eventually(() => Promise.resolve(clock.nowMs()), (nowMs) => nowMs > shortEndsMs, 5_000)
  const after = await startServiceProcess(folder, 'service', config)
  service = after

  const { seen: still } = await eventually(() => alertsOf(after), (alerts) => alerts.length === 1, 5_000)
  expect(still).toMatchObject([{ id: firing[0]?.id, rule: 'direct-bedrock-unavailable', status: 'firing', startedAt: firing[0]?.startedAt }])
  const { overrides } = await after.read<Status>('/admin/status')
  expect(overrides.find(({ automatic }) => !automatic)).toMatchObject({ lever: 'force-mcp', auditId: pulled.auditId })
  expect(performance.now() - pulledMs).toBeLessThan(6_000)
  await eventually(() => after.read<Status>('/admin/status'), (status) => status.overrides.every(({ automatic }) => automatic), 15_000)
  const undoneMs = performance.now() - pulledMs
  expect(undoneMs).toBeGreaterThan(5_900)
  expect(undoneMs).toBeLessThan(7_500)

  const { seen: ended } = await eventually(() => Promise.all(ids.map((id) => after.result(id))), (results) => results.every(({ status }) => isFinal(status)), 40_000)
  expect(ended.map(({ status }) => status)).toEqual(ids.map(() => 'succeeded'))
  const { seen: late } = await eventually(() => after.result(short), ({ status }) => isFinal(status), 30_000)
  expect(late).toMatchObject({ status: 'expired', reason: 'hard_timeout', error: { code: 'deadline_exceeded' } })
  const { seen: gone } = await eventually(() => after.result(orphan), ({ status }) => status !== undefined && isFinal(status), 30_000)
  expect(gone).toMatchObject({ status: 'expired', reason: 'caller_gone' })

  const { seen: figures } = await eventually(() => operationsOf(after), ({ complete }) => complete, 5_000)
  expect(figures.operations).toBeGreaterThanOrEqual(3)
  expect(await after.read('/admin/audit/verify')).toMatchObject({ ok: true, findings: [] })

  emulator.faults.set([])
  await eventually(() => Promise.resolve(pages), (told) => told.at(-1)?.event === 'resolved', 15_000)
  expect(pages.at(-1)).toMatchObject({ dedupKey: pages[0]?.dedupKey, alerts: [{ id: firing[0]?.id, status: 'resolved' }] })
  expect(new Set(pages.map(({ dedupKey }) => dedupKey)).size).toBe(1)
}, 120_000)
