/**
 * What a killed `serve` process leaves behind it: the AWS emulator, the operations MCP server, and the receiver of pages. All
 * run in the process of the test. The server's tool answers at once, or holds its calls until it is told to answer.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { runbookRules } from '../../src/alerts/rules.ts'
import { emulatorCredentials } from '../../src/cli/emulator-credentials.ts'
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts'
import type { ExecutionEnd } from '../../src/operations-server/execution.ts'
import { createOperationsServer } from '../../src/operations-server/operations-server.ts'
import { answered } from '../../src/operations-server/testing/answers.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { operationsServerAt } from '../configuration.ts'

/** What the webhook of an alert is told. */
export interface Page {
  readonly event: string
  readonly dedupKey: string
  readonly alerts: readonly { readonly id: string; readonly rule: string; readonly status: string }[]
}

export interface OutsideWorld {
  readonly emulator: Emulator
  /** Calls of the tool that have not been answered, by operation, with what answers them. */
  readonly held: ReadonlyMap<string, () => void>
  /** How often the tool was called for an operation. */
  readonly asked: ReadonlyMap<string, number>
  /** Whether the tool holds the calls that come from now on. */
  holds: boolean
  readonly pages: readonly Page[]
  /**
   * The configuration of a `serve` process in this world. An outage of Bedrock is noticed and paged within a second, and is the
   * only cause of a page, so that what is counted is what the instances do and not what the rules say.
   */
  config(own: { readonly store: object; readonly targets: readonly object[]; readonly concurrency?: number }): object
  close(): Promise<void>
}

/** Resolves when all of it listens. */
export async function openOutsideWorld(clock: Clock, faults: readonly object[] = []): Promise<OutsideWorld> {
  const emulator = createEmulator({ clock, seed: 1, faults })
  const held = new Map<string, () => void>()
  const asked = new Map<string, number>()
  const pages: Page[] = []
  const tools = createOperationsServer({
    clock,
    execute: ({ operationId }, { signal }) =>
      new Promise<ExecutionEnd>((resolve) => {
        asked.set(operationId, (asked.get(operationId) ?? 0) + 1)
        const answer = (): void => {
          held.delete(operationId)
          resolve(answered(`done ${operationId}`))
        }
        if (!world.holds) return answer()
        held.set(operationId, answer)
        signal.addEventListener('abort', () => {
          held.delete(operationId)
          resolve({ kind: 'cancelled' })
        })
      }),
  })
  const pager = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      pages.push(JSON.parse(body) as Page)
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => pager.listen(0, '127.0.0.1', resolve))
  const [{ url: toolsUrl }] = await Promise.all([tools.listen(0), emulator.listen()])
  const world: OutsideWorld = {
    emulator,
    held,
    asked,
    holds: false,
    pages,
    config: ({ store, targets, concurrency }) => ({
      server: { port: 0 },
      logs: { level: 'error' },
      store,
      direct: { targets, credentials: emulatorCredentials },
      mcp: operationsServerAt(toolsUrl, concurrency === undefined ? {} : { concurrency }),
      // A route that is slow to answer is not helped by the other one: what is held stays where it is.
      routing: { matrix: { background_task: { fallback: 'none' } } },
      health: { intervalMs: 200, undecidedIntervalMs: 100, timeoutMs: 1_000, trustTrafficMs: 500 },
      alerts: {
        tickMs: 200,
        notify: [{ type: 'webhook', url: `http://127.0.0.1:${(pager.address() as AddressInfo).port}/page` }],
        rules: Object.fromEntries(runbookRules.map(({ name }) => [name, name === 'direct-bedrock-unavailable' ? { forMs: 400, clearMs: 400 } : { enabled: false }])),
      },
    }),
    async close() {
      await tools.close()
      await emulator.close()
      pager.closeAllConnections()
      pager.close()
    },
  }
  return world
}
