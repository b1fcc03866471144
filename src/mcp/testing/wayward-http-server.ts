/**
 * A Streamable HTTP server of the older wire, with sessions, that misbehaves on demand: the tool's name is the misbehaviour.
 * Written against the wire and not with an SDK, because an SDK would not let it.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface WaywardHttpServer {
  readonly url: string
  readonly port: number
  /** Names of the tools that were called, in order. */
  readonly calls: string[]
  /** Every method that was asked for, in order. */
  readonly methods: string[]
  readonly cancelled: unknown[]
  readonly closedByClient: string[]
  readonly authorizations: (string | undefined)[]
  initializations(): number
  /** From now on the sessions so far are unknown; the answer to their requests has this status. */
  forgetSessions(status: 400 | 404): void
  /** Every request is answered with this status; null ends it. */
  refuseAll(status: number | null): void
  close(): Promise<void>
}

const tools = ['echo', 'hang', 'cut', 'ended', 'garbage', 'other_id', 'huge', 'huge_stream', 'throttled', 'broken', 'html', 'slow', 'is_error']

interface Message {
  readonly id?: unknown
  readonly method: string
  readonly params?: { readonly name?: string; readonly arguments?: unknown; readonly requestId?: unknown; readonly _meta?: { readonly progressToken?: unknown } }
}

export async function startWaywardHttpServer(port = 0): Promise<WaywardHttpServer> {
  let initializations = 0
  let sessions = new Set<string>()
  let lostStatus: 400 | 404 = 404
  let refusal: number | null = null
  const record = { calls: [] as string[], methods: [] as string[], cancelled: [] as unknown[], closedByClient: [] as string[], authorizations: [] as (string | undefined)[] }

  const json = (response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }
  const event = (response: ServerResponse, message: unknown): void => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
  }
  const text = (id: unknown, value: string): unknown => ({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: value }] } })

  const call = (message: Message, response: ServerResponse): void => {
    const { id, params } = message
    const name = params?.name ?? ''
    record.calls.push(name)
    response.on('close', () => {
      if (!response.writableFinished) record.closedByClient.push(name)
    })
    const progress = (step: number): unknown => ({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: params?._meta?.progressToken, progress: step } })
    switch (name) {
      case 'echo':
        return json(response, text(id, JSON.stringify({ arguments: params?.arguments, meta: params?._meta })))
      case 'hang':
        return undefined
      case 'cut':
        event(response, progress(1))
        setTimeout(() => response.destroy(), 20)
        return undefined
      case 'ended':
        event(response, progress(1))
        response.end()
        return undefined
      case 'garbage':
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc": "2.0", "id"')
        return undefined
      case 'other_id':
        return json(response, text(987_654, 'for somebody else'))
      case 'huge':
        return json(response, text(id, 'x'.repeat(10 * 1_048_576)))
      case 'huge_stream':
        return event(response, text(id, 'x'.repeat(10 * 1_048_576)))
      case 'throttled':
        return json(response, { error: 'secret-of-the-server' }, 429, { 'retry-after': '7' })
      case 'broken':
        return json(response, { error: 'secret-of-the-server' }, 503)
      case 'html':
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>secret-of-the-server</h1>')
        return undefined
      case 'slow': {
        let step = 0
        const timer = setInterval(() => {
          step += 1
          event(response, progress(step))
          if (step < 6) return
          clearInterval(timer)
          event(response, text(id, 'done slowly'))
          response.end()
        }, 60)
        return undefined
      }
      case 'is_error':
        return json(response, { jsonrpc: '2.0', id, result: { isError: true, content: [{ type: 'text', text: 'secret-of-the-server' }] } })
      default:
        return json(response, { jsonrpc: '2.0', id, error: { code: -32602, message: 'unknown tool' } })
    }
  }

  const handle = (message: Message, request: IncomingMessage, response: ServerResponse): void => {
    record.methods.push(message.method)
    const session = String(request.headers['mcp-session-id'] ?? '')
    if (message.method === 'initialize') {
      initializations += 1
      const id = `session-${String(initializations)}`
      sessions.add(id)
      return json(
        response,
        { jsonrpc: '2.0', id: message.id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'wayward', version: '1' } } },
        200,
        { 'mcp-session-id': id },
      )
    }
    if (!sessions.has(session)) return json(response, { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'no session' } }, lostStatus)
    switch (message.method) {
      case 'ping':
        return json(response, { jsonrpc: '2.0', id: message.id, result: {} })
      case 'tools/list':
        return json(response, { jsonrpc: '2.0', id: message.id, result: { tools: tools.map((name) => ({ name, inputSchema: { type: 'object' } })) } })
      case 'tools/call':
        return call(message, response)
      case 'notifications/cancelled':
        record.cancelled.push(message.params?.requestId)
        response.writeHead(202).end()
        return undefined
      default:
        response.writeHead(202).end()
        return undefined
    }
  }

  const server: Server = createServer((request, response) => {
    record.authorizations.push(request.headers.authorization)
    if (refusal !== null) return json(response, { error: 'secret-of-the-server' }, refusal)
    if (request.method !== 'POST') return json(response, {}, 405)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => handle(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Message, request, response))
    return undefined
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port

  return {
    ...record,
    url: `http://127.0.0.1:${String(bound)}/mcp`,
    port: bound,
    initializations: () => initializations,
    forgetSessions(status) {
      sessions = new Set()
      lostStatus = status
    },
    refuseAll(status) {
      refusal = status
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
