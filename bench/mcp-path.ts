/**
 * What the MCP path adds to a bare tool call: `npm run bench:mcp`, with `-- --redis` also on Redis. The service with its
 * durable queue and a bare client of the official SDK ask the same operations MCP server over HTTP, in turn, one at a time;
 * the execution itself takes no time. The service is asked over HTTP too, as its users do, so that the figure is the whole
 * of what a caller pays.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Pool } from 'undici'
import { fixedConfig } from '../src/config/config-watcher.ts'
import { validConfig } from '../src/config/resolve-config.ts'
import { createOperationsServer } from '../src/operations-server/operations-server.ts'
import { answered } from '../src/operations-server/testing/answers.ts'
import { createSystemClock } from '../src/runtime/clock.ts'
import { startService } from '../src/service/serve.ts'
import { startRedisServer } from '../src/store/testing/redis-server.ts'
import { quantiles } from './percentile.ts'

const clock = createSystemClock()
const rounds = 1_000
const warmUps = 200
const prompt = 'Compare the error budgets of the last two weeks.'

const server = createOperationsServer({
  clock,
  execute: () => Promise.resolve(answered('done')),
})
const { url } = await server.listen(0)
const client = new Client({ name: 'bare', version: '1' })
await client.connect(new StreamableHTTPClientTransport(new URL(url)))

async function measure(name: string, store: object, goalMs: number | null): Promise<void> {
  const config = validConfig({
    server: { port: 0 },
    mcp: { servers: { ops: { url } }, routes: { default: { servers: ['ops'], tool: 'execute_operation', carries: 'converse', repeatable: true } } },
    store,
    logs: { level: 'error' },
  })
  const service = await startService({ config: fixedConfig(config), environment: {}, clock })
  const pool = new Pool(service.url, { connections: 1, pipelining: 1 })
  const bare: number[] = []
  const through: number[] = []
  const queuedMs: number[] = []
  for (let round = 0; round < warmUps + rounds; round += 1) {
    const bareStartMs = clock.monotonicMs()
    await client.callTool({ name: 'execute_operation', arguments: { operationId: `bare-${name}-${round}`, operation: 'standard_analysis', prompt, deadlineMs: 60_000 } })
    const bareMs = clock.monotonicMs() - bareStartMs
    const startMs = clock.monotonicMs()
    const answer = await pool.request({ method: 'POST', path: '/v1/operations', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ operation: 'standard_analysis', prompt }) })
    const result = (await answer.body.json()) as { status: string; latency: { queuedMs: number } }
    const throughMs = clock.monotonicMs() - startMs
    if (result.status !== 'succeeded') throw new Error(JSON.stringify(result))
    if (round < warmUps) continue
    bare.push(bareMs)
    through.push(throughMs)
    queuedMs.push(result.latency.queuedMs)
  }
  await pool.close()
  await service.stop()
  const [direct, routed, waited] = [quantiles(bare), quantiles(through), quantiles(queuedMs)]
  const added = routed.p50 - direct.p50
  const show = (value: number): string => value.toFixed(2).padStart(7)
  const goal = goalMs === null ? '' : `  goal below ${goalMs}`
  process.stdout.write(`${name.padEnd(8)} bare p50 ${show(direct.p50)}  service p50 ${show(routed.p50)} p99 ${show(routed.p99)}  in the queue p50 ${show(waited.p50)}  added p50 ${show(added)} ms${goal}\n`)
}

const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-mcp-bench-'))
await measure('memory', { engine: 'memory' }, null)
await measure('sqlite', { engine: 'sqlite', path: join(folder, 'store.db') }, 3)
if (process.argv.includes('--redis')) {
  const redis = await startRedisServer()
  await measure('redis', { engine: 'redis', url: redis.url }, 6)
  await redis.stop()
}
await client.close()
await server.close()
rmSync(folder, { recursive: true, force: true })
