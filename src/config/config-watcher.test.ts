import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { SystemEvent } from '../operation/system-event.ts'
import { createSystemClock } from '../runtime/clock.ts'
import { createEventStream } from '../runtime/event-stream.ts'
import { createConfigWatcher, type ConfigWatcher } from './config-watcher.ts'
import { loadConfig } from './load-config.ts'

const text = (level: string, more = ''): string => `direct: { targets: [{ id: a, region: eu-west-1, modelId: m }] }\nlogs: { level: ${level} }\n${more}`

type ConfigEvent = Extract<SystemEvent, { type: 'config_reloaded' | 'config_rejected' }>

const opened: { close(): void }[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'config-watcher-'))
  opened.push({ close: () => rmSync(path, { recursive: true }) })
  return path
}

interface Running {
  readonly watcher: ConfigWatcher
  /** The next event that the predicate holds for, since the last call or from now on. */
  readonly next: (wanted?: (event: ConfigEvent) => boolean) => Promise<ConfigEvent>
}

function start(cwd: string, file?: string): Running {
  const load = { cwd, env: {}, ...(file === undefined ? {} : { file }) }
  const initial = loadConfig(load)
  if ('errors' in initial) throw new Error(JSON.stringify(initial.errors))
  const seen: ConfigEvent[] = []
  let wake: (() => void) | null = null
  const events = createEventStream<SystemEvent>((error) => {
    throw error
  })
  events.subscribe((event) => {
    if (event.type !== 'config_reloaded' && event.type !== 'config_rejected') return
    seen.push(event)
    wake?.()
  })
  const watcher = createConfigWatcher({ clock: createSystemClock(), events, load, initial: initial.config })
  opened.unshift(watcher)
  return {
    watcher,
    async next(wanted = () => true) {
      for (;;) {
        const event = seen.shift()
        if (event !== undefined && wanted(event)) return event
        if (event === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    },
  }
}

const changed = (event: ConfigEvent): boolean => event.type === 'config_reloaded' && event.changed.length > 0

describe('the file changes', () => {
  test('written in place: the live members take effect, the others are reported', async () => {
    const cwd = folder()
    const path = join(cwd, 'hybrid-routing.yaml')
    writeFileSync(path, text('info'))
    const { watcher, next } = start(cwd)
    const before = watcher.current()
    writeFileSync(path, text('debug', 'server: { port: 9000 }\n'))
    expect(await next(changed)).toMatchObject({ type: 'config_reloaded', changed: ['logs.level'], needsRestart: ['server.port'] })
    expect(watcher.current().logs.level).toBe('debug')
    expect(watcher.current().server.port).toBe(8_080)
    expect(before.logs.level, 'a request keeps the snapshot that it began with').toBe('info')
  })

  test('renamed over, twice: the watch does not stay with the replaced file', async () => {
    const cwd = folder()
    const path = join(cwd, 'other.yaml')
    writeFileSync(path, text('info'))
    const { watcher, next } = start(cwd, 'other.yaml')
    for (const level of ['debug', 'warn'] as const) {
      writeFileSync(join(cwd, 'new'), text(level))
      renameSync(join(cwd, 'new'), path)
      await next(changed)
      expect(watcher.current().logs.level).toBe(level)
    }
  })

  test('swapped behind links, as a mounted ConfigMap is, twice', async () => {
    const cwd = folder()
    const publish = (name: string, level: string): void => {
      mkdirSync(join(cwd, name))
      writeFileSync(join(cwd, name, 'hybrid-routing.yaml'), text(level))
      symlinkSync(name, join(cwd, '..data_tmp'))
      renameSync(join(cwd, '..data_tmp'), join(cwd, '..data'))
    }
    publish('..first', 'info')
    symlinkSync('..data/hybrid-routing.yaml', join(cwd, 'hybrid-routing.yaml'))
    const { watcher, next } = start(cwd)
    for (const level of ['debug', 'warn'] as const) {
      publish(`..${level}`, level)
      await next(changed)
      expect(watcher.current().logs.level).toBe(level)
    }
  })

  test('a faulty file changes nothing and says why; mended, it takes effect', async () => {
    const cwd = folder()
    const path = join(cwd, 'hybrid-routing.yaml')
    writeFileSync(path, text('info'))
    const { watcher, next } = start(cwd)
    const before = watcher.current()
    writeFileSync(path, text('loud'))
    expect(await next((event) => event.type === 'config_rejected' && event.errors[0]?.path === 'logs.level')).toMatchObject({
      errors: [{ path: 'logs.level', message: '"loud" is not one of fatal, error, warn, info, debug, trace' }],
    })
    expect(watcher.current()).toBe(before)
    writeFileSync(path, text('trace'))
    await next(changed)
    expect(watcher.current().logs.level).toBe('trace')
  })

  test('a file that is taken away changes nothing; put back, it is found', async () => {
    const cwd = folder()
    const path = join(cwd, 'hybrid-routing.yaml')
    writeFileSync(path, text('info'))
    const { watcher, next } = start(cwd)
    rmSync(path)
    expect(await next((event) => event.type === 'config_rejected')).toMatchObject({ errors: [{ path: 'hybrid-routing.yaml' }] })
    expect(watcher.current().logs.level).toBe('info')
    writeFileSync(path, text('warn'))
    await next(changed)
    expect(watcher.current().logs.level).toBe('warn')
  })
})

test('SIGHUP reads the file again, also when nothing changed; after closing nobody listens', async () => {
  const cwd = folder()
  writeFileSync(join(cwd, 'hybrid-routing.yaml'), text('info'))
  const listeners = process.listenerCount('SIGHUP')
  const { watcher, next } = start(cwd)
  process.emit('SIGHUP')
  expect(await next()).toMatchObject({ type: 'config_reloaded', changed: [], needsRestart: [] })
  watcher.close()
  expect(process.listenerCount('SIGHUP')).toBe(listeners)
})
