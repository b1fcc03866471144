import { afterEach, describe, expect, it } from 'vitest'
import type { Step } from '../intake/testing/scripted-runner.ts'
import type { OperationResult } from '../operation/result.ts'
import type { Operation } from '../operation/operation.ts'
import { until } from '../runtime/testing/eventually.ts'
import { eventsOf, speakHttp1, speakHttp2, startTestService, type TestService } from './testing/test-service.ts'

const answers: readonly Step[] = [
  { afterMs: 0, text: 'Hello' },
  { afterMs: 0, text: ', world' },
  { afterMs: 0, succeed: true },
]
const hangs: readonly Step[] = []
const body = { operation: 'infrastructure', prompt: 'Is the disk full?' }

let service: TestService
const start = async (script: readonly Step[] | ((operation: Operation) => readonly Step[]), config?: object): Promise<void> => {
  service = await startTestService(typeof script === 'function' ? script : () => script, config)
}
afterEach(() => service.stop())

describe.each([
  ['HTTP/1.1', speakHttp1],
  ['HTTP/2', speakHttp2],
])('operations over %s', (_name, speak) => {
  it('a sync operation answers 200 with the whole result', async () => {
    await start(answers)
    const answer = await speak(service.port, { path: '/v1/operations', body, headers: { 'x-correlation-id': 'trace-7' } })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toContain('application/json')
    expect(answer.headers['x-correlation-id']).toBe('trace-7')
    const result = JSON.parse(answer.text) as OperationResult
    expect(result).toMatchObject({ operation: 'infrastructure', priority: 'critical', status: 'succeeded', output: { text: 'Hello, world' }, correlationId: 'trace-7', latencyRequirementMs: 10_000 })
    const again = await speak(service.port, { path: `/v1/operations/${result.id}` })
    expect(JSON.parse(again.text)).toEqual(result)
  })

  it('an operation that fails answers with the status of its problem and its ids', async () => {
    await start([{ afterMs: 0, fail: 'upstream_throttled' }])
    const answer = await speak(service.port, { path: '/v1/operations', body })
    expect(answer.status).toBe(503)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(answer.headers['retry-after']).toBe('1')
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'upstream_throttled', status: 503, operationId: service.runner.started[0]?.id, correlationId: answer.headers['x-correlation-id'] })
  })

  it('an async operation answers 202, Location and queued, and can be read until it is done', async () => {
    await start([{ afterMs: 30, text: 'Hi' }, { afterMs: 0, succeed: true }])
    const answer = await speak(service.port, { path: '/v1/operations', body: { ...body, mode: 'async' } })
    expect(answer.status).toBe(202)
    const accepted = JSON.parse(answer.text) as OperationResult
    expect(accepted.status).toBe('queued')
    expect(answer.headers['location']).toBe(`/v1/operations/${accepted.id}`)
    const events = eventsOf((await speak(service.port, { path: `/v1/operations/${accepted.id}/events` })).text)
    expect(events.map(({ event }) => event)).toEqual(['decision', 'delta', 'result'])
    expect(JSON.parse((await speak(service.port, { path: `/v1/operations/${accepted.id}` })).text)).toMatchObject({ status: 'succeeded', output: { text: 'Hi' } })
  })

  it('a stream tells decision, deltas and result, with numbers as ids', async () => {
    await start([{ afterMs: 5, text: 'He"l' }, { afterMs: 5, text: 'lo\n' }, { afterMs: 5, succeed: true }])
    const answer = await speak(service.port, { path: '/v1/operations', body, headers: { accept: 'text/event-stream' } })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toContain('text/event-stream')
    const events = eventsOf(answer.text)
    expect(events.map(({ event }) => event)).toEqual(['decision', 'delta', 'delta', 'result'])
    expect(events.map(({ id }) => id)).toEqual([1, 2, 3, 4])
    expect(events.filter(({ event }) => event === 'delta').map(({ data }) => data)).toEqual([{ text: 'He"l' }, { text: 'lo\n' }])
    expect(events.at(-1)?.data).toMatchObject({ status: 'succeeded', output: { text: 'He"llo\n' } })
  })

  it('a stream that fails before first content is refused with its own status', async () => {
    await start([{ afterMs: 5, fail: 'deadline_exceeded' }])
    const answer = await speak(service.port, { path: '/v1/operations', body: { ...body, mode: 'stream' } })
    expect(answer.status).toBe(504)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'deadline_exceeded' })
  })

  it('a stream that fails after first content ends with an error event', async () => {
    await start([{ afterMs: 5, text: 'Hel' }, { afterMs: 5, fail: 'upstream_error' }])
    const events = eventsOf((await speak(service.port, { path: '/v1/operations', body: { ...body, mode: 'stream' } })).text)
    expect(events.map(({ event }) => event)).toEqual(['decision', 'delta', 'error'])
    expect(events.at(-1)?.data).toMatchObject({ code: 'upstream_error', operationId: service.runner.started[0]?.id })
  })

  it.each(['sync', 'stream'])('a client that leaves a %s request cancels the operation at once', async (mode) => {
    await start(hangs)
    const asked = speak(service.port, { path: '/v1/operations', body: { ...body, mode }, dropAtOnce: true }).catch(() => undefined)
    await until(() => service.runner.started.length === 1)
    await asked
    const leftAtMs = performance.now()
    await until(() => service.runner.cancelled.length === 1)
    expect(performance.now() - leftAtMs).toBeLessThan(100)
    expect(service.runner.cancelled[0]?.reason).toBe('caller_gone')
  })

  it('a client that leaves in the middle of a stream cancels the operation', async () => {
    await start([{ afterMs: 0, text: 'Hel' }])
    await speak(service.port, { path: '/v1/operations', body: { ...body, mode: 'stream' }, dropWhen: (text) => text.includes('Hel') })
    await until(() => service.runner.cancelled.length === 1)
  })

  it('a keyed operation runs on without its caller, and the same request finds it', async () => {
    await start([{ afterMs: 150, text: 'Hi' }, { afterMs: 0, succeed: true }])
    const headers = { 'idempotency-key': 'k1' }
    await speak(service.port, { path: '/v1/operations', body, headers, dropAtOnce: true }).catch(() => undefined)
    await until(() => service.runner.started.length === 1)
    const answer = await speak(service.port, { path: '/v1/operations', body, headers })
    expect(JSON.parse(answer.text)).toMatchObject({ id: service.runner.started[0]?.id, status: 'succeeded' })
    expect(service.runner.started).toHaveLength(1)
    expect(service.runner.cancelled).toEqual([])
    const replayed = eventsOf((await speak(service.port, { path: '/v1/operations', body: { ...body, mode: 'stream' }, headers })).text)
    expect(replayed.map(({ event }) => event)).toEqual(['decision', 'delta', 'result'])
    const accepted = await speak(service.port, { path: '/v1/operations', body: { ...body, mode: 'async' }, headers })
    expect([accepted.status, accepted.headers['location']]).toEqual([202, `/v1/operations/${service.runner.started[0]?.id}`])
    const other = await speak(service.port, { path: '/v1/operations', body: { ...body, prompt: 'Another' }, headers })
    expect([other.status, (JSON.parse(other.text) as { code: string }).code]).toEqual([409, 'conflict'])
  })

  it('DELETE cancels what runs and answers with the state that holds', async () => {
    await start(hangs)
    const accepted = JSON.parse((await speak(service.port, { path: '/v1/operations', body: { ...body, mode: 'async' } })).text) as OperationResult
    const answer = await speak(service.port, { method: 'DELETE', path: `/v1/operations/${accepted.id}` })
    expect([answer.status, (JSON.parse(answer.text) as OperationResult).status]).toEqual([200, 'cancelled'])
    const again = await speak(service.port, { method: 'DELETE', path: `/v1/operations/${accepted.id}` })
    expect([again.status, (JSON.parse(again.text) as OperationResult).status]).toEqual([200, 'cancelled'])
  })

  it('DELETE with a content type and no body cancels too, as many clients send it', async () => {
    await start(answers)
    const { id } = JSON.parse((await speak(service.port, { path: '/v1/operations', body })).text) as OperationResult
    const answer = await speak(service.port, { method: 'DELETE', path: `/v1/operations/${id}`, headers: { 'content-type': 'application/json' } })
    expect([answer.status, (JSON.parse(answer.text) as OperationResult).id]).toEqual([200, id])
  })
})

describe('listing', () => {
  it('pages through operations, newest first, by an opaque cursor', async () => {
    await start(answers)
    for (let count = 0; count < 5; count += 1) await speakHttp1(service.port, { path: '/v1/operations', body })
    const seen: string[] = []
    let cursor = ''
    do {
      const answer = await speakHttp1(service.port, { path: `/v1/operations?limit=2&status=succeeded${cursor}` })
      const page = JSON.parse(answer.text) as { operations: OperationResult[]; nextCursor: string | null }
      seen.push(...page.operations.map(({ id }) => id))
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`
    } while (cursor !== '')
    expect(seen).toEqual(service.runner.started.map(({ id }) => id).reverse())
  })
})
