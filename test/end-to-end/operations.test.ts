/**
 * Whole operations: the service as it is composed, its router and Direct Bedrock Client, against the AWS emulator with
 * faults, over both HTTP versions.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import { eventsOf, speakHttp1, speakHttp2 } from '../../src/http/testing/test-service.ts'
import type { Problem } from '../../src/operation/problem.ts'
import type { OperationResult } from '../../src/operation/result.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { until } from '../../src/runtime/testing/eventually.ts'
import type { Service } from '../../src/service/serve.ts'
import { model, targetAt } from '../configuration.ts'
import { startInProcess } from '../in-process-service.ts'

let emulator: Emulator
let service: Service
let port: number

beforeAll(async () => {
  emulator = createEmulator({ clock: createSystemClock() })
  await emulator.listen()
  service = await startInProcess({ targets: [targetAt(emulator.url), targetAt(emulator.url, 'broken', 'fault.denied'), targetAt(emulator.url, 'silent', 'fault.hang')] })
  port = Number(new URL(service.url).port)
})
afterAll(async () => {
  await service.stop()
  await emulator.close()
})

describe.each([
  ['HTTP/1.1', speakHttp1],
  ['HTTP/2', speakHttp2],
])('an operation over %s', (_name, speak) => {
  const body = { operation: 'infrastructure', prompt: 'Is the disk full?' }

  it('is answered by Bedrock', async () => {
    const answer = await speak(port, { path: '/v1/operations', body: { ...body, modelId: model } })
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.text)).toMatchObject({ status: 'succeeded', route: 'direct', target: 'frankfurt', slaMet: true, attempts: [{ number: 1, outcome: 'succeeded' }] })
  })

  it('streams the same text that its result has', async () => {
    const events = eventsOf((await speak(port, { path: '/v1/operations', body: { ...body, modelId: model, mode: 'stream' } })).text)
    const result = events.at(-1)?.data as unknown as OperationResult
    expect(result.status).toBe('succeeded')
    expect(events.filter(({ event }) => event === 'delta').length).toBeGreaterThan(1)
    expect(events.map(({ data }) => (typeof data['text'] === 'string' ? data['text'] : '')).join('')).toBe(result.output?.text)
  })

  it('that Bedrock refuses is a problem and not an answer', async () => {
    const answer = await speak(port, { path: '/v1/operations', body: { ...body, modelId: 'fault.denied' } })
    expect(answer.status).toBe(502)
    expect(JSON.parse(answer.text) as Problem).toMatchObject({ code: 'upstream_error', retryable: false })
  })

  it('ends at its hard timeout when nothing answers', async () => {
    const answer = await speak(port, { path: '/v1/operations', body: { operation: 'emergency', prompt: 'x', modelId: 'fault.hang', latencyMs: 100 } })
    expect([answer.status, (JSON.parse(answer.text) as Problem).code]).toEqual([504, 'deadline_exceeded'])
  })

  it('is over within 100 ms of its caller’s leaving', async () => {
    const asked = speak(port, { path: '/v1/operations', body: { ...body, modelId: 'fault.hang' }, dropAtOnce: true }).catch(() => undefined)
    await until(() => service.router.inFlight() === 1)
    await asked
    const leftAtMs = performance.now()
    await until(() => service.router.inFlight() === 0)
    expect(performance.now() - leftAtMs).toBeLessThan(100)
  })
})
