import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createSystemClock, sleep } from '../runtime/clock.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { until } from '../runtime/testing/eventually.ts'
import { createMcpRouter } from './mcp-router.ts'
import type { McpRouter, McpRouterOptions } from './mcp-router.ts'
import type { McpSettings } from './settings.ts'
import { anOperation, carry, faultOfEnd, textOfEnd } from './testing/attempts.ts'
import { startWaywardHttpServer } from './testing/wayward-http-server.ts'
import type { WaywardHttpServer } from './testing/wayward-http-server.ts'

const clock = createSystemClock()
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function serverOf(port = 0): Promise<WaywardHttpServer> {
  const server = await startWaywardHttpServer(port)
  closers.push(() => server.close())
  return server
}

function routerOf(url: string, tool: string, server: object = {}, more: Partial<McpSettings> = {}, options: Partial<McpRouterOptions> = {}): McpRouter {
  const router = createMcpRouter({
    settings: { servers: { ops: { url, ...server } }, routes: { default: { servers: ['ops'], tool } }, connect: 'lazy', checkTimeoutMs: 700, ...more },
    clock,
    random: createSeededRandom(1),
    ...options,
  })
  closers.push(() => router.close())
  return router
}

function viewOf(router: McpRouter) {
  const view = router.servers()[0]
  if (view === undefined) throw new Error('no server')
  return view
}

describe('an HTTP server of the older wire', () => {
  it.each([
    ['cut', { kind: 'network', retryable: true }],
    ['ended', { kind: 'network', retryable: true }],
    ['garbage', { kind: 'protocol' }],
    ['other_id', { kind: 'protocol' }],
    ['huge', { kind: 'protocol', retryable: false }],
    ['huge_stream', { kind: 'protocol', retryable: false }],
    ['throttled', { kind: 'throttled', retryable: true, retryAfterMs: 7_000, upstreamStatus: 429 }],
    ['broken', { kind: 'overloaded', retryable: true, upstreamStatus: 503 }],
    ['html', { kind: 'protocol' }],
    ['is_error', { kind: 'model_error', retryable: false }],
  ])('whose tool answers with %s fails long before the deadline, without its words', async (tool, fault) => {
    const server = await serverOf()
    const { end, elapsedMs, sent } = await carry(routerOf(server.url, tool), 'ops', clock, { deadlineInMs: 30_000 }).done
    expect(faultOfEnd(end)).toMatchObject(fault)
    expect(elapsedMs).toBeLessThan(5_000)
    expect(sent).toBe(1)
    expect(JSON.stringify(end)).not.toContain('secret-of-the-server')
  })

  it.each([400, 404] as const)('that has forgotten the session (%i) gets a fresh one, and the call is made on it', async (status) => {
    const server = await serverOf()
    const router = routerOf(server.url, 'echo')
    expect((await carry(router, 'ops', clock).done).end.outcome).toBe('succeeded')
    server.forgetSessions(status)
    const { end, sent } = await carry(router, 'ops', clock).done
    expect(end.outcome).toBe('succeeded')
    expect(sent).toBe(1)
    expect(server.initializations()).toBe(2)
    expect(server.calls).toEqual(['echo', 'echo'])
  })

  it('hears of a cancellation, and its response is closed', async () => {
    const server = await serverOf()
    const carrying = carry(routerOf(server.url, 'hang'), 'ops', clock)
    await carrying.sent
    await until(() => server.calls.length === 1)
    carrying.attempt.cancel()
    expect((await carrying.done).end.outcome).toBe('cancelled')
    await until(() => server.cancelled.length === 1 && server.closedByClient.length === 1)
  })

  it('that dies before it answers is a network fault of a call that was sent', async () => {
    const server = await startWaywardHttpServer()
    const carrying = carry(routerOf(server.url, 'hang'), 'ops', clock, { deadlineInMs: 30_000 })
    await carrying.sent
    await until(() => server.calls.length === 1)
    await server.close()
    const { end, sent, elapsedMs } = await carrying.done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'network', retryable: true })
    expect(sent).toBe(1)
    expect(elapsedMs).toBeLessThan(5_000)
  })

  it('that answers slowly with progress is waited for beyond the silence limit', async () => {
    const server = await serverOf()
    const { end } = await carry(routerOf(server.url, 'slow', { timeoutMs: 250 }), 'ops', clock).done
    expect(textOfEnd(end)).toBe('done slowly')
  })

  it('that is not there is a network fault and nothing counts as sent; when it comes back it is used again', async () => {
    const first = await serverOf()
    const { port, url } = first
    const router = routerOf(url, 'echo')
    expect((await carry(router, 'ops', clock).done).end.outcome).toBe('succeeded')
    await first.close()
    // Until our side has seen its idle connection close, a request may still be written to it and count as sent.
    await sleep(clock, 100)
    const lost = await carry(router, 'ops', clock).done
    expect(faultOfEnd(lost.end)).toMatchObject({ kind: 'network', retryable: true })
    expect(lost.sent).toBe(0)
    await until(() => viewOf(router).health === 'unhealthy')
    await serverOf(port)
    await until(() => viewOf(router).health === 'healthy', 15_000)
    expect((await carry(router, 'ops', clock).done).end.outcome).toBe('succeeded')
  })

  it('gets the configured headers and the bearer token, from the environment or from a file, and refusals are not tried in a loop', async () => {
    const server = await serverOf()
    const folder = await mkdtemp(join(tmpdir(), 'hybrid-routing-'))
    closers.push(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, 'token'), 'from-a-file\n')
    const byEnvironment = routerOf(server.url, 'echo', { bearerToken: { environment: 'TOKEN' } }, {}, { environment: { TOKEN: 'from-the-environment' } })
    expect((await carry(byEnvironment, 'ops', clock).done).end.outcome).toBe('succeeded')
    expect(server.authorizations.at(-1)).toBe('Bearer from-the-environment')
    const byFile = routerOf(server.url, 'echo', { bearerToken: { file: join(folder, 'token') } })
    expect((await carry(byFile, 'ops', clock).done).end.outcome).toBe('succeeded')
    expect(server.authorizations.at(-1)).toBe('Bearer from-a-file')
    const without = routerOf(server.url, 'echo', { bearerToken: { environment: 'MISSING' } })
    expect(faultOfEnd((await carry(without, 'ops', clock).done).end)).toMatchObject({ kind: 'auth', retryable: false })
    server.refuseAll(401)
    const refused = routerOf(server.url, 'echo')
    const { end, sent } = await carry(refused, 'ops', clock).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'auth', retryable: false })
    expect(sent).toBe(0)
    expect(JSON.stringify([...refused.servers(), ...byEnvironment.servers()])).not.toContain('from-')
  })

  it('gets what an arguments template makes of the operation', async () => {
    const server = await serverOf()
    const router = routerOf(
      server.url,
      'echo',
      {},
      { routes: { default: { servers: ['ops'], tool: 'echo', arguments: { query: '{{prompt}}', who: 'user {{context.userId}}', limit: '{{maxTokens}}', team: '{{metadata.team}}' } } } },
    )
    const operation = anOperation(clock)
    const { end } = await carry(router, 'ops', clock, { operation: { ...operation, converse: { ...operation.converse, inferenceConfig: { maxTokens: 9 } } } }).done
    expect((JSON.parse(textOfEnd(end)) as { arguments: unknown }).arguments).toEqual({ query: 'What is on fire?', who: 'user u1', limit: 9, team: 'blue' })
  })
})

describe('the MCP Router', () => {
  it('rejects what it cannot carry, before anything is sent', async () => {
    const server = await serverOf()
    const router = createMcpRouter({
      settings: {
        servers: { ops: { url: server.url }, off: { url: server.url, disabled: true }, aside: { url: server.url } },
        routes: { default: { servers: ['ops', 'off'], tool: 'echo' } },
        connect: 'lazy',
      },
      clock,
      random: createSeededRandom(1),
    })
    closers.push(() => router.close())
    const needy = anOperation(clock, { converse: { messages: [{ role: 'user', content: [{ text: 'x' }] }], toolConfig: { tools: [] } } })
    for (const [target, operation] of [['ops', needy], ['off', undefined], ['aside', undefined], ['unknown', undefined]] as const) {
      const { end, sent } = await carry(router, target, clock, operation === undefined ? {} : { operation }).done
      expect(faultOfEnd(end)).toMatchObject({ kind: 'not_found', rejected: true })
      expect(sent).toBe(0)
    }
    expect(server.initializations()).toBe(0)
    expect(router.candidates(needy)).toMatchObject([{ name: 'ops', capable: false, carries: 'text', repeatable: false }])
    expect(router.servers().map(({ name, state }) => [name, state])).toEqual([['ops', 'idle'], ['off', 'disabled'], ['aside', 'idle']])
  })

  it('puts the healthy servers of a route before those that are down', async () => {
    const server = await serverOf()
    const gone = await startWaywardHttpServer()
    await gone.close()
    const router = createMcpRouter({
      settings: {
        servers: { down: { url: gone.url }, up: { url: server.url } },
        routes: { default: { servers: ['down', 'up'], tool: 'echo', carries: 'converse', repeatable: true } },
      },
      clock,
      random: createSeededRandom(1),
    })
    closers.push(() => router.close())
    expect(router.candidates(anOperation(clock)).map(({ name }) => name)).toEqual(['down', 'up'])
    await router.checkServer('down')
    await router.checkServer('up')
    expect(router.candidates(anOperation(clock)).map(({ name, health }) => [name, health])).toEqual([['up', 'healthy'], ['down', 'unhealthy']])
    expect(await router.checkServer('unknown')).toBeNull()
    expect(router.servers().find(({ name }) => name === 'up')?.carries).toMatchObject({ emergency: 'converse', background_task: 'converse' })
  })

  it('after close refuses every attempt', async () => {
    const server = await serverOf()
    const router = routerOf(server.url, 'echo')
    await router.close()
    expect(faultOfEnd((await carry(router, 'ops', clock).done).end)).toMatchObject({ kind: 'network', rejected: true })
  })
})
