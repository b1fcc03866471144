import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { createSystemClock } from '../runtime/clock.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { until } from '../runtime/testing/eventually.ts'
import { createMcpRouter } from './mcp-router.ts'
import type { McpRouter } from './mcp-router.ts'
import type { McpSettings } from './settings.ts'
import { anOperation, carry, faultOfEnd, textOfEnd } from './testing/attempts.ts'

const clock = createSystemClock()
const script = fileURLToPath(new URL('testing/wayward-stdio-server.ts', import.meta.url))
const routers: McpRouter[] = []

afterEach(async () => {
  await Promise.all(routers.splice(0).map((router) => router.close()))
})

function routerOf(tool: string, flags: readonly string[] = [], more: Partial<McpSettings> = {}, server: object = {}): McpRouter {
  const router = createMcpRouter({
    settings: {
      servers: { local: { command: process.execPath, args: [script, ...flags], ...server } },
      routes: { default: { servers: ['local'], tool } },
      connect: 'lazy',
      probeTimeoutMs: 1_500,
      checkTimeoutMs: 700,
      ...more,
    },
    clock,
    random: createSeededRandom(1),
  })
  routers.push(router)
  return router
}

function viewOf(router: McpRouter) {
  const view = router.servers()[0]
  if (view === undefined) throw new Error('no server')
  return view
}

/** A process that has ended but that nobody has collected yet is not alive; `kill` with 0 could not tell. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))
  } catch {
    return false
  }
}

describe('a stdio server of the older wire', () => {
  it('gets the contract’s arguments and the operation’s id, and answers', async () => {
    const router = routerOf('echo', ['--chatty'])
    const operation = anOperation(clock, { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' })
    const { end, sent } = await carry(router, 'local', clock, { operation }).done
    const echoed = JSON.parse(textOfEnd(end)) as { arguments: Record<string, unknown>; meta: Record<string, unknown> }
    expect(echoed.arguments).toMatchObject({
      operationId: operation.id,
      operation: 'standard_analysis',
      priority: 'medium',
      prompt: 'What is on fire?',
      messages: operation.converse.messages,
      context: { tenant: 'acme', userId: 'u1', metadata: { team: 'blue' } },
    })
    expect(echoed.arguments).not.toHaveProperty('converse')
    expect(echoed.arguments['deadlineMs']).toBeGreaterThan(50_000)
    expect(echoed.arguments['deadlineMs']).toBeLessThanOrEqual(60_000)
    expect(echoed.meta).toMatchObject({ 'traceparent': operation.traceparent, 'hybrid-routing/operation-id': operation.id })
    expect(sent).toBe(1)
    expect(viewOf(router)).toMatchObject({ state: 'ready', health: 'healthy', era: '2025-11-25', inFlight: 0 })
  })

  it('that dies in mid-call fails the attempt as a network fault and is started again', async () => {
    const router = routerOf('die')
    const { end, sent } = await carry(router, 'local', clock).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'network', retryable: true })
    expect(sent).toBe(1)
    await until(() => viewOf(router).connections === 2)
    expect(viewOf(router).state).toBe('ready')
    // It dies again at once: from now on the backoff keeps it from a tight loop.
    await carry(router, 'local', clock).done
    expect(viewOf(router).state).toBe('waiting')
    const refused = await carry(router, 'local', clock).done
    expect(faultOfEnd(refused.end)).toMatchObject({ kind: 'network', rejected: true })
    expect(refused.sent).toBe(0)
  })

  it('that hangs ends at the deadline, hears of the cancellation, and is not blamed while it answers pings', async () => {
    const router = routerOf('hang')
    const { end, elapsedMs } = await carry(router, 'local', clock, { deadlineInMs: 600 }).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'timeout', retryable: true })
    expect(elapsedMs).toBeGreaterThanOrEqual(599)
    router.update({ servers: { local: { command: process.execPath, args: [script] } }, routes: { default: { servers: ['local'], tool: 'cancelled_calls' } }, connect: 'lazy' })
    const asked = await carry(router, 'local', clock).done
    expect(textOfEnd(asked.end)).toBe('1')
    expect(viewOf(router)).toMatchObject({ health: 'healthy', connections: 1 })
  })

  it('that is silent longer than its limit fails, and one that reports progress does not', async () => {
    const hanging = routerOf('hang', [], {}, { timeoutMs: 300 })
    expect(faultOfEnd((await carry(hanging, 'local', clock).done).end)).toMatchObject({ kind: 'timeout', message: expect.stringContaining('silence') as string })
    const slow = routerOf('slow', [], {}, { timeoutMs: 250 })
    const { end, elapsedMs } = await carry(slow, 'local', clock).done
    expect(textOfEnd(end)).toBe('done slowly')
    expect(elapsedMs).toBeGreaterThan(250)
  })

  it('that reports progress for ever is cut at the deadline all the same', async () => {
    const slow = routerOf('slow')
    await slow.checkServer('local')
    const { end } = await carry(slow, 'local', clock, { deadlineInMs: 200 }).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'timeout', message: expect.stringContaining('deadline') as string })
  })

  it.each([
    ['is_error', { kind: 'model_error', retryable: false }],
    ['rpc_error', { kind: 'overloaded', retryable: true, upstreamCode: 'jsonrpc -32603' }],
    ['not_a_result', { kind: 'protocol' }],
    ['huge', { kind: 'protocol', retryable: false }],
  ])('whose tool answers with %s fails without its words', async (tool, fault) => {
    const { end } = await carry(routerOf(tool), 'local', clock).done
    expect(faultOfEnd(end)).toMatchObject(fault)
    expect(JSON.stringify(end)).not.toContain('secret-of-the-server')
  })

  it('that prints garbage for an answer costs its call the deadline and nothing more', async () => {
    const router = routerOf('garbage')
    expect(faultOfEnd((await carry(router, 'local', clock, { deadlineInMs: 500 }).done).end)).toMatchObject({ kind: 'timeout' })
    expect((await router.checkServer('local'))?.health).toBe('healthy')
  })

  it('without the configured tool is not healthy and says so, and nothing is sent to it', async () => {
    const router = routerOf('echo', ['--no-tools'])
    const { end, sent } = await carry(router, 'local', clock).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'not_found', rejected: true })
    expect(sent).toBe(0)
    expect(viewOf(router)).toMatchObject({ state: 'ready', health: 'unhealthy', reason: expect.stringContaining('`echo`') as string })
  })

  it.each([['--exit-on-probe'], ['--mute-probe']])('that knows nothing of the newer wire (%s) is spoken to in the older one', async (flag) => {
    const router = routerOf('echo', [flag], { probeTimeoutMs: 300 })
    const { end } = await carry(router, 'local', clock).done
    expect(end.outcome).toBe('succeeded')
    expect(viewOf(router).era).toBe('2025-11-25')
  })

  it('inherits no variable that it was not given', async () => {
    const router = routerOf('environment', [], {}, { env: { GIVEN: 'yes' } })
    const names = textOfEnd((await carry(router, 'local', clock).done).end).split(' ')
    expect(names).toContain('GIVEN')
    expect(names.filter((name) => /AWS|VITEST|NODE_/.test(name))).toEqual([])
  })

  it('prints to its error output what is kept short and without its secrets', async () => {
    const router = routerOf('echo', ['--chatty'], {}, { env: { API_KEY: 'hunter2-hunter2' } })
    await carry(router, 'local', clock).done
    await until(() => router.stderrTail('local').includes('API_KEY='))
    expect(router.stderrTail('local')).toContain('API_KEY=[redacted]')
    expect(router.stderrTail('local').length).toBeLessThanOrEqual(4_096 + 20)
  })

  it('that cannot be started is a network fault, not a crash', async () => {
    const router = createMcpRouter({
      settings: { servers: { local: { command: '/nonexistent/server' } }, routes: { default: { servers: ['local'], tool: 'echo' } }, connect: 'lazy' },
      clock,
      random: createSeededRandom(1),
    })
    routers.push(router)
    const { end, sent } = await carry(router, 'local', clock).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'network' })
    expect(sent).toBe(0)
    expect(viewOf(router)).toMatchObject({ state: 'waiting', health: 'unhealthy' })
  })

  it('that ignores SIGTERM is killed, and so is what it started: no process is left after close', async () => {
    const router = routerOf('echo', ['--ignore-sigterm', '--helper'])
    await carry(router, 'local', clock).done
    await until(() => router.stderrTail('local').includes('helper'))
    const helper = Number(/helper (\d+)/.exec(router.stderrTail('local'))?.[1])
    expect(isAlive(helper)).toBe(true)
    await router.close()
    await until(() => !isAlive(helper), 1_000)
  })

  it('is gone at once when the process is about to exit', async () => {
    const router = routerOf('echo', ['--ignore-sigterm', '--helper'])
    await carry(router, 'local', clock).done
    await until(() => router.stderrTail('local').includes('helper'))
    const helper = Number(/helper (\d+)/.exec(router.stderrTail('local'))?.[1])
    router.kill()
    await until(() => !isAlive(helper), 1_000)
  })

  it('leaves nothing behind when it is closed while it is still being started', async () => {
    const router = routerOf('hang', ['--mute-probe', '--ignore-sigterm', '--helper'])
    const carrying = carry(router, 'local', clock)
    await until(() => router.stderrTail('local').includes('helper'))
    const helper = Number(/helper (\d+)/.exec(router.stderrTail('local'))?.[1])
    await router.close()
    expect(faultOfEnd((await carrying.done).end)).toMatchObject({ kind: 'network' })
    await until(() => !isAlive(helper), 1_000)
  })

  it('is left at once by a caller who cancels', async () => {
    const router = routerOf('hang')
    const carrying = carry(router, 'local', clock)
    await carrying.sent
    carrying.attempt.cancel()
    carrying.attempt.cancel()
    expect((await carrying.done).end).toMatchObject({ outcome: 'cancelled', spend: { estimated: true } })
    expect(viewOf(router).inFlight).toBe(0)
  })

  it('takes no more calls at once than its limit: the next waits a little, then is rejected', async () => {
    const router = routerOf('hang', [], { queueWaitMs: 80 }, { concurrency: 1 })
    const first = carry(router, 'local', clock)
    await first.sent
    const second = await carry(router, 'local', clock).done
    expect(faultOfEnd(second.end)).toMatchObject({ kind: 'overloaded', retryable: true, rejected: true })
    expect(second.sent).toBe(0)
    expect(second.elapsedMs).toBeLessThan(2_000)
    first.attempt.cancel()
    await first.done
    expect(viewOf(router)).toMatchObject({ inFlight: 0, waiting: 0 })
  })

  it('that is replaced by an update finishes its calls first', async () => {
    const router = routerOf('slow')
    const carrying = carry(router, 'local', clock)
    await carrying.sent
    router.update({ servers: {}, routes: {} })
    expect(router.servers()).toEqual([])
    expect(textOfEnd((await carrying.done).end)).toBe('done slowly')
  })
})
