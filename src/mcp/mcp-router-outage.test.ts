import { afterEach, describe, expect, it } from 'vitest'
import { createSystemClock, sleep } from '../runtime/clock.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import type { VirtualClock } from '../runtime/virtual-clock.ts'
import { mcpDefaults } from './limits.ts'
import { createMcpRouter } from './mcp-router.ts'
import type { McpRouter } from './mcp-router.ts'
import { carry, faultOfEnd } from './testing/attempts.ts'
import { startWaywardHttpServer } from './testing/wayward-http-server.ts'
import type { WaywardHttpServer } from './testing/wayward-http-server.ts'

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function serverOf(port = 0): Promise<WaywardHttpServer> {
  const server = await startWaywardHttpServer(port)
  closers.push(() => server.close())
  return server
}

function routerOf(url: string, clock: VirtualClock): McpRouter {
  const router = createMcpRouter({ settings: { servers: { ops: { url } }, routes: { default: { servers: ['ops'], tool: 'echo' } }, connect: 'lazy' }, clock, random: createSeededRandom(7) })
  // Closing waits for the server's farewell under a limit, and this clock stands still unless it is moved.
  closers.push(async () => {
    const closing = router.close()
    await clock.advanceAsync(5_000)
    await closing
  })
  return router
}

/** Time passes on the virtual clock in small steps, and the real sockets get their turn in each. */
async function pass(clock: VirtualClock, durationMs: number, condition: () => boolean = () => false): Promise<boolean> {
  const real = createSystemClock()
  for (let passedMs = 0; passedMs < durationMs && !condition(); passedMs += 500) {
    await clock.advanceAsync(500)
    await sleep(real, 2)
  }
  return condition()
}

describe('an outage of more than a minute', () => {
  it('is noticed without a call, refuses calls at once, and ends soon after the server is back', async () => {
    const clock = createVirtualClock()
    const first = await serverOf()
    const router = routerOf(first.url, clock)
    expect((await router.checkServer('ops'))?.health).toBe('healthy')
    await first.close()
    // The next health check notices it without any call.
    expect(await pass(clock, mcpDefaults.checkIntervalMs + 5_000, () => router.servers()[0]?.health === 'unhealthy')).toBe(true)
    await pass(clock, 60_000)
    const refused = await carry(router, 'ops', clock).done
    expect(faultOfEnd(refused.end)).toMatchObject({ kind: 'network', rejected: true })
    const second = await serverOf(first.port)
    expect(await pass(clock, 31_000, () => router.servers()[0]?.health === 'healthy')).toBe(true)
    expect(second.initializations()).toBe(1)
    expect((await carry(router, 'ops', clock).done).end.outcome).toBe('succeeded')
  })

})

describe('closing', () => {
  it('leaves no timer behind', async () => {
    const clock = createVirtualClock()
    const server = await serverOf()
    const router = routerOf(server.url, clock)
    await router.checkServer('ops')
    expect((await carry(router, 'ops', clock).done).end.outcome).toBe('succeeded')
    expect(clock.pending()).toBeGreaterThan(0)
    const closing = router.close()
    await pass(clock, 1_000)
    await closing
    expect(clock.pending()).toBe(0)
  })
})

describe('closing after an update', () => {
  it('waits for no call of a server that was replaced, and leaves no timer behind', async () => {
    const clock = createVirtualClock()
    const server = await serverOf()
    const router = createMcpRouter({ settings: { servers: { ops: { url: server.url } }, routes: { default: { servers: ['ops'], tool: 'hang' } }, connect: 'lazy' }, clock, random: createSeededRandom(7) })
    const carrying = carry(router, 'ops', clock, { deadlineInMs: 100_000 })
    await carrying.sent
    router.update({ servers: {}, routes: {} })
    expect(clock.pending()).toBeGreaterThan(0)
    const closing = router.close()
    await pass(clock, 1_000)
    await closing
    expect(faultOfEnd((await carrying.done).end)).toMatchObject({ kind: 'network' })
    expect(clock.pending()).toBe(0)
  })
})

describe('the verdict on the wire', () => {
  it('spares the next connection the question, until it expires', async () => {
    const clock = createVirtualClock()
    const server = await serverOf()
    const router = routerOf(server.url, clock)
    await router.checkServer('ops')
    const probes = (): number => server.methods.filter((method) => method === 'server/discover').length
    expect(probes()).toBe(1)
    server.forgetSessions(404)
    await carry(router, 'ops', clock).done
    expect(probes()).toBe(1)
    clock.advance(mcpDefaults.eraExpiryMs)
    await router.checkServer('ops')
    server.forgetSessions(404)
    await carry(router, 'ops', clock).done
    expect(probes()).toBe(2)
    expect(server.initializations()).toBe(3)
  })
})
