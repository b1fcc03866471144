import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createMcpHandler, inputRequired, McpServer } from '@modelcontextprotocol/server'
import { toNodeHandler } from '@modelcontextprotocol/node'
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node'
import { afterEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import type { ConverseStreamEvent } from '../operation/converse.ts'
import type { Execute } from '../operations-server/execution.ts'
import { createOperationsServer } from '../operations-server/operations-server.ts'
import type { OperationsServer } from '../operations-server/operations-server.ts'
import { createSystemClock, sleep } from '../runtime/clock.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { until } from '../runtime/testing/eventually.ts'
import { createMcpRouter } from './mcp-router.ts'
import type { McpRouter } from './mcp-router.ts'
import { anOperation, carry, faultOfEnd, textOfEnd } from './testing/attempts.ts'

const clock = createSystemClock()
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

function routerOf(url: string, tool = 'execute_operation'): McpRouter {
  const router = createMcpRouter({
    settings: { servers: { ops: { url } }, routes: { default: { servers: ['ops'], tool, carries: 'converse', repeatable: true } }, connect: 'lazy' },
    clock,
    random: createSeededRandom(1),
  })
  closers.push(() => router.close())
  return router
}

async function operationsServer(execute: Execute, port = 0): Promise<{ readonly server: OperationsServer; readonly url: string; readonly port: number }> {
  const server = createOperationsServer({ execute, clock })
  const listening = await server.listen(port)
  closers.push(() => server.close())
  return { server, ...listening }
}

const usage = { inputTokens: 3, outputTokens: 4, totalTokens: 7 }
const answering: Execute = async (request, options) => {
  const words = ['one ', 'two ', 'three']
  for (const word of words) {
    options.onText?.(word, 0)
    await sleep(clock, 5)
  }
  const message = { role: 'assistant' as const, content: [{ text: words.join('') }, { toolUse: { toolUseId: 't1', name: 'look', input: { at: request.converse.messages.length } } }] }
  return { kind: 'answer', answer: { message, stopReason: 'tool_use', usage } }
}
const forEver: Execute = (_request, { signal }) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ kind: 'cancelled' }))
  })

describe('the MCP Router and the operations MCP server, on the newer wire', () => {
  it('carry the whole Converse request there and the whole answer back', async () => {
    let seen: unknown = null
    const { url } = await operationsServer((request, options) => {
      seen = request
      return answering(request, options)
    })
    const router = routerOf(url)
    const operation = anOperation(clock, {
      converse: { messages: [{ role: 'user', content: [{ text: 'go' }] }], toolConfig: { tools: [{ toolSpec: { name: 'look' } }] }, system: [{ text: 'be brief' }] },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    })
    const { end, events } = await carry(router, 'ops', clock, { operation }).done
    expect(end).toMatchObject({
      outcome: 'succeeded',
      answer: { stopReason: 'tool_use', usage, message: { content: [{ text: 'one two three' }, { toolUse: { name: 'look' } }] } },
      spend: { usage, estimated: false },
    })
    expect(events).toEqual([])
    expect(seen).toMatchObject({ operationId: operation.id, operation: 'standard_analysis', converse: operation.converse, traceparent: operation.traceparent })
    expect(router.servers()[0]).toMatchObject({ era: '2026-07-28', health: 'healthy' })
  })

  it('stream text as it is written, each word once, and the rest at the end', async () => {
    const { url } = await operationsServer(answering)
    const { end, events } = await carry(routerOf(url), 'ops', clock, { streaming: true, operation: anOperation(clock, { mode: 'stream' }) }).done
    expect(end.outcome).toBe('succeeded')
    expect(events[0]).toEqual({ type: 'messageStart', payload: { role: 'assistant' } })
    const deltas = events.filter((event): event is Extract<ConverseStreamEvent, { type: 'contentBlockDelta' }> => event.type === 'contentBlockDelta')
    expect(deltas.map((event) => event.payload.delta.text ?? '').join('')).toBe('one two three')
    expect(deltas.filter((event) => event.payload.delta.text !== undefined).length).toBeGreaterThan(1)
    expect(deltas.at(-1)?.payload.delta.toolUse?.input).toBe('{"at":1}')
    expect(events.slice(-2).map((event) => event.type)).toEqual(['messageStop', 'metadata'])
  })

  it('stop the execution when the attempt is cancelled, and when the deadline passes', async () => {
    const { url, server } = await operationsServer(forEver)
    const router = routerOf(url)
    const carrying = carry(router, 'ops', clock)
    await carrying.sent
    await until(() => server.stats().running === 1)
    carrying.attempt.cancel()
    await until(() => server.stats().running === 0)
    expect((await carrying.done).end.outcome).toBe('cancelled')
    const late = await carry(router, 'ops', clock, { deadlineInMs: 150, operation: anOperation(clock, { id: 'op_2' }) }).done
    expect(faultOfEnd(late.end)).toMatchObject({ kind: 'timeout' })
    await until(() => server.stats().running === 0)
  })

  it('pass a fault on with its kind, and nothing else of it', async () => {
    const { url } = await operationsServer(async () => ({ kind: 'fault', fault: { kind: 'throttled', retryable: true, retryAfterMs: 1_500, message: 'prompt-text' } }))
    const { end } = await carry(routerOf(url), 'ops', clock).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'throttled', retryable: true, retryAfterMs: 1_500 })
    expect(JSON.stringify(end)).not.toContain('prompt-text')
  })

  it('need no new connection when the server is restarted', async () => {
    const first = await operationsServer(answering)
    const router = routerOf(first.url)
    expect((await carry(router, 'ops', clock).done).end.outcome).toBe('succeeded')
    await first.server.close()
    await operationsServer(answering, first.port)
    await sleep(clock, 50)
    expect((await carry(router, 'ops', clock, { operation: anOperation(clock, { id: 'op_2' }) }).done).end.outcome).toBe('succeeded')
    expect(router.servers()[0]?.connections).toBe(1)
  })

  it('end a stream that falls silent after its first content, long before the operation’s time is up', async () => {
    const { url } = await operationsServer((request, options) => {
      options.onText?.('only this', 0)
      return forEver(request, options)
    })
    const operation = anOperation(clock, { mode: 'stream', streamSilenceMs: 200 })
    const { end, events } = await carry(routerOf(url), 'ops', clock, { streaming: true, operation }).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'timeout', message: expect.stringContaining('silence') as string })
    expect(events.map((event) => event.type)).toEqual(['messageStart', 'contentBlockDelta'])
    expect(end.spend).toMatchObject({ estimated: true, usage: { outputTokens: 3 } })
  })
})

describe('the operations MCP server as a child of the MCP Router', () => {
  it('is spoken to on the newer wire, streams, and is gone after close', async () => {
    const router = createMcpRouter({
      settings: {
        servers: { child: { command: process.execPath, args: [fileURLToPath(new URL('../operations-server/testing/stdio-process.ts', import.meta.url))] } },
        routes: { default: { servers: ['child'], tool: 'execute_operation', carries: 'converse' } },
        connect: 'lazy',
      },
      clock,
      random: createSeededRandom(1),
    })
    closers.push(() => router.close())
    const operation = anOperation(clock, { mode: 'stream', converse: { messages: [{ role: 'user', content: [{ text: 'wolf' }] }] } })
    const { end, events } = await carry(router, 'child', clock, { streaming: true, operation }).done
    expect(textOfEnd(end)).toBe('wolf')
    expect(events.map((event) => event.type)).toEqual(['messageStart', 'contentBlockDelta', 'contentBlockStop', 'messageStop', 'metadata'])
    expect(router.servers()[0]).toMatchObject({ era: '2026-07-28', connections: 1 })
    await router.close()
    expect(router.servers()[0]).toMatchObject({ state: 'closed' })
  })
})

describe('a server of the newer wire', () => {
  it('that needs a person’s input fails the attempt, which is not tried again', async () => {
    const handler = createMcpHandler(() => {
      const server = new McpServer({ name: 'asking', version: '1' })
      server.registerTool('ask', { description: 'asks', inputSchema: z.looseObject({}) }, () =>
        inputRequired({ inputRequests: { who: inputRequired.elicit({ message: 'secret-of-the-server', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } }) } }),
      )
      return server
    })
    const handle = toNodeHandler(handler)
    const http = createServer((request, response) => void handle(request as NodeIncomingMessageLike, response))
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    closers.push(async () => {
      await handler.close()
      http.closeAllConnections()
      http.close()
    })
    const { end } = await carry(routerOf(`http://127.0.0.1:${String((http.address() as AddressInfo).port)}/mcp`, 'ask'), 'ops', clock).done
    expect(faultOfEnd(end)).toMatchObject({ kind: 'model_error', retryable: false })
    expect(JSON.stringify(end)).not.toContain('secret-of-the-server')
  })
})

describe('an answer', () => {
  it('is delivered as text even when the operation asked for little else', async () => {
    const { url } = await operationsServer(answering)
    const router = createMcpRouter({
      settings: { servers: { ops: { url } }, routes: { default: { servers: ['ops'], tool: 'execute_operation' } }, connect: 'lazy' },
      clock,
      random: createSeededRandom(1),
    })
    closers.push(() => router.close())
    expect(textOfEnd((await carry(router, 'ops', clock).done).end)).toBe('one two three')
  })
})
