import { request as httpRequest } from 'node:http'
import { fileURLToPath } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterEach, describe, expect, it } from 'vitest'
import { createSystemClock, sleep } from '../runtime/clock.ts'
import { until } from '../runtime/testing/eventually.ts'
import type { Execute, ExecutionEnd, ExecutionOptions, ExecutionRequest } from './execution.ts'
import { createOperationsServer } from './operations-server.ts'
import type { OperationsServer } from './operations-server.ts'
import { answerOf } from './testing/answers.ts'

const clock = createSystemClock()
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function serverOf(execute: Execute): Promise<{ readonly server: OperationsServer; readonly url: string }> {
  const server = createOperationsServer({ execute, clock })
  const { url } = await server.listen(0)
  closers.push(() => server.close())
  return { server, url }
}

async function clientOf(url: string, mode: 'legacy' | 'auto'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  closers.push(() => client.close())
  return client
}

const echo: Execute = async (request) => ({ kind: 'answer', answer: answerOf(JSON.stringify(request.converse)) })
const call = (args: Record<string, unknown>) => ({ name: 'execute_operation', arguments: { operationId: 'op_1', prompt: 'hello', ...args } })

/** An execution that ends when it is told to, or stopped. */
function controlled() {
  const started: { readonly request: ExecutionRequest; readonly options: ExecutionOptions; finish(end: ExecutionEnd): void }[] = []
  const execute: Execute = (request, options) =>
    new Promise((resolve) => {
      options.signal.addEventListener('abort', () => resolve({ kind: 'cancelled' }))
      started.push({ request, options, finish: resolve })
    })
  return { execute, started }
}

describe.each(['legacy', 'auto'] as const)('the operations MCP server over HTTP, asked in the %s way', (mode) => {
  it('offers one tool and carries out what it is given', async () => {
    const { url } = await serverOf(echo)
    const client = await clientOf(url, mode)
    expect(client.getNegotiatedProtocolVersion()).toBe(mode === 'legacy' ? '2025-11-25' : '2026-07-28')
    expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(['execute_operation'])
    const plain = await client.callTool(call({ system: 'be brief', maxTokens: 5 }))
    expect(JSON.parse((plain.content[0] as { text: string }).text)).toEqual({
      messages: [{ role: 'user', content: [{ text: 'hello' }] }],
      system: [{ text: 'be brief' }],
      inferenceConfig: { maxTokens: 5 },
    })
    const converse = { messages: [{ role: 'user', content: [{ text: 'x' }] }], toolConfig: { tools: [] } }
    const canonical = await client.callTool(call({ operationId: 'op_2', converse }))
    expect(JSON.parse((canonical.content[0] as { text: string }).text)).toEqual(converse)
    expect(canonical.structuredContent).toMatchObject({ stopReason: 'end_turn', usage: { totalTokens: 2 }, message: { role: 'assistant' } })
  })

  it('answers a repeat of an operation without executing it again, and counts it', async () => {
    const { execute, started } = controlled()
    const { url, server } = await serverOf(execute)
    const client = await clientOf(url, mode)
    const first = client.callTool(call({}))
    await until(() => started.length === 1)
    const second = client.callTool(call({ deadlineMs: 5_000 }))
    await until(() => server.stats().repeats === 1)
    started[0]?.finish({ kind: 'answer', answer: answerOf('once') })
    for (const result of [await first, await second, await client.callTool(call({}))]) expect(result.content).toEqual([{ type: 'text', text: 'once' }])
    expect(started).toHaveLength(1)
    expect(server.stats()).toEqual({ executions: 1, repeats: 2, running: 0, remembered: 1 })
  })

  it('refuses the id of an operation for another request', async () => {
    const { url } = await serverOf(echo)
    const client = await clientOf(url, mode)
    await client.callTool(call({}))
    expect(await client.callTool(call({ prompt: 'another' }))).toMatchObject({ isError: true, structuredContent: { fault: { kind: 'validation' } } })
  })

  it('ends at the deadline', async () => {
    const { execute, started } = controlled()
    const { url, server } = await serverOf(execute)
    const client = await clientOf(url, mode)
    expect(await client.callTool(call({ deadlineMs: 80 }))).toMatchObject({ isError: true, structuredContent: { fault: { kind: 'timeout', retryable: true } } })
    expect(started[0]?.options.signal.aborted).toBe(true)
    await until(() => server.stats().running === 0)
    // Nothing is remembered of it: the next one is carried out.
    const again = client.callTool(call({}))
    await until(() => started.length === 2)
    started[1]?.finish({ kind: 'answer', answer: answerOf('now') })
    expect((await again).content).toEqual([{ type: 'text', text: 'now' }])
  })

  it('names what is wrong with its arguments', async () => {
    const { url } = await serverOf(echo)
    const client = await clientOf(url, mode)
    for (const args of [{ prompt: '' }, { operation: 'nonsense' }, { deadlineMs: -1 }, { converse: { messages: [] } }, { converse: { messages: [{ role: 'user', content: [{ text: 'x' }] }], modelId: 'mine' } }, { operationId: '' }]) {
      expect(await client.callTool(call(args)), JSON.stringify(args)).toMatchObject({ isError: true, structuredContent: { fault: { kind: 'validation', retryable: false } } })
    }
  })

  it('streams text as progress to a caller that asked, and to nobody else', async () => {
    const { url } = await serverOf(async (_request, options) => {
      for (const word of ['a', 'b', 'c']) options.onText?.(word, 0)
      return { kind: 'answer', answer: answerOf('abc') }
    })
    const client = await clientOf(url, mode)
    const heard: unknown[] = []
    await client.callTool(call({ stream: true }), { onprogress: ({ message }) => heard.push(message) })
    // The SDK drops a notification that arrives in the same turn as the result.
    expect(heard.length).toBeGreaterThan(0)
    expect('abc'.startsWith(heard.join(''))).toBe(true)
    const silent: unknown[] = []
    await client.callTool(call({ operationId: 'op_2' }), { onprogress: (progress) => silent.push(progress) })
    expect(silent).toEqual([])
  })
})

describe('the operations MCP server over HTTP', () => {
  it('stops an execution when the last caller is gone, and not before', async () => {
    const { execute, started } = controlled()
    const { url, server } = await serverOf(execute)
    const client = await clientOf(url, 'auto')
    const [one, two] = [new AbortController(), new AbortController()]
    const first = client.callTool(call({}), { signal: one.signal }).catch(() => 'gone')
    await until(() => started.length === 1)
    const second = client.callTool(call({}), { signal: two.signal }).catch(() => 'gone')
    await until(() => server.stats().repeats === 1)
    one.abort()
    expect(await first).toBe('gone')
    await sleep(clock, 50)
    expect(started[0]?.options.signal.aborted).toBe(false)
    two.abort()
    expect(await second).toBe('gone')
    await until(() => server.stats().running === 0)
    expect(started[0]?.options.signal.aborted).toBe(true)
  })

  it.each([
    [{ host: 'evil.example' }, '/mcp', 403],
    [{ origin: 'https://evil.example' }, '/mcp', 403],
    [{}, '/elsewhere', 404],
  ])('answers %j on %s with %i', async (headers, path, status) => {
    const { url } = await serverOf(echo)
    const { port } = new URL(url)
    const got = await new Promise<number | undefined>((resolve, reject) => {
      const asked = httpRequest({ port, host: '127.0.0.1', path, method: 'POST', headers: { 'content-type': 'application/json', 'accept': 'application/json, text/event-stream', ...headers } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      asked.on('error', reject)
      asked.end('{"jsonrpc":"2.0","id":1,"method":"ping"}')
    })
    expect(got).toBe(status)
  })

  it('survives an execution that throws', async () => {
    const { url } = await serverOf(() => Promise.reject(new Error('secret-inside')))
    const client = await clientOf(url, 'auto')
    const result = await client.callTool(call({}))
    expect(result).toMatchObject({ isError: true, structuredContent: { fault: { kind: 'overloaded', retryable: true } } })
    expect(JSON.stringify(result)).not.toContain('secret-inside')
  })
})

describe('the operations MCP server over stdio', () => {
  it.each(['legacy', 'auto'] as const)('answers and streams, asked in the %s way', async (mode) => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [fileURLToPath(new URL('testing/stdio-process.ts', import.meta.url))], stderr: 'inherit' }))
    closers.push(() => client.close())
    const heard: unknown[] = []
    const result = await client.callTool(call({ prompt: 'one two three', stream: true }), { onprogress: ({ message }) => heard.push(message) })
    expect(result.content).toEqual([{ type: 'text', text: 'three two one' }])
    expect(heard.slice(0, 2)).toEqual(['three', ' two'])
  })
})
