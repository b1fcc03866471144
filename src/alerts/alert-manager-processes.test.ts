import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { connectRedis } from '../store/adapters/redis-connection.ts'
import { startRedisServer } from '../store/testing/redis-server.ts'
import { createRedisStateStore } from '../store/adapters/redis-state-store.ts'
import { openReceiver } from './notifier.conformance.ts'
import { calm, openLab, withLevel } from './testing/alert-lab.ts'

interface Told {
  readonly event: string
  readonly id: string
  readonly dedupKey: string
  readonly alerts: readonly { readonly id: string; readonly status: string }[]
}

it('a process that is killed while an alert fires is replaced by one that knows it, pages nobody again, and resolves it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-alerts-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const receiver = await openReceiver((response) => response.writeHead(204).end())
  const told = (): readonly Told[] => receiver.requests.map((request) => JSON.parse(request.body) as Told)
  const start = (level: string): { readonly child: ChildProcess; readonly output: () => string } => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('testing/alert-process.ts', import.meta.url)), join(folder, 'alerts.db'), `${receiver.url}/hook`, level], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
    return { child, output: () => text }
  }

  const first = start('critical')
  await expect.poll(told, { timeout: 10_000 }).toMatchObject([{ event: 'firing', dedupKey: 'hybrid-routing:mcp-router-failure/mcp-router' }])
  const exited = once(first.child, 'exit')
  first.child.kill('SIGKILL')
  await exited

  const second = start('critical')
  // It says the preference again when it has taken over: by then it has read the book.
  await expect.poll(second.output, { timeout: 15_000 }).toContain('prefer direct')
  const gone = once(second.child, 'exit')
  second.child.kill('SIGKILL')
  await gone
  const firings = told().filter((notification) => notification.event === 'firing')
  expect(new Set(firings.map((notification) => notification.id)).size).toBe(1)

  const third = start('healthy')
  await expect.poll(() => told().at(-1)?.event, { timeout: 15_000 }).toBe('resolved')
  expect(told().at(-1)).toMatchObject({ dedupKey: firings[0]?.dedupKey, alerts: [{ id: firings[0]?.alerts[0]?.id, status: 'resolved' }] })
  expect(third.output()).toContain('prefer null')
}, 60_000)

it('two instances on a real Redis: one page, and the acknowledgement of one holds on both', async () => {
  const server = await startRedisServer()
  onTestFinished(() => server.stop())
  const clock = createVirtualClock()
  const open = async (instanceId: string) => {
    const store = createRedisStateStore(await connectRedis({ url: server.url, prefix: 'alerts:' }), clock)
    // Redis answers in real time: the clock stands still until both have.
    const lab = await openLab({ clock, store, instanceId })
    onTestFinished(() => store.close())
    return lab
  }
  const labs = [await open('one'), await open('two')] as const
  const ticks = async (count: number): Promise<void> => {
    for (let tick = 0; tick < count; tick += 1) {
      clock.advance(5_000)
      await Promise.all(labs.map((lab) => lab.manager.tick()))
    }
  }
  for (const lab of labs) lab.set(withLevel(calm, 'direct-bedrock-client', 'critical'))
  await ticks(40)
  const pages = () => labs.flatMap((lab) => lab.pager.received).map((notification) => notification.event)
  expect(pages()).toEqual(['firing'])
  expect(labs.map((lab) => lab.manager.health().role).sort()).toEqual(['evaluating', 'standing_by'])
  const standingBy = labs.find((lab) => lab.manager.health().role === 'standing_by') ?? labs[0]
  const id = standingBy.manager.list()[0]?.id ?? ''
  await standingBy.manager.acknowledge(id, 'anna')
  await ticks(2)
  expect(labs.map((lab) => lab.manager.get(id)?.acknowledgedBy)).toEqual(['anna', 'anna'])
  expect(pages()).toEqual(['firing', 'acknowledged'])
}, 120_000)
