import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { createSystemClock, sleep } from '../runtime/clock.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { freePort } from '../runtime/testing/free-port.ts'
import { createMcpRouter } from './mcp-router.ts'
import type { McpRouter } from './mcp-router.ts'
import type { McpServerSettings } from './settings.ts'
import { anOperation, carry, faultOfEnd, textOfEnd } from './testing/attempts.ts'

const clock = createSystemClock()
const script = fileURLToPath(new URL('testing/changing-tools-server.ts', import.meta.url))
const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

interface HttpServer {
  readonly url: string
  said(): string
  stop(): Promise<void>
}

async function startHttp(...words: readonly string[]): Promise<HttpServer> {
  const child = spawn(process.execPath, [script, 'http', ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  closers.push(stop)
  await until(() => said.includes('\n'))
  return { url: said.trim(), said: () => said, stop }
}

/** Two tools are expected; `switch` is always there, and what it does to `echo` is what is looked at. */
function routerOf(server: McpServerSettings): McpRouter {
  const router = createMcpRouter({
    settings: {
      servers: { changing: server },
      routes: { standard_analysis: { servers: ['changing'], tool: 'echo' }, background_task: { servers: ['changing'], tool: 'switch' } },
      connect: 'lazy',
      // Nothing here may come from a check that is due anyway.
      checkIntervalMs: 600_000,
    },
    clock,
    random: createSeededRandom(1),
  })
  closers.push(() => router.close())
  return router
}

const viewOf = (router: McpRouter) => router.servers()[0]

async function until(condition: () => boolean, limitMs = 10_000): Promise<void> {
  const endMs = clock.monotonicMs() + limitMs
  while (!condition()) {
    if (clock.monotonicMs() > endMs) throw new Error('it did not come about')
    await sleep(clock, 5)
  }
}

async function switchEcho(router: McpRouter): Promise<string> {
  return textOfEnd((await carry(router, 'changing', clock, { operation: anOperation(clock, { type: 'background_task' }) }).done).end)
}

describe.each([
  ['stdio', 'older', '2025-11-25'],
  ['stdio', 'newer', '2026-07-28'],
  ['http', 'older', '2025-11-25'],
  ['http', 'newer', '2026-07-28'],
])('a server over %s on the %s wire whose tools change', (transport, wire, era) => {
  it('is unhealthy from then on, with that reason, and healthy again when they are back', async () => {
    const http = transport === 'http' ? await startHttp(wire) : null
    const router = routerOf(http === null ? { command: process.execPath, args: [script, 'stdio', wire] } : { url: http.url })
    expect(await router.checkServer('changing')).toMatchObject({ health: 'healthy', era })
    // On the older wire nothing is told before the session's own stream is there.
    if (http !== null && wire === 'older') await until(() => http.said().includes('stream'))
    for (const round of [1, 2]) {
      expect(await switchEcho(router)).toBe('taken away')
      await until(() => viewOf(router)?.health === 'unhealthy')
      expect(viewOf(router), `round ${String(round)}`).toMatchObject({ state: 'ready', reason: 'The server does not offer the configured tool `echo`.', connections: 1 })
      const refused = await carry(router, 'changing', clock).done
      expect(faultOfEnd(refused.end)).toMatchObject({ kind: 'not_found', rejected: true })
      expect(refused.sent).toBe(0)
      expect(await switchEcho(router)).toBe('offered')
      await until(() => viewOf(router)?.health === 'healthy')
      expect(textOfEnd((await carry(router, 'changing', clock).done).end)).toBe('echo')
    }
  })
})

describe('a server of the newer wire over HTTP', () => {
  it('that comes back with other tools is listened to again, and what changed meanwhile is seen', async () => {
    const port = String(await freePort())
    const before = await startHttp('newer', port)
    const router = routerOf({ url: before.url })
    expect(await router.checkServer('changing')).toMatchObject({ health: 'healthy' })
    await switchEcho(router)
    await until(() => viewOf(router)?.health === 'unhealthy')
    await switchEcho(router)
    await until(() => viewOf(router)?.health === 'healthy')
    await before.stop()
    await startHttp('newer', port, '--without-echo')
    await until(() => viewOf(router)?.reason.includes('`echo`') === true, 15_000)
    expect(viewOf(router)).toMatchObject({ health: 'unhealthy', connections: 1 })
    expect(await switchEcho(router)).toBe('offered')
    await until(() => viewOf(router)?.health === 'healthy')
  })
})

describe('a server that says without end that its tools have changed', () => {
  it('is asked for them a few times a second, and its calls go on', async () => {
    const restless = fileURLToPath(new URL('testing/wayward-stdio-server.ts', import.meta.url))
    const router = createMcpRouter({
      settings: { servers: { changing: { command: process.execPath, args: [restless, '--restless'] } }, routes: { default: { servers: ['changing'], tool: 'listings' } }, connect: 'lazy' },
      clock,
      random: createSeededRandom(1),
    })
    closers.push(() => router.close())
    await router.checkServer('changing')
    const listings = async (): Promise<number> => Number(textOfEnd((await carry(router, 'changing', clock).done).end))
    const startedMs = clock.monotonicMs()
    const first = await listings()
    await sleep(clock, 1_000)
    const asked = (await listings()) - first
    expect(asked).toBeGreaterThan(0)
    expect(asked).toBeLessThanOrEqual(Math.ceil((clock.monotonicMs() - startedMs) / 250) + 1)
    expect(viewOf(router)?.health).toBe('healthy')
  })
})
