/**
 * The operations MCP server (`hybrid-routing mcp-server`): the other end of the MCP path in `demo`, and a server that any MCP
 * host can use. It offers one tool, `execute_operation`, over stdio and over Streamable HTTP on loopback, in both wire eras.
 * Over HTTP the Host and Origin headers are checked, so that a web page cannot use it.
 *
 * What an execution is comes in through the port `Execute`; nothing here knows of Bedrock.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node'
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node'
import type { Clock } from '../runtime/clock.ts'
import { createExecutions } from './adapters/executions.ts'
import type { OperationsServerStats } from './adapters/executions.ts'
import { createToolServer } from './adapters/execute-tool.ts'
import type { Execute } from './execution.ts'
import { operationsServerLimits as limits } from './limits.ts'

export interface OperationsServerOptions {
  readonly execute: Execute
  readonly clock: Clock
}

export interface ListeningServer {
  readonly port: number
  /** The MCP endpoint. */
  readonly url: string
}

export interface OperationsServer {
  /** Streamable HTTP on 127.0.0.1; port 0 takes a free one. */
  listen(port: number): Promise<ListeningServer>
  /** Standard input and output of this process; resolves when the input has ended. */
  serveStdio(): Promise<void>
  stats(): OperationsServerStats
  /** Stops listening and every execution. */
  close(): Promise<void>
}

export function createOperationsServer(options: OperationsServerOptions): OperationsServer {
  const executions = createExecutions(options.execute, options.clock)
  const closers: (() => Promise<void>)[] = []

  return {
    async listen(port) {
      const handler = createMcpHandler(() => createToolServer(executions, options.clock), { maxRequestBodySize: limits.requestBytes })
      const handle = toNodeHandler(handler, { maxRequestBodySize: limits.requestBytes })
      const hostAllowed = localhostHostValidation()
      const originAllowed = localhostOriginValidation()
      const server = createServer({ maxHeaderSize: limits.headerBytes, headersTimeout: limits.headersTimeoutMs, requestTimeout: 0 }, (request, response) => {
        if (!hostAllowed(request, response) || !originAllowed(request, response)) return
        if ((request.url ?? '').split('?')[0] !== '/mcp') {
          response.writeHead(404, { 'content-type': 'text/plain' }).end('The MCP endpoint is /mcp.\n')
          return
        }
        void handle(request as NodeIncomingMessageLike, response)
      })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, '127.0.0.1', resolve)
      })
      closers.push(async () => {
        executions.cancelAll()
        await handler.close()
        await new Promise<void>((resolve) => {
          server.close(() => resolve())
          server.closeAllConnections()
        })
      })
      const { port: bound } = server.address() as AddressInfo
      return { port: bound, url: `http://127.0.0.1:${String(bound)}/mcp` }
    },
    async serveStdio() {
      const transport = new StdioServerTransport(process.stdin, process.stdout, { maxBufferSize: limits.requestBytes })
      const handle = serveStdio(() => createToolServer(executions, options.clock), { transport })
      closers.push(() => handle.close())
      await new Promise<void>((resolve) => {
        process.stdin.once('end', resolve)
        process.stdin.once('close', resolve)
      })
      executions.cancelAll()
    },
    stats: () => executions.stats(),
    async close() {
      executions.cancelAll()
      await Promise.all(closers.map((closer) => closer()))
    },
  }
}
