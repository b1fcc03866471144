/**
 * Three services on one real Redis: each answers for what was submitted at any of them, and they stand in for one another.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEmulator } from '../../src/emulator/emulator.ts'
import { eventsOf } from '../../src/http/testing/test-service.ts'
import type { OperationResult } from '../../src/operation/result.ts'
import { createOperationsServer } from '../../src/operations-server/operations-server.ts'
import { answered } from '../../src/operations-server/testing/answers.ts'
import { createSystemClock, sleep } from '../../src/runtime/clock.ts'
import { eventually } from '../../src/runtime/testing/eventually.ts'
import type { Service } from '../../src/service/serve.ts'
import { startRedisServer, type RedisServer } from '../../src/store/testing/redis-server.ts'
import { operationsServerAt, targetAt } from '../configuration.ts'
import { startInProcess } from '../in-process-service.ts'

const clock = createSystemClock()
const emulator = createEmulator({ clock, seed: 1 })
const running = new Set<AbortSignal>()
/** Each lets an answer to a prompt with `paced` in it come to its next word. */
const paces: (() => void)[] = []
/** A prompt with `wait` in it is worked on until it is stopped. */
const tools = createOperationsServer({
  clock,
  async execute(request, { signal, onText }) {
    const waits = JSON.stringify(request.converse).includes('wait')
    if (waits) {
      running.add(signal)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      running.delete(signal)
      return { kind: 'cancelled' }
    }
    const isPaced = JSON.stringify(request.converse).includes('paced')
    for (const word of ['one ', 'two ', 'three']) {
      onText?.(word, 0)
      if (isPaced) await new Promise<void>((resolve) => paces.push(resolve))
      else await sleep(clock, 5)
    }
    return answered('one two three')
  },
})
let redis: RedisServer
const services: Service[] = []

beforeAll(async () => {
  redis = await startRedisServer()
  await emulator.listen()
  const { url } = await tools.listen(0)
  const own = { targets: [targetAt(emulator.url)], mcp: operationsServerAt(url), store: { engine: 'redis', url: redis.url } }
  for (let count = 0; count < 3; count += 1) services.push(await startInProcess(own, { clock }))
}, 120_000)

afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()))
  await tools.close()
  await emulator.close()
  await redis.stop()
}, 60_000)

function at(index: number): string {
  return services[index % services.length]?.url ?? ''
}

async function post(index: number, body: object, headers: Readonly<Record<string, string>> = {}): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`${at(index)}/v1/operations`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ operation: 'standard_analysis', prompt: 'hello', ...body }) })
  return { status: answer.status, text: await answer.text() }
}

interface Streaming {
  /** What has come so far. */
  text(): string
  readonly ended: Promise<void>
}

function stream(index: number, body: object, headers: Readonly<Record<string, string>>): Streaming {
  const answering = fetch(`${at(index)}/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ operation: 'standard_analysis', mode: 'stream', ...body }),
  })
  let text = ''
  const read = async (): Promise<void> => {
    const answer = await answering
    const decoder = new TextDecoder()
    for await (const chunk of answer.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true })
  }
  return { text: () => text, ended: read() }
}

async function read(index: number, id: string): Promise<OperationResult> {
  return (await (await fetch(`${at(index)}/v1/operations/${id}`)).json()) as OperationResult
}

describe('three services on one Redis', () => {
  it('any of them answers for an asynchronous operation of any other', async () => {
    for (let index = 0; index < 6; index += 1) {
      const answer = await post(index, { mode: 'async', operation: index % 2 === 0 ? 'standard_analysis' : 'infrastructure' })
      expect(answer.status).toBe(202)
      const { id } = JSON.parse(answer.text) as OperationResult
      expect(await read(index + 1, id)).toMatchObject({ id })
      await eventually(() => read(index + 2, id), ({ status }) => status === 'succeeded', 10_000)
    }
  })

  it('its events are followed, and resumed, at another one', async () => {
    const { id } = JSON.parse((await post(0, { mode: 'async' })).text) as OperationResult
    const whole = await (await fetch(`${at(1)}/v1/operations/${id}/events`)).text()
    expect(whole).toContain('event: decision')
    expect(whole).toContain('event: result')
    const rest = await (await fetch(`${at(2)}/v1/operations/${id}/events`, { headers: { 'last-event-id': '2' } })).text()
    expect(rest).toContain('event: result')
    expect(rest).not.toContain('event: decision')
  })

  it('many callers at once get their own answers, whoever carries them out', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => post(index, index % 3 === 0 ? { mode: 'stream' } : {})))
    for (const [index, { status, text }] of answers.entries()) {
      expect(status).toBe(200)
      if (index % 3 !== 0) expect(JSON.parse(text)).toMatchObject({ status: 'succeeded', output: { text: 'one two three' } })
      else expect(text).toContain('event: result')
    }
  })

  it('the same key at two of them is one operation with one answer', async () => {
    const answers = await Promise.all([0, 1, 2, 0, 1, 2].map((index) => post(index, { prompt: 'once' }, { 'idempotency-key': 'one key' })))
    const ids = answers.map(({ text }) => (JSON.parse(text) as OperationResult).id)
    expect(new Set(ids).size).toBe(1)
    expect(answers.every(({ status }) => status === 200)).toBe(true)
  })

  it('a cancel at another one stops the work within a second', async () => {
    const { id } = JSON.parse((await post(0, { mode: 'async', operation: 'background_task', prompt: 'wait for it' })).text) as OperationResult
    await eventually(() => running.size, (count) => count === 1, 10_000)
    const startMs = clock.monotonicMs()
    // Whoever has it, two of these three are others.
    const cancelled = (await (await fetch(`${at(1)}/v1/operations/${id}`, { method: 'DELETE' })).json()) as OperationResult
    expect(cancelled.status).toBe('cancelled')
    await eventually(() => running.size, (count) => count === 0, 1_000)
    expect(clock.monotonicMs() - startMs).toBeLessThan(1_000)
    for (const index of [0, 1, 2]) expect(await read(index, id)).toMatchObject({ status: 'cancelled' })
  })

  it('a stream under a key is told to a repeat at another one as it is written, with the same numbers', async () => {
    const first = stream(0, { prompt: 'paced' }, { 'idempotency-key': 'streamed' })
    await eventually(() => paces.length, (count) => count === 1, 10_000)
    const repeat = stream(1, { prompt: 'paced' }, { 'idempotency-key': 'streamed' })
    for (const said of ['one ', 'two ', 'three']) {
      // No further word is written before this one has come to the other instance.
      await eventually(() => repeat.text(), (text) => text.includes(`{"text":"${said}"}`), 10_000)
      await eventually(() => paces.length, (count) => count === 1, 10_000)
      paces.shift()?.()
    }
    await Promise.all([first.ended, repeat.ended])
    expect(repeat.text()).toContain('event: result')
    expect(repeat.text()).not.toContain('"restart":true')
    expect(eventsOf(repeat.text())).toEqual(eventsOf(first.text()))
  })

  it('one without a key that is under way is read, followed and cancelled at another one', async () => {
    const caller = post(0, { prompt: 'wait for it' })
    await eventually(() => running.size, (count) => count === 1, 10_000)
    const { operations } = (await (await fetch(`${at(0)}/v1/operations?status=running`)).json()) as { readonly operations: readonly OperationResult[] }
    const id = operations[0]?.id ?? ''
    expect(await read(1, id)).toMatchObject({ id, status: 'running', decision: { route: 'mcp' } })
    const events = fetch(`${at(1)}/v1/operations/${id}/events`)
    const startMs = clock.monotonicMs()
    expect(await (await fetch(`${at(2)}/v1/operations/${id}`, { method: 'DELETE' })).json()).toMatchObject({ id, status: 'cancelled' })
    await eventually(() => running.size, (count) => count === 0, 1_000)
    expect(clock.monotonicMs() - startMs).toBeLessThan(1_000)
    expect(JSON.parse((await caller).text)).toMatchObject({ operationId: id })
    const told = eventsOf(await (await events).text())
    expect(told.map(({ event }) => event)).toEqual(['decision', 'error'])
    const asked = await fetch(`${at(1)}/v1/operations/op_00000000000000000000000000`)
    expect(asked.status).toBe(404)
  })

  it('when Redis is gone direct operations are answered, and standard ones take their fallback', async () => {
    redis.freeze()
    try {
      const startMs = clock.monotonicMs()
      expect(JSON.parse((await post(0, { operation: 'emergency' })).text)).toMatchObject({ status: 'succeeded', route: 'direct' })
      expect(clock.monotonicMs() - startMs).toBeLessThan(900)
      expect(JSON.parse((await post(1, {})).text)).toMatchObject({ status: 'succeeded', route: 'direct', fallbackUsed: true })
      expect((await post(2, { mode: 'async' })).status).toBe(503)
    } finally {
      redis.thaw()
    }
    await eventually(async () => JSON.parse((await post(2, {})).text) as OperationResult, ({ route }) => route === 'mcp', 20_000)
  }, 40_000)
})
