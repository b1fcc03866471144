/**
 * Against the reference servers that others publish: what an operator would configure on the first day, by argument
 * templates alone.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSystemClock, sleep } from '../runtime/clock.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { freePort } from '../runtime/testing/free-port.ts'
import { createMcpRouter } from './mcp-router.ts'
import type { McpRouter } from './mcp-router.ts'
import { anOperation, carry, faultOfEnd, textOfEnd } from './testing/attempts.ts'

const clock = createSystemClock()
const program = (name: string): string => fileURLToPath(new URL(`../../node_modules/@modelcontextprotocol/server-${name}/dist/index.js`, import.meta.url))
let folder = ''
let router: McpRouter

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'hybrid-routing-')))
  router = createMcpRouter({
    settings: {
      servers: {
        everything: { command: process.execPath, args: [program('everything'), 'stdio'] },
        memory: { command: process.execPath, args: [program('memory')], env: { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') } },
        filesystem: { command: process.execPath, args: [program('filesystem'), folder] },
      },
      routes: {
        kiro_communication: { servers: ['everything'], tool: 'echo', arguments: { message: '{{operation}}: {{prompt}}' } },
        background_task: { servers: ['everything'], tool: 'trigger-long-running-operation', arguments: { duration: 1, steps: 5 } },
        implementation: { servers: ['memory'], tool: 'create_entities', arguments: { entities: [{ name: '{{metadata.team}}', entityType: 'team', observations: ['{{prompt}}'] }] } },
        standard_analysis: { servers: ['memory'], tool: 'search_nodes', arguments: { query: '{{prompt}}' } },
        infrastructure: { servers: ['filesystem'], tool: 'write_file', arguments: { path: join(folder, '{{context.userId}}.txt'), content: '{{prompt}}' } },
        meta_monitor: { servers: ['filesystem'], tool: 'read_text_file', arguments: { path: '{{prompt}}' } },
      },
    },
    clock,
    random: createSeededRandom(1),
  })
  await Promise.all(['everything', 'memory', 'filesystem'].map((name) => router.checkServer(name)))
}, 20_000)

afterAll(async () => {
  await router.close()
  await rm(folder, { recursive: true })
})

const asks = (text: string) => ({ converse: { messages: [{ role: 'user' as const, content: [{ text }] }] } })

describe('the public MCP servers', () => {
  it('are all found healthy, with their tools, on the older wire', () => {
    expect(router.servers().map(({ name, health, era }) => [name, health, era])).toEqual([
      ['everything', 'healthy', '2025-11-25'],
      ['memory', 'healthy', '2025-11-25'],
      ['filesystem', 'healthy', '2025-11-25'],
    ])
  })

  it('everything: echoes what the template made', async () => {
    const { end } = await carry(router, 'everything', clock, { operation: anOperation(clock, { type: 'kiro_communication', ...asks('hello') }) }).done
    expect(textOfEnd(end)).toContain('kiro_communication: hello')
  })

  it('everything: a long-running tool answers with progress on the way', async () => {
    const { end, elapsedMs } = await carry(router, 'everything', clock, { operation: anOperation(clock, { type: 'background_task' }) }).done
    expect(end.outcome).toBe('succeeded')
    expect(elapsedMs).toBeGreaterThan(900)
  })

  it('memory: remembers an entity and finds it again', async () => {
    const stored = await carry(router, 'memory', clock, { operation: anOperation(clock, { type: 'implementation', ...asks('likes quiet nights') }) }).done
    expect(stored.end.outcome).toBe('succeeded')
    const found = await carry(router, 'memory', clock, { operation: anOperation(clock, asks('quiet')) }).done
    expect(textOfEnd(found.end)).toContain('likes quiet nights')
  })

  it('filesystem: writes a file, and refuses to read outside its folder', async () => {
    await carry(router, 'filesystem', clock, { operation: anOperation(clock, { type: 'infrastructure', ...asks('what was said') }) }).done
    expect(await readFile(join(folder, 'u1.txt'), 'utf8')).toBe('what was said')
    const outside = await carry(router, 'filesystem', clock, { operation: anOperation(clock, { type: 'meta_monitor', ...asks('/etc/hostname') }) }).done
    expect(faultOfEnd(outside.end)).toMatchObject({ kind: 'model_error', retryable: false })
  })
})


/** The server listens on every interface and has no setting for it: this keeps it on loopback. */
const onLoopback = `data:text/javascript,${encodeURIComponent(`
import { Server } from 'node:net'
const listen = Server.prototype.listen
Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, ...rest)
}`)}`

async function startEverythingOverHttp(port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', onLoopback, program('everything'), 'streamableHttp'], { env: { ...process.env, PORT: String(port) }, stdio: ['ignore', 'ignore', 'pipe'] })
  // It says on its error output when it listens.
  if (child.stderr !== null) await once(child.stderr, 'data')
  return child
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

describe('everything over HTTP, which keeps sessions', () => {
  it('is used on a fresh session after it was killed and started again', async () => {
    const port = await freePort()
    let child = await startEverythingOverHttp(port)
    const overHttp = createMcpRouter({
      settings: { servers: { everything: { url: `http://127.0.0.1:${String(port)}/mcp` } }, routes: { default: { servers: ['everything'], tool: 'echo', arguments: { message: '{{prompt}}' } } }, connect: 'lazy' },
      clock,
      random: createSeededRandom(1),
    })
    try {
      const health = async (): Promise<string | undefined> => (await overHttp.checkServer('everything'))?.health
      for (let tries = 0; tries < 100 && (await health()) !== 'healthy'; tries += 1) await sleep(clock, 50)
      expect(textOfEnd((await carry(overHttp, 'everything', clock, { operation: anOperation(clock, asks('before')) }).done).end)).toContain('before')
      await stop(child)
      child = await startEverythingOverHttp(port)
      await sleep(clock, 100)
      expect(textOfEnd((await carry(overHttp, 'everything', clock, { operation: anOperation(clock, asks('after')) }).done).end)).toContain('after')
      expect(overHttp.servers()[0]).toMatchObject({ health: 'healthy', era: '2025-11-25' })
    } finally {
      await overHttp.close()
      await stop(child)
    }
  }, 20_000)
})
