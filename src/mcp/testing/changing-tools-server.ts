/**
 * A server on the SDK whose tools change, as a process of its own: calling `switch` takes `echo` away, and calling it again
 * brings it back. Each of the two wires over each of the two transports; over HTTP it says where it listens, and that a
 * session's own stream was opened.
 *
 *   node changing-tools-server.ts (stdio | http) (older | newer) [PORT] [--without-echo]
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node'
import * as z from 'zod'

const [transport, wire, port = '0'] = process.argv.slice(2).filter((word) => !word.startsWith('--'))
let isOffered = !process.argv.includes('--without-echo')

/** @param tell how the change is told where a server does not live as long as its connection. */
function changingServer(tell: () => void = () => undefined): McpServer {
  const server = new McpServer({ name: 'changing', version: '1' })
  const said = (text: string) => ({ content: [{ type: 'text' as const, text }] })
  const echo = server.registerTool('echo', { inputSchema: z.looseObject({}) }, () => said('echo'))
  if (!isOffered) echo.disable()
  server.registerTool('switch', { inputSchema: z.looseObject({}) }, () => {
    isOffered = !isOffered
    if (isOffered) echo.enable()
    else echo.disable()
    tell()
    return said(isOffered ? 'offered' : 'taken away')
  })
  return server
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<void> {
  const http = createServer(handle)
  await new Promise<void>((resolve) => http.listen(Number(port), '127.0.0.1', resolve))
  process.stdout.write(`http://127.0.0.1:${String((http.address() as AddressInfo).port)}/mcp\n`)
}

switch (`${transport ?? ''} ${wire ?? ''}`) {
  case 'stdio older':
    await changingServer().connect(new StdioServerTransport())
    break
  case 'stdio newer':
    serveStdio(() => changingServer(), { legacy: 'reject' })
    break
  case 'http older': {
    const sessions = new Map<string, NodeStreamableHTTPServerTransport>()
    await listen((request, response) => {
      void (async () => {
        const known = sessions.get(String(request.headers['mcp-session-id'] ?? ''))
        if (request.method === 'GET') process.stdout.write('stream\n')
        if (known !== undefined) return known.handleRequest(request, response)
        const fresh = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => void sessions.set(id, fresh) })
        await changingServer().connect(fresh)
        return fresh.handleRequest(request, response)
      })()
    })
    break
  }
  case 'http newer': {
    const handler = createMcpHandler(() => changingServer(() => handler.notify.toolsChanged()), { legacy: 'reject' })
    const handle = toNodeHandler(handler)
    await listen((request, response) => void handle(request as NodeIncomingMessageLike, response))
    break
  }
  default:
    throw new Error('say stdio or http, and older or newer')
}
