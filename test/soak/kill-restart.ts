/**
 * A real `serve` process on SQLite is killed with `kill -9` at random moments under load and started again, over and over.
 * Nothing that was accepted may be lost: every asynchronous operation that was answered 202 must reach a final state that
 * can be read, and expired or failed ones must say why. Repeats are allowed, and counted where they arrive, at the
 * operations MCP server, by `operationId`.
 *
 * The AWS emulator and the operations MCP server run here and outlive the killed process.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createEmulator } from '../../src/emulator/emulator.ts'
import type { OperationResult } from '../../src/operation/result.ts'
import { createOperationsServer } from '../../src/operations-server/operations-server.ts'
import { answered } from '../../src/operations-server/testing/answers.ts'
import { createSystemClock, sleep, type Clock } from '../../src/runtime/clock.ts'

export interface KillFigures {
  readonly kills: number
  readonly accepted: number
  /** Accepted and nowhere to be found, or without an end. */
  readonly lost: readonly string[]
  readonly byStatus: Readonly<Record<string, number>>
  /** Keyed operations whose caller was cut off, and those of them that the same key does not bring an answer for. */
  readonly cutOff: number
  readonly cutOffLost: readonly string[]
  /** Failed or expired without saying why. */
  readonly silent: readonly string[]
  /** Calls that the MCP server recognised as repeats by their `operationId` and answered without another execution. */
  readonly repeatsRecognised: number
  /** Executions beyond the first of the same operation, because the first was cut off with its caller. */
  readonly executedAgain: number
  /** Ms from the start of a killed service's successor until it listens. */
  readonly restartMs: { readonly median: number; readonly worst: number }
}

const main = resolve(import.meta.dirname, '../../src/main.ts')
const keys = { SOAK_KEY: 'emulator', SOAK_SECRET: 'emulator' }
const types = ['standard_analysis', 'background_task', 'kiro_communication', 'infrastructure', 'meta_monitor'] as const
/** ms after which what was accepted must have ended: the longest hard timeout, and some. */
const settleMs = 135_000

export async function killAndRestart(kills: number, random: () => number): Promise<KillFigures> {
  const clock = createSystemClock()
  const emulator = createEmulator({ clock, seed: 7, faults: [{ kind: 'latency', firstTokenMs: { p50: 20, p99: 120 }, perTokenMs: { p50: 0.2, p99: 1 } }] })
  await emulator.listen()
  const asked = new Map<string, number>()
  const tools = createOperationsServer({
    clock,
    async execute(request) {
      asked.set(request.operationId, (asked.get(request.operationId) ?? 0) + 1)
      await sleep(clock, 5 + 300 * random())
      const text = `done ${request.operationId}`
      return answered(text)
    },
  })
  const { url: toolsUrl } = await tools.listen(0)
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-kill-'))
  const config = join(folder, 'hybrid-routing.json')
  writeFileSync(
    config,
    JSON.stringify({
      server: { port: 0 },
      direct: {
        targets: [{ id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0', endpoint: emulator.url }],
        credentials: { accessKeyId: '${SOAK_KEY}', secretAccessKey: '${SOAK_SECRET}' },
      },
      mcp: { servers: { ops: { url: toolsUrl } }, routes: { default: { servers: ['ops'], tool: 'execute_operation', carries: 'converse', repeatable: true } } },
      store: { engine: 'sqlite', path: join(folder, 'store.db') },
      logs: { level: 'error' },
    }),
  )
  const accepted = new Set<string>()
  const cutOff = new Set<string>()
  const restarts: number[] = []
  let service: Running | undefined
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      const startedMs = clock.monotonicMs()
      service = await serve(config)
      restarts.push(clock.monotonicMs() - startedMs)
      const load = submitUntilKilled(service.url, 1 + Math.floor(20 * random()), random, accepted, cutOff, clock)
      await load.enough
      await sleep(clock, 60 * random())
      service.child.kill('SIGKILL')
      await Promise.all([service.gone, load.ended])
    }
    service = await serve(config)
    const ends = await readEnds(service.url, accepted, clock)
    const cutOffLost = await repeatKeyed(service.url, cutOff)
    const repeated = [...asked.values()].filter((count) => count > 1)
    const byStatus: Record<string, number> = {}
    for (const { status } of ends.values()) byStatus[status] = (byStatus[status] ?? 0) + 1
    restarts.sort((a, b) => a - b)
    return {
      kills,
      accepted: accepted.size,
      lost: [...accepted].filter((id) => !ends.has(id)),
      byStatus,
      cutOff: cutOff.size,
      cutOffLost,
      silent: [...ends.values()].filter(({ status, error }) => status !== 'succeeded' && error === undefined).map(({ id }) => id),
      repeatsRecognised: tools.stats().repeats,
      executedAgain: repeated.reduce((sum, count) => sum + count - 1, 0),
      restartMs: { median: restarts[Math.floor(restarts.length / 2)] ?? 0, worst: restarts.at(-1) ?? 0 },
    }
  } finally {
    service?.child.kill('SIGKILL')
    await service?.gone
    await tools.close()
    await emulator.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Running {
  readonly url: string
  readonly child: ChildProcess
  readonly gone: Promise<unknown>
}

async function serve(config: string): Promise<Running> {
  const child = spawn(process.execPath, [main, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'], ...keys } })
  const gone = once(child, 'exit')
  let text = ''
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString()
    const url = /http:\/\/[\d.:]+/.exec(text)?.[0]
    if (url !== undefined) return { url, child, gone }
  }
  throw new Error(`serve ended before it listened: ${text}`)
}

interface Load {
  /** So many were accepted; callers still wait, and more come. */
  readonly enough: Promise<void>
  readonly ended: Promise<unknown>
}

/** Clients at once until the kill, which comes while some of them wait. By count, not by time: machines differ. */
function submitUntilKilled(url: string, count: number, random: () => number, accepted: Set<string>, cutOff: Set<string>, clock: Clock): Load {
  const target = accepted.size + count
  let enough = (): void => undefined
  const submitter = async (): Promise<void> => {
    for (;;) {
      const operation = types[Math.floor(random() * types.length)]
      const answer = await postOperation(url, { operation, prompt: 'Count what is left.', mode: 'async', maxTokens: 16 })
      if (answer === undefined) return
      if (answer.status === 202) accepted.add(answer.result.id)
      if (accepted.size >= target) enough()
      await sleep(clock, 20 * random())
    }
  }
  const waiter = async (): Promise<void> => {
    for (;;) {
      const key = `key-${String(random())}`
      if ((await postOperation(url, keyedBody, { 'idempotency-key': key })) !== undefined) continue
      cutOff.add(key)
      return
    }
  }
  return {
    enough: new Promise((resolve) => {
      enough = resolve
    }),
    ended: Promise.all([submitter(), submitter(), submitter(), waiter(), waiter()]),
  }
}

const keyedBody = { operation: 'standard_analysis', prompt: 'Count what is left.', maxTokens: 16 }

/** Undefined when the connection broke. */
async function postOperation(url: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<{ readonly status: number; readonly result: OperationResult } | undefined> {
  try {
    const answer = await fetch(`${url}/v1/operations`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
    return { status: answer.status, result: (await answer.json()) as OperationResult }
  } catch {
    // The service was killed under it, which is what this is about.
    return undefined
  }
}

async function repeatKeyed(url: string, keys: ReadonlySet<string>): Promise<readonly string[]> {
  const lost: string[] = []
  for (const key of keys) {
    const answer = await postOperation(url, keyedBody, { 'idempotency-key': key })
    if (answer?.status !== 200) lost.push(`${key}: ${JSON.stringify(answer)}`)
  }
  return lost
}

async function readEnds(url: string, accepted: ReadonlySet<string>, clock: Clock): Promise<Map<string, OperationResult>> {
  const ends = new Map<string, OperationResult>()
  const untilMs = clock.monotonicMs() + settleMs
  while (ends.size < accepted.size && clock.monotonicMs() < untilMs) {
    for (const id of accepted) {
      if (ends.has(id)) continue
      const answer = await fetch(`${url}/v1/operations/${id}`)
      if (answer.status !== 200) {
        await answer.body?.cancel()
        continue
      }
      const result = (await answer.json()) as OperationResult
      if (result.status !== 'queued' && result.status !== 'running') ends.set(id, result)
    }
    await sleep(clock, 100)
  }
  return ends
}
