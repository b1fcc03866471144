import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { createSystemClock } from '../../runtime/clock.ts'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import type { Message } from '../message-queue.ts'
import type { Durability } from './sqlite-file.ts'
import { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from './sqlite-store.ts'

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'hybrid-routing-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}
const open = async (path: string, options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> => {
  const store = await openSqliteStore({ path, durability: 'process', clock: createVirtualClock(), ...options })
  onTestFinished(() => store.close())
  return store
}
const message = (id: string, nowMs: number, changes: Partial<Message> = {}): Message => ({
  id,
  priority: 'medium',
  payload: { prompt: 'x' },
  enqueuedAtMs: nowMs,
  expiresAtMs: nowMs + 60_000,
  deadlineMs: nowMs + 30_000,
  maxDeliveries: 2,
  ...changes,
})
const mode = (path: string): number => statSync(path).mode & 0o777
const address = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href)
const script = (body: string): readonly string[] => [
  '--input-type=module',
  '-e',
  `import { openSqliteStore } from ${address('./sqlite-store.ts')}; import { createSystemClock } from ${address('../../runtime/clock.ts')};
   const clock = createSystemClock(); const [path, durability] = process.argv.slice(1); ${body}`,
]

test('the folder and every file of the store are its owner’s alone', async () => {
  const path = join(folder(), 'data', 'store.db')
  const store = await open(path)
  await store.state.put('results', 'op_1', 1)
  expect(mode(join(path, '..'))).toBe(0o700)
  for (const file of [path, `${path}-wal`, `${path}-shm`, `${path}-lock`]) expect([file, mode(file)]).toEqual([file, 0o600])
})

test('a file that others could read is closed to them when it is opened', async () => {
  const path = join(folder(), 'store.db')
  writeFileSync(path, '')
  chmodSync(path, 0o644)
  await open(path)
  expect(mode(path)).toBe(0o600)
})

for (const durability of ['process', 'power'] as const) {
  test(`after a restart everything is there and what was leased can be claimed at once (${durability})`, async () => {
    const path = join(folder(), 'store.db')
    const clock = createVirtualClock()
    const first = await openSqliteStore({ path, durability, clock })
    await first.state.put('results', 'op_1', 'kept')
    await first.queue.enqueue(message('leased', clock.nowMs()))
    await first.queue.enqueue(message('exhausted', clock.nowMs(), { maxDeliveries: 1 }))
    await first.queue.enqueue(message('waiting', clock.nowMs(), { priority: 'low' }))
    const held = await first.queue.claim({ workerId: 'before', leaseMs: 50_000 })
    await first.queue.claim({ workerId: 'before', leaseMs: 50_000 })
    const version = (await first.state.get('results', 'op_1'))?.version ?? 0
    await first.close()

    const second = await open(path, { durability, clock })
    expect(await second.state.get('results', 'op_1')).toMatchObject({ value: 'kept', version })
    expect(await second.state.put('results', 'op_2', 1)).toMatchObject({ stored: true, version: expect.toSatisfy((next: number) => next > version) })
    expect(await second.queue.claim({ workerId: 'after', leaseMs: 1_000 })).toMatchObject({ message: message('leased', clock.nowMs()), delivery: 2, history: [{ workerId: 'before', ended: 'lapsed' }] })
    expect(await second.queue.claim({ workerId: 'after', leaseMs: 1_000 })).toMatchObject({ message: { id: 'waiting' }, delivery: 1 })
    expect(await second.queue.claimEnded({ workerId: 'after', leaseMs: 1_000, limit: 5 })).toMatchObject([{ message: { id: 'exhausted' }, ended: 'dead_lettered' }])
    expect(held === undefined ? undefined : await second.queue.complete(held.lease)).toEqual({ kind: 'lost' })
  })

  test(`what was acknowledged is there after kill -9 in the middle of writing (${durability})`, async () => {
    const path = join(folder(), 'store.db')
    const body = `
      const { queue } = await openSqliteStore({ path, durability, clock });
      for (let count = 1; ; count += 1) {
        await queue.enqueue({ id: 'op_' + count, priority: 'medium', payload: 'x'.repeat(1000), enqueuedAtMs: clock.nowMs(), expiresAtMs: clock.nowMs() + 600000, deadlineMs: clock.nowMs(), maxDeliveries: 1 });
        process.stdout.write(count + '\\n');
      }`
    const child = spawn(process.execPath, [...script(body), path, durability], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.length > 1_500) child.kill('SIGKILL')
    })
    await once(child, 'close')
    const acknowledged = text.split('\n').slice(0, -1).length
    expect(acknowledged).toBeGreaterThan(100)
    const { queue } = await open(path, { clock: createSystemClock() })
    expect((await queue.inspect()).depth).toBeGreaterThanOrEqual(acknowledged)
    for (let count = 1; count <= acknowledged; count += 1) expect((await queue.remove(`op_${count}`)).kind).toBe('removed')
  })
}

test('a second opening of the file is refused, in this process and from another one, and works once the first is gone', async () => {
  const path = join(folder(), 'store.db')
  const clock = createVirtualClock()
  const first = await openSqliteStore({ path, durability: 'process', clock })
  await expect(openSqliteStore({ path, durability: 'process', clock })).rejects.toMatchObject({ name: 'StoreError', fault: 'locked', message: expect.stringContaining(path) })
  const other = (): string =>
    spawnSync(process.execPath, [...script('try { await (await openSqliteStore({ path, durability, clock })).close(); console.log("opened") } catch (error) { console.log(error.fault) }'), path, 'process']).stdout.toString().trim()
  expect(other()).toBe('locked')
  await first.state.put('results', 'key', 1)
  await first.close()
  expect(other()).toBe('opened')
})

test('a file of a newer schema is left alone', async () => {
  const path = join(folder(), 'store.db')
  await (await openSqliteStore({ path, durability: 'process', clock: createVirtualClock() })).close()
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 99')
  database.close()
  for (const durability of ['process', 'power'] as const) {
    await expect(open(path, { durability })).rejects.toMatchObject({ fault: 'newer_schema', message: expect.stringContaining('schema 99') })
  }
})

test('a file that is no database, or is damaged, is reported as corrupt', async () => {
  const path = join(folder(), 'store.db')
  writeFileSync(path, 'these are not the bytes of a database, whatever the name says; '.repeat(200))
  const corrupt = { name: 'StoreError', fault: 'corrupt', message: expect.stringContaining('move') }
  for (const durability of ['process', 'power'] as const) await expect(open(path, { durability })).rejects.toMatchObject(corrupt)
})

test('a path that cannot be a file is reported with what to check', async () => {
  const base = folder()
  writeFileSync(join(base, 'file'), '')
  mkdirSync(join(base, 'folder.db'))
  await expect(open(join(base, 'file', 'store.db'))).rejects.toMatchObject({ name: 'StoreError', fault: 'read_only' })
  await expect(open(join(base, 'folder.db'))).rejects.toMatchObject({ name: 'StoreError', fault: 'read_only' })
})

for (const durability of ['process', 'power'] satisfies Durability[]) {
  test(`a full file refuses what does not fit, keeps what it has, and works again when there is room (${durability})`, async () => {
    const path = join(folder(), 'store.db')
    const { state, queue } = await open(path, { durability, maxBytes: 1_024 * 1_024 })
    const value = 'x'.repeat(50_000)
    let stored = 0
    const fill = async (): Promise<void> => {
      for (; stored < 100; stored += 1) await state.put('results', `op_${stored}`, value)
    }
    await expect(fill()).rejects.toMatchObject({ name: 'StoreError', fault: 'full', message: expect.stringContaining('free space') })
    expect(stored).toBeGreaterThan(10)
    await expect(queue.enqueue(message('op_1', 0, { payload: value }))).rejects.toMatchObject({ fault: 'full' })
    expect((await queue.inspect()).depth).toBe(0)
    expect(await state.get('results', 'op_0')).toMatchObject({ value })
    for (let index = 0; index < 5; index += 1) await state.delete('results', `op_${index}`)
    expect(await state.put('results', 'again', value)).toMatchObject({ stored: true })
    expect(existsSync(path)).toBe(true)
  })
}

test('many writes are copied from the log into the file while calls go on, and the log does not grow without end', async () => {
  const path = join(folder(), 'store.db')
  const { state } = await open(path)
  const value = 'x'.repeat(20_000)
  for (let round = 0; round < 8_000; round += 1) await state.put('results', `op_${round % 20}`, value)
  expect(statSync(`${path}-wal`).size).toBeLessThan(100 * 1_024 * 1_024)
  expect((await state.list('results', { limit: 100 })).length).toBe(20)
})
