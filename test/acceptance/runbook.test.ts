/**
 * The runbook works as written: every request that its pages print is sent to a running service and is understood by it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { demoConfig } from '../../src/cli/demo-command.ts'
import { fixedConfig } from '../../src/config/config-watcher.ts'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import { runbookRules } from '../../src/alerts/rules.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { startService, type Service } from '../../src/service/serve.ts'

const folder = resolve(import.meta.dirname, '../../docs/runbook')

interface PrintedRequest {
  readonly page: string
  readonly method: string
  readonly path: string
  readonly body: string | undefined
}

const printed: readonly PrintedRequest[] = readdirSync(folder).flatMap((page) =>
  [...readFileSync(join(folder, page), 'utf8').matchAll(/curl (?:-X (\w+) )?"?\$BASE([^\s"`]+)"?([^\n`]*)/g)].map(([, method, path, rest]) => ({
    page,
    method: method ?? 'GET',
    path: path ?? '',
    body: / -d '([^']*)'/.exec(rest ?? '')?.[1],
  })),
)

let emulator: Emulator
let service: Service

beforeAll(async () => {
  emulator = createEmulator({ clock: createSystemClock(), seed: 1, ports: [0, 0] })
  await emulator.listen()
  service = await startService({ config: fixedConfig(demoConfig(0, emulator)), environment: {} })
})

afterAll(async () => {
  await service.stop()
  await emulator.close()
})

describe('the runbook', () => {
  it('prints requests', () => {
    expect(printed.length).toBeGreaterThan(30)
  })

  it.each(printed.map((request) => [`${request.page}: ${request.method} ${request.path} ${request.body ?? ''}`, request] as const))('%s', async (_name, request) => {
    const response = await fetch(`${service.url}${request.path}`, {
      method: request.method,
      headers: { authorization: 'Bearer anything', ...(request.body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(request.body === undefined ? {} : { body: request.body }),
    })
    const text = await response.text()
    // An id that stands for one of the reader's own is known to nobody here; everything else is carried out.
    const expected = request.path.includes('ALERT_ID') ? [404] : [200, 201, 202]
    expect(expected, text).toContain(response.status)
    if (/^application\/json(;|$)/.test(response.headers.get('content-type') ?? '')) expect(() => JSON.parse(text) as unknown).not.toThrow()
  })

  it('has the page that each alert points to', () => {
    const pages = readdirSync(resolve(folder, '..'), { recursive: true }).map(String)
    for (const rule of runbookRules) expect(pages, rule.name).toContain(rule.runbook)
  })
})
