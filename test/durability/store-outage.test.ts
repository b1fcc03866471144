/**
 * The service while its store hangs: calls are taken and never answered, which is worse than an error. Direct operations do
 * not notice; what needs the store is refused or takes its fallback, and all is well again when the store is.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEmulator } from '../../src/emulator/emulator.ts'
import type { OperationResult } from '../../src/operation/result.ts'
import { createOperationsServer } from '../../src/operations-server/operations-server.ts'
import { answered } from '../../src/operations-server/testing/answers.ts'
import { createSystemClock, sleep } from '../../src/runtime/clock.ts'
import { until } from '../../src/runtime/testing/eventually.ts'
import type { Service } from '../../src/service/serve.ts'
import { openStore, type Store } from '../../src/store/adapters/open-store.ts'
import { operationsServerAt, targetAt } from '../configuration.ts'
import { startInProcess } from '../in-process-service.ts'

const clock = createSystemClock()
const emulator = createEmulator({ clock, seed: 1 })
const tools = createOperationsServer({
  clock,
  execute: () => Promise.resolve(answered('over MCP')),
})
const told: string[] = []
const receiver = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => told.push(chunk.toString()))
  request.on('end', () => response.end())
})
let inside: Store
let hangs = false
let service: Service

/** Every call of the port goes through while the store is well, and is never answered while it hangs. */
function unreliable<Port extends object>(port: Port): Port {
  return new Proxy(port, {
    get(target, name) {
      const method = Reflect.get(target, name) as unknown
      if (typeof method !== 'function' || name === 'subscribe' || name === 'close') return method
      return (...args: unknown[]) => (hangs ? new Promise(() => undefined) : (method as (...args: unknown[]) => unknown).apply(target, args))
    },
  })
}

beforeAll(async () => {
  await emulator.listen()
  const { url } = await tools.listen(0)
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  inside = await openStore({ engine: 'memory' }, clock)
  service = await startInProcess(
    {
      targets: [targetAt(emulator.url)],
      mcp: operationsServerAt(url),
      routing: { matrix: { background_task: { fallback: 'none' } } },
      callbacks: { secret: '${CALLBACK}', allowPrivateAddresses: true },
    },
    { clock, store: { queue: unreliable(inside.queue), state: unreliable(inside.state), close: () => inside.close() } },
    { CALLBACK: 'a secret that is long enough' },
  )
})

afterAll(async () => {
  hangs = false
  await service.stop()
  receiver.close()
  await tools.close()
  await emulator.close()
})

interface Answered {
  readonly status: number
  readonly text: string
  readonly afterMs: number
}

async function post(body: object, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
  const startMs = clock.monotonicMs()
  const answer = await fetch(`${service.url}/v1/operations`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ prompt: 'hello', maxTokens: 8, ...body }) })
  return { status: answer.status, text: await answer.text(), afterMs: clock.monotonicMs() - startMs }
}

const resultOf = ({ text }: Answered): OperationResult => JSON.parse(text) as OperationResult

async function get(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(`${service.url}${path}`)
  return { status: answer.status, body: await answer.json() }
}

describe('with the store well', () => {
  it('a standard operation is a message over MCP, and its place in the queue shows', async () => {
    const result = resultOf(await post({ operation: 'standard_analysis' }))
    expect(result).toMatchObject({ status: 'succeeded', route: 'mcp', output: { text: 'over MCP' } })
    expect(result.latency.queuedMs).toBeGreaterThan(0)
  })

  it('an asynchronous operation is accepted, answered, and its caller called back', async () => {
    const answer = await post({ operation: 'infrastructure', mode: 'async', callbackUrl: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/` })
    expect(answer.status).toBe(202)
    const { id } = resultOf(answer)
    await until(() => told.length > 0)
    expect(JSON.parse(told[0] ?? '{}')).toMatchObject({ id, status: 'succeeded' })
    expect(await get(`/v1/operations/${id}`)).toMatchObject({ status: 200, body: { status: 'succeeded' } })
  })

  it('there is a list of dead letters, and an unknown one is not found', async () => {
    expect(await get('/admin/dead-letters')).toMatchObject({ status: 200, body: { deadLetters: [], nextCursor: null } })
    const retried = await fetch(`${service.url}/admin/dead-letters/op_x/retry`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
    expect(retried.status).toBe(404)
  })
})

describe('while the store hangs', () => {
  beforeAll(() => {
    hangs = true
  })

  it('direct sync operations are answered as ever', async () => {
    for (let count = 0; count < 10; count += 1) {
      const answer = await post({ operation: 'emergency' })
      expect(answer.status).toBe(200)
      expect(answer.afterMs).toBeLessThan(900)
    }
  })

  it('direct streams are answered as ever', async () => {
    const answer = await post({ operation: 'infrastructure', mode: 'stream' })
    expect(answer.text).toContain('event: result')
    expect(answer.afterMs).toBeLessThan(900)
  })

  it('a standard operation takes its fallback', async () => {
    expect(resultOf(await post({ operation: 'standard_analysis' }))).toMatchObject({ status: 'succeeded', route: 'direct', fallbackUsed: true })
  })

  it('one without a fallback is refused, and may come again', async () => {
    const answer = await post({ operation: 'background_task', latencyMs: 5_000 })
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.text)).toMatchObject({ retryable: true })
  })

  it.each([
    ['an asynchronous operation', { mode: 'async' }, {}],
    ['a keyed operation', {}, { 'idempotency-key': 'k' }],
  ])('%s is refused within moments', async (_name, over, headers) => {
    const answer = await post({ operation: 'infrastructure', ...over }, headers)
    expect(answer.status).toBe(503)
    expect(answer.afterMs).toBeLessThan(3_000)
  })
})

describe('when the store is back', () => {
  beforeAll(() => {
    hangs = false
  })

  it('standard operations go over MCP again', async () => {
    const look = async (): Promise<OperationResult> => resultOf(await post({ operation: 'kiro_communication' }))
    let result = await look()
    for (let tries = 0; result.route !== 'mcp' && tries < 20; tries += 1) {
      await sleep(clock, 250)
      result = await look()
    }
    expect(result.route).toBe('mcp')
  })
})
