/**
 * More standard operations at once than the MCP server takes: they wait their turn in the queue, none takes the fallback,
 * and the urgent are answered first.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createEmulator } from '../../src/emulator/emulator.ts'
import type { OperationResult } from '../../src/operation/result.ts'
import { createOperationsServer } from '../../src/operations-server/operations-server.ts'
import { answered } from '../../src/operations-server/testing/answers.ts'
import { createSystemClock, sleep } from '../../src/runtime/clock.ts'
import { operationsServerAt, targetAt } from '../configuration.ts'
import { startInProcess } from '../in-process-service.ts'

it('a burst far beyond the concurrency of the MCP server waits in the queue, the urgent first', async () => {
  const clock = createSystemClock()
  const emulator = createEmulator({ clock, seed: 1 })
  await emulator.listen()
  const order: string[] = []
  const tools = createOperationsServer({
    clock,
    async execute(request) {
      order.push(request.priority)
      await sleep(clock, 50)
      return answered('done')
    },
  })
  const { url } = await tools.listen(0)
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-load-'))
  const service = await startInProcess({ targets: [targetAt(emulator.url)], mcp: operationsServerAt(url, { concurrency: 2 }), store: { engine: 'sqlite', path: join(folder, 'store.db') } }, { clock })
  onTestFinished(async () => {
    await service.stop()
    await tools.close()
    await emulator.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const post = async (body: object): Promise<OperationResult> =>
    (await (await fetch(`${service.url}/v1/operations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ prompt: 'x', ...body }) })).json()) as OperationResult
  await post({ operation: 'standard_analysis' })
  order.length = 0
  const low = Array.from({ length: 40 }, () => post({ operation: 'background_task' }))
  await sleep(clock, 300)
  const medium = Array.from({ length: 8 }, () => post({ operation: 'standard_analysis' }))
  const results = await Promise.all([...low, ...medium])
  expect(results.map(({ status, route }) => [status, route])).toEqual(results.map(() => ['succeeded', 'mcp']))
  // Of the 48 some were begun before the urgent came; all of these were begun before the last of the others.
  expect(order.slice(-6)).toEqual(Array.from({ length: 6 }, () => 'low'))
  const waited = (await Promise.all(medium)).map(({ latency }) => latency.totalMs)
  expect(Math.max(...waited)).toBeLessThan(Math.max(...(await Promise.all(low)).map(({ latency }) => latency.totalMs)))
}, 40_000)
