/**
 * The direct path beside the queue in one process: `npm run bench:beside`. A `serve` process on a core of its own is asked for
 * direct operations at a constant rate, open loop, first alone, then while it works through a backlog of asynchronous
 * standard operations as fast as it may. Rounds are interleaved; the figure is the median over rounds of the quotient of the
 * two p99s. `-- --quick` makes short rounds on the SQLite store alone; `-- --engine=redis` and so on choose one.
 *
 * Full load means: the backlog never ends while it is measured, nothing but the service itself holds it up, and each message
 * goes the whole way, claimed, carried out over MCP, put on record and acknowledged. How many a second that is stands
 * beside the latency, and how many it is alone. The backlog is gathered while the MCP server holds its answers back, so
 * that no request that submits work falls into a measured window.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { queueLimits } from '../src/queue/limits.ts'
import { freePort } from '../src/runtime/testing/free-port.ts'
import { startRedisServer } from '../src/store/testing/redis-server.ts'
import { BenchRun } from './bench-run.ts'
import { cores, untilReady, type Child } from './children.ts'
import type { LoadReport } from './load/job.ts'
import type { GateOrder } from './mock-mcp-server.ts'
import { median } from './percentile.ts'
import { maxTokens, post, prompt, readyWithinMs } from './subjects/subject.ts'

const engines = ['process', 'power', 'redis'] as const
type Engine = (typeof engines)[number]

const root = fileURLToPath(new URL('..', import.meta.url))
const isQuick = process.argv.includes('--quick')
const chosen = process.argv.find((argument) => argument.startsWith('--engine='))?.slice('--engine='.length)
const plan = {
  engines: engines.filter((engine) => (chosen === undefined ? !isQuick || engine === 'process' : engine === chosen)),
  rounds: isQuick ? 2 : 5,
  seconds: isQuick ? 5 : 10,
  /** Direct operations per second: an emergency hour of a large installation, a tenth of what the process can do. */
  requestsPerSecond: 100,
  /** More than is worked off in a window, at the rate that the queue has alone. */
  backlogPerSecond: isQuick ? 250 : 1_000,
  /** Direct operations before each window: what was begun before they came is through then. */
  leadMs: 2_000,
  drainMs: 10_000,
  warmUpMs: isQuick ? 4_000 : 8_000,
  warmUpMessages: isQuick ? 500 : 2_000,
  backlogGoneWithinMs: 180_000,
} as const
/** The messages that one process works on at once. */
const heldByGate = queueLimits.operationSlots + 64
if (plan.engines.length === 0) throw new Error(`--engine: one of ${engines.join(', ')}`)

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const run = await BenchRun.start({ rounds: plan.rounds, seconds: plan.seconds, warmUpSeconds: 0 } as BenchRun['options'], say)
const mcp = run.children.start({ name: 'mock-mcp-server', core: cores.rest, command: [process.execPath, join(root, 'bench/mock-mcp-server.ts')], channel: true })
const { url: mcpUrl } = (await mcp.message(readyWithinMs)) as { url: string }
const order = (what: GateOrder): void => mcp.send(what)
async function executed(): Promise<number> {
  const answer = mcp.message(readyWithinMs)
  order({ ask: 'executed' })
  return ((await answer) as { executed: number }).executed
}

const configuration = (port: number, store: string): string => `server: { host: 127.0.0.1, port: ${port} }
direct:
  targets:
    - { id: mock, region: us-east-1, modelId: anthropic.bench-model, endpoint: "http://127.0.0.1:${run.upstreamPort}" }
mcp:
  servers: { ops: { url: "${mcpUrl}", concurrency: 64 } }
  routes: { default: { servers: [ops], tool: execute_operation, carries: converse, repeatable: true } }
routing: { matrix: { background_task: { fallback: none }, infrastructure: { fallback: none } } }
store: ${store}
limits: { queuedOperations: 100000 }
logs: { level: error }
`

async function submit(pool: Pool, count: number): Promise<void> {
  let left = count
  const body = JSON.stringify({ operation: 'background_task', mode: 'async', prompt })
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (left > 0) {
        left -= 1
        const response = await pool.request({ method: 'POST', path: '/v1/operations', headers: { 'content-type': 'application/json' }, body })
        const text = await response.body.text()
        if (response.statusCode !== 202) throw new Error(`an operation was not accepted: ${text}`)
      }
    }),
  )
}

async function measure(engine: Engine, store: string): Promise<void> {
  const port = await freePort()
  const file = join(run.children.folder, `beside-${engine}.yaml`)
  writeFileSync(file, configuration(port, store))
  const service: Child = run.children.start({
    name: `hybrid-${engine}`,
    core: cores.service,
    command: [process.execPath, join(root, 'src/main.ts'), 'serve', '--config', file],
    env: { AWS_ACCESS_KEY_ID: 'emulator', AWS_SECRET_ACCESS_KEY: 'emulator' },
    cwd: run.children.folder,
  })
  await untilReady(service, port, '/health/ready', readyWithinMs)
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 16 })
  const request = post(port, '/v1/operations', {}, { operation: 'infrastructure', maxTokens, prompt })
  const direct = { port, pid: service.pid, drainMs: plan.drainMs, request, eventsPerExchange: 1 }
  const arrivals = { kind: 'open', ratePerSecond: plan.requestsPerSecond } as const
  const measureDirect = async (): Promise<LoadReport> => {
    await run.load({ ...direct, durationMs: plan.leadMs, arrivals })
    return run.load({ ...direct, durationMs: plan.seconds * 1_000, arrivals })
  }

  let expected = await executed()
  const workedOff = async (): Promise<number> => {
    const startMs = performance.now()
    const before = await executed()
    while ((await executed()) < expected) {
      if (performance.now() - startMs > plan.backlogGoneWithinMs) throw new Error(`${expected - (await executed())} messages were not carried out`)
      await delay(50)
    }
    return ((expected - before) * 1_000) / (performance.now() - startMs)
  }
  const backlog = async (count: number): Promise<void> => {
    order({ gate: 'shut' })
    await submit(pool, count)
    expected += count
    const before = await executed()
    order({ gate: 'open' })
    // Those that the gate held back all answer at once: a burst of its own making.
    while ((await executed()) < before + Math.min(count, heldByGate)) await delay(20)
  }

  await run.load({ ...direct, durationMs: plan.warmUpMs, arrivals: { kind: 'closed', concurrency: 8 } })
  await backlog(plan.warmUpMessages)
  await workedOff()

  const quotients: number[] = []
  for (let round = 1; round <= plan.rounds; round += 1) {
    const alone = await measureDirect()
    await backlog(plan.backlogPerSecond * (plan.seconds + plan.leadMs / 1_000))
    const before = await executed()
    const startMs = performance.now()
    const beside = await measureDirect()
    const elapsedMs = performance.now() - startMs
    const after = await executed()
    const left = expected - after
    const perSecondAlone = await workedOff()
    const failed = alone.failed + beside.failed
    const quotient = beside.latencyMs.p99 / alone.latencyMs.p99
    if (left > 0 && failed === 0) quotients.push(quotient)
    const show = ({ latencyMs, cpuMs, elapsedMs, startedLateMs, othersPercent }: LoadReport): string =>
      `p50 ${latencyMs.p50.toFixed(2)} p99 ${latencyMs.p99.toFixed(2)} max ${latencyMs.max.toFixed(1)} ms, core ${((100 * cpuMs) / elapsedMs).toFixed(0)} %, generator late p99 ${startedLateMs.p99.toFixed(2)} ms, others ${othersPercent.toFixed(0)} %`
    say(
      `${engine} round ${round}: alone ${show(alone)} | beside ${show(beside)} | p99 x ${quotient.toFixed(2)} | messages/s ${(((after - before) * 1_000) / elapsedMs).toFixed(0)} beside, ${left > 0 ? perSecondAlone.toFixed(0) : '-'} alone, ${left} left` +
        (left > 0 && failed === 0 ? '' : `  VOID: ${failed} failed, ${[...alone.failures, ...beside.failures].join('; ')}`),
    )
  }
  say(`${engine}: p99 beside the queue over p99 alone, median of ${quotients.length} rounds: ${median(quotients).toFixed(2)}  goal below 1.20`)
  await pool.close()
  await service.stop()
}

for (const engine of plan.engines) {
  if (engine === 'redis') {
    const redis = await startRedisServer()
    await measure(engine, `{ engine: redis, url: "${redis.url}" }`)
    await redis.stop()
  } else {
    await measure(engine, `{ engine: sqlite, path: ${join(run.children.folder, `${engine}.db`)}, durability: ${engine} }`)
  }
}
process.exit(0)
