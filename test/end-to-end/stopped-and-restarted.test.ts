/**
 * One `serve` on SQLite is told to stop while its queue is full: what runs is finished, what waits stays in the file, the
 * process ends with 0, and the next one answers the rest. Nothing is lost, and nothing is carried out twice.
 *
 * The operations MCP server runs here, outlives the process, and counts what it is asked for.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { isFinal } from '../../src/operation/result.ts'
import { createOperationsServer } from '../../src/operations-server/operations-server.ts'
import { queueLimits } from '../../src/queue/limits.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { eventually } from '../../src/runtime/testing/eventually.ts'
import { startServiceProcess, type ServiceProcess } from './service-process.ts'

const concurrency = 4
/** More than one process works on at once, so that some are still in the queue. */
const submitted = queueLimits.operationSlots + concurrency + 60

it('a service that is told to stop finishes what runs and leaves what waits to the next one', async () => {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const executions = new Map<string, number>()
  const tools = createOperationsServer({
    clock: createSystemClock(),
    async execute({ operationId }) {
      executions.set(operationId, (executions.get(operationId) ?? 0) + 1)
      await released
      return { kind: 'answer', answer: { message: { role: 'assistant', content: [{ text: `done ${operationId}` }] }, stopReason: 'end_turn', usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 } } }
    },
  })
  const { url } = await tools.listen(0)
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-stop-'))
  const config = {
    server: { port: 0 },
    logs: { level: 'error' },
    store: { engine: 'sqlite', path: join(folder, 'store.db') },
    // What must not be repeated is lost for good if anybody begins it and does not finish it.
    mcp: { servers: { ops: { url, concurrency } }, routes: { default: { servers: ['ops'], tool: 'execute_operation', carries: 'converse', repeatable: false } } },
    routing: { matrix: { background_task: { fallback: 'none' } } },
  }
  const services: ServiceProcess[] = []
  onTestFinished(async () => {
    release()
    for (const service of services) await service.kill()
    await tools.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const start = async (): Promise<ServiceProcess> => {
    const service = await startServiceProcess(folder, 'service', config)
    services.push(service)
    return service
  }

  const first = await start()
  const ids = await Promise.all(Array.from({ length: submitted }, () => first.submit({ operation: 'background_task', repeatable: false })))
  await eventually(async () => executions.size, (running) => running === concurrency, 20_000)

  const ended = first.terminate()
  await eventually(async () => (await first.ask('GET', '/health/ready')).status, (status) => status === 503, 5_000)
  expect((await first.ask('POST', '/v1/operations', { operation: 'background_task', mode: 'async', prompt: 'x' })).status).toBe(503)
  release()
  expect(await ended).toBe(0)
  expect(first.log()).not.toMatch(/"level":"(error|fatal)"/)
  const finished = executions.size
  expect(finished).toBeGreaterThanOrEqual(concurrency)
  expect(finished).toBeLessThan(submitted)

  const second = await start()
  const { seen: results } = await eventually(() => Promise.all(ids.map((id) => second.result(id))), (all) => all.every(({ status }) => isFinal(status)), 60_000)
  expect(results.filter(({ status }) => status !== 'succeeded').map(({ status, error }) => [status, error?.code])).toEqual([])
  expect(executions.size).toBe(submitted)
  expect([...executions.values()].filter((count) => count > 1)).toEqual([])
}, 120_000)
