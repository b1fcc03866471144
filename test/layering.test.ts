/**
 * The arrows of the architecture as a test: which room may import which, which files are pure, no cycles, no barrels.
 * The lint rules say the same where they can, nearer to the editor; this walk also holds what no rule can say, and that
 * nobody switched a rule off. `ARCHITECTURE.md` explains the rooms.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const source = resolve(import.meta.dirname, '../src')

/** What every room may import, besides itself. `types` rooms may be imported for types alone. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  operation: [],
  runtime: [],
  breaker: ['operation'],
  routing: ['operation', 'breaker'],
  router: ['operation', 'runtime', 'routing', 'breaker'],
  direct: ['operation', 'runtime'],
  mcp: ['operation', 'runtime'],
  'operations-server': ['operation', 'runtime', 'mcp'],
  store: ['operation', 'runtime'],
  queue: ['operation', 'runtime', 'store'],
  callbacks: ['operation', 'runtime', 'queue'],
  alerts: ['operation', 'runtime', 'store'],
  // The rule table and the chain are the defaults of the section `alerts`; the placeholders of a template are the MCP Router's.
  config: ['operation', 'runtime', 'alerts', 'mcp'],
  auth: ['operation', 'runtime', 'config'],
  audit: ['operation', 'runtime', 'store'],
  // Levers change the configuration in force and the router's inputs, and are audited.
  levers: ['operation', 'runtime', 'store', 'audit', 'config', 'routing', 'health'],
  intake: ['operation', 'runtime', 'store', 'queue'],
  emulator: ['operation', 'runtime'],
  // The simulator drives the Hybrid Router itself.
  simulate: ['operation', 'runtime', 'routing', 'router'],
  drill: ['operation', 'runtime', 'simulate', 'emulator', 'operations-server'],
  http: ['operation', 'runtime', 'routing', 'router', 'intake', 'auth', 'config', 'store', 'health', 'metrics', 'levers', 'audit'],
  logs: ['operation', 'runtime', 'config'],
  metrics: ['operation', 'runtime', 'store'],
  health: ['operation', 'runtime', 'store'],
}

/** Rooms at the edge: they may import anything but each other's insides, and nothing inside imports them. */
const edges = ['cli', 'main.ts', 'service']

/** Rooms whose every file is pure: no I/O, no clock, no chance, no async. */
const pureRooms = ['operation', 'routing', 'breaker']

/** In every other component the files at the root are pure, but for its shell. */
const shells: readonly string[] = [
  'alerts/alert-manager.ts',
  'audit/audit-trail.ts',
  'audit/operations-log.ts',
  'auth/authenticator.ts',
  'callbacks/callback-sender.ts',
  'config/config-watcher.ts',
  'config/load-config.ts',
  'direct/direct-bedrock-client.ts',
  'drill/drill.ts',
  'emulator/emulator.ts',
  'health/health-checker.ts',
  'intake/intake.ts',
  'levers/levers.ts',
  'logs/log-aggregator.ts',
  'mcp/mcp-router.ts',
  'metrics/metrics-recorder.ts',
  'operations-server/operations-server.ts',
  'queue/dispatcher.ts',
  'router/hybrid-router.ts',
]

interface SourceFile {
  readonly path: string
  readonly room: string
  readonly text: string
  /** With comments and string contents blanked, so that prose about `Date` is not a use of it. */
  readonly code: string
  readonly imports: readonly { readonly from: string; readonly typeOnly: boolean }[]
}

function walk(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return walk(path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

function isTest(path: string): boolean {
  return /\.(test|conformance|model)\.ts$/.test(path) || path.includes('/testing/')
}

function withoutProse(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, (piece) => (piece.startsWith('/') ? '' : "''"))
}

function read(path: string): SourceFile {
  const text = readFileSync(path, 'utf8')
  const name = relative(source, path)
  const imports = [...text.matchAll(/^(?:import|export)\s+(type\s+)?[^'"\n;]*?(?:from\s+)?['"]([^'"]+)['"]/gm), ...text.matchAll(/^\} (?:from) ()['"]([^'"]+)['"]/gm), ...text.matchAll(/import\(()['"]([^'"]+)['"]\)/g)].map(
    (match) => ({ from: match[2] ?? '', typeOnly: match[1] !== undefined && match[1] !== '' }),
  )
  return { path: name, room: name.split('/')[0] ?? name, text, code: withoutProse(text), imports }
}

const files = walk(source).map(read)
const production = files.filter((file) => !isTest(file.path))

function target(file: SourceFile, from: string): string {
  return relative(source, resolve(source, dirname(file.path), from))
}

function isPure(file: SourceFile): boolean {
  if (pureRooms.includes(file.room)) return true
  const steps = file.path.split('/')
  return steps.length === 2 && !edges.includes(file.room) && !['runtime', 'http', 'cli'].includes(file.room) && !shells.includes(file.path)
}

const impure: readonly (readonly [string, RegExp])[] = [
  ['Date', /\bDate\b/],
  ['performance', /\bperformance\s*\./],
  ['Math.random', /\bMath\.random\b/],
  ['a timer', /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\s*\(/],
  ['process', /\bprocess\s*\./],
  ['fetch', /\bfetch\s*\(/],
  ['console', /\bconsole\s*\./],
  ['async', /\basync\b/],
]

describe('layering', () => {
  it('walks the source that there is', () => {
    expect(production.length).toBeGreaterThan(20)
    for (const room of Object.keys(arrows)) expect(production.some((file) => file.room === room), `src/${room} is in the table and has files`).toBe(true)
  })

  it('every room imports only what its arrows allow', () => {
    const offenders = production.flatMap((file) =>
      file.imports
        .filter(({ from }) => from.startsWith('.'))
        .map(({ from }) => target(file, from))
        .filter((path) => {
          const room = path.split('/')[0] ?? ''
          if (room === file.room || edges.includes(file.room)) return false
          return arrows[file.room]?.includes(room) !== true
        })
        .map((path) => `${file.path} imports ${path}`),
    )
    expect(offenders).toEqual([])
  })

  it('every room is in the table', () => {
    const unknown = [...new Set(production.map((file) => file.room))].filter((room) => arrows[room] === undefined && !edges.includes(room))
    expect(unknown).toEqual([])
  })

  it('pure files know no clock, no chance, no process and no I/O', () => {
    const offenders = production.filter(isPure).flatMap((file) => [
      ...impure.filter(([, pattern]) => pattern.test(file.code)).map(([name]) => `${file.path} uses ${name}`),
      ...file.imports
        .filter(({ from, typeOnly }) => !typeOnly && (from.startsWith('node:') ? from !== 'node:assert' && from !== 'node:assert/strict' : from.startsWith('./adapters/')))
        .map(({ from }) => `${file.path} imports ${from}`),
    ])
    expect(offenders).toEqual([])
  })

  it('nothing imports the composition root but the commands, and it knows none of them', () => {
    const offenders = production.flatMap((file) =>
      file.imports
        .filter(({ from }) => from.startsWith('.'))
        .map(({ from }) => target(file, from))
        .filter((path) => (path.startsWith('service/') && file.room !== 'service' && file.room !== 'cli') || (file.room === 'service' && /^(cli\/|main\.ts)/.test(path)))
        .map((path) => `${file.path} imports ${path}`),
    )
    expect(offenders).toEqual([])
  })

  it('no command loads another one with all that it needs', () => {
    const isCommand = (path: string): boolean => /^cli\/[a-z-]+-command\.ts$/.test(path)
    const offenders = production
      .filter((file) => isCommand(file.path))
      .flatMap((file) => file.imports.filter(({ from, typeOnly }) => from.startsWith('.') && !typeOnly && isCommand(target(file, from))).map(({ from }) => `${file.path} imports ${from}`))
    expect(offenders).toEqual([])
  })

  it('imports name the file that defines the thing, with its extension', () => {
    const offenders = files.flatMap((file) => [
      ...file.imports.filter(({ from }) => from.startsWith('.') && !/\.(ts|json)$/.test(from)).map(({ from }) => `${file.path} imports ${from}`),
      ...(/^export \*/m.test(file.code) ? [`${file.path} exports everything of another file`] : []),
    ])
    expect(offenders).toEqual([])
  })

  it('has no cycle', () => {
    const graph = new Map(production.map((file) => [file.path, file.imports.filter(({ from, typeOnly }) => from.startsWith('.') && !typeOnly).map(({ from }) => target(file, from))]))
    const done = new Set<string>()
    const cycles: string[] = []
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) {
        cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
        return
      }
      if (done.has(path)) return
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
      done.add(path)
    }
    for (const path of graph.keys()) visit(path, [])
    expect(cycles).toEqual([])
  })

  it('nobody switches the rules behind the arrows off', () => {
    const offenders = files.filter((file) => /(?:oxlint|eslint)-disable[^\n]*(?:no-restricted-globals|no-cycle|no-barrel-file|no-explicit-any|no-console)|@ts-(?:ignore|nocheck)/.test(file.text))
    expect(offenders.map((file) => file.path)).toEqual([])
  })

  it('has no folder or file that is named for being shared', () => {
    const offenders = files.filter((file) => file.path.split('/').some((step) => /^(utils?|helpers?|common|misc|shared)(\.ts)?$/.test(step)))
    expect(offenders.map((file) => file.path)).toEqual([])
  })
})
