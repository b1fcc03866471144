/**
 * One connection to an MCP server: made, asked after its tools and its health, and closed. Which wire is spoken is
 * negotiated once and then remembered by the caller, because asking costs a round trip or, with a silent stdio server, a
 * timeout. When to connect and what a failure means is decided in `session.ts`.
 */
import { Client, SdkError, SdkErrorCode } from '@modelcontextprotocol/client'
import type { DiscoverResult, Tool } from '@modelcontextprotocol/client'
import { sleep } from '../../runtime/clock.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Random } from '../../runtime/random.ts'
import { version } from '../../runtime/version.ts'
import { mcpLimits } from '../limits.ts'
import type { EraVerdict } from '../reconnect.ts'
import type { McpEra } from '../server-view.ts'
import { isStdio } from '../settings.ts'
import type { McpServerSettings } from '../settings.ts'
import type { HttpConnections } from './http-transport.ts'
import { failureOf } from './sdk-errors.ts'
import { createStdioTransport } from './stdio-transport.ts'
import type { StdioTransport } from './stdio-transport.ts'
import { createTokenReader } from './token-source.ts'
import type { Environment } from './token-source.ts'
import { subscribeToTools } from './tool-subscription.ts'

export type ServerEra = EraVerdict<DiscoverResult>['era']

export interface Connection {
  readonly client: Client
  readonly era: McpEra
  readonly verdict: ServerEra
  readonly stdio: StdioTransport | null
  /** Whether the server keeps a session for us, which it can forget. */
  hasSession(): boolean
  /** The server's tools by name, as of the last listing. */
  listTools(timeoutMs: number): Promise<ReadonlyMap<string, Tool>>
  /** Whether it lives: `server/discover` or `ping`, whichever its wire has. Throws when not. */
  check(timeoutMs: number): Promise<void>
  close(): Promise<void>
}

export interface ConnectDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly http: HttpConnections
  readonly environment: Environment
  readonly connectTimeoutMs: number
  readonly probeTimeoutMs: number
  readonly checkTimeoutMs: number
}

export interface ConnectionEvents {
  onClose(): void
  /** The server says that its tools are others now, or may be. */
  onToolsChanged(): void
}

export interface PendingConnection {
  readonly connected: Promise<Connection>
  /** Gives it up and resolves when nothing of it is left. */
  abandon(): Promise<void>
  readonly stdio: StdioTransport | null
}

export function connect(settings: McpServerSettings, era: ServerEra | null, dependencies: ConnectDependencies, events: ConnectionEvents): PendingConnection {
  const { clock, http } = dependencies
  const client = new Client(
    { name: 'hybrid-routing', version },
    {
      // No person sits here: nothing is declared, so that a server that needs input says so at once.
      capabilities: {},
      versionNegotiation: { mode: 'auto', probe: { timeoutMs: dependencies.probeTimeoutMs, maxRetries: 0 } },
      inputRequired: { autoFulfill: false },
    },
  )
  // What arrives late or is no message is reported here; the calls it belonged to have their own limits.
  Object.assign(client, { onerror: () => undefined })
  const stdio = isStdio(settings) ? createStdioTransport(settings, clock) : null
  const httpTransport = isStdio(settings)
    ? null
    : http.createTransport(settings, settings.bearerToken === undefined ? null : createTokenReader(settings.bearerToken, dependencies.environment, clock))
  const transport = stdio ?? httpTransport
  if (transport === null) throw new Error('a server is reached over stdio or over HTTP')

  let unsubscribe = (): void => undefined
  const close = async (): Promise<void> => {
    unsubscribe()
    if (httpTransport?.sessionId !== undefined) {
      const waiting = new AbortController()
      // A server that is gone must not hold up the closing; a session that stays behind expires there.
      const told = httpTransport.terminateSession().catch(() => undefined)
      await Promise.race([told, sleep(clock, mcpLimits.stdioLeaveMs, waiting.signal).catch(() => undefined)])
      waiting.abort()
    }
    await client.close().catch(() => undefined)
    await transport.close().catch(() => undefined)
  }

  const connected = (async (): Promise<Connection> => {
    try {
      await client.connect(transport, { timeout: dependencies.connectTimeoutMs, ...(era === null ? {} : { prior: era }) })
    } catch (error) {
      const hasEnded = stdio?.hasEnded() === true
      await close()
      // Of a child that ends itself over the probe the SDK may also say that no wire could be agreed on.
      throw hasEnded && failureOf(error).type === 'malformed' ? new SdkError(SdkErrorCode.ConnectionClosed, 'the child ended itself', { cause: error }) : error
    }
    Object.assign(client, { onclose: () => events.onClose() })
    unsubscribe = subscribeToTools(client, { clock, random: dependencies.random, timeoutMs: dependencies.checkTimeoutMs, onChanged: () => events.onToolsChanged() })
    const discover = client.getDiscoverResult()
    const modern = client.getProtocolEra() === 'modern'
    return {
      client,
      era: modern ? '2026-07-28' : '2025-11-25',
      verdict: modern && discover !== undefined ? { kind: 'modern', discover } : { kind: 'legacy' },
      stdio,
      hasSession: () => httpTransport?.sessionId !== undefined,
      async listTools(timeoutMs) {
        if (client.getServerCapabilities()?.tools === undefined) return new Map()
        const { tools } = await client.listTools(undefined, { timeout: timeoutMs, cacheMode: 'refresh' })
        return new Map(tools.map((tool) => [tool.name, tool]))
      },
      async check(timeoutMs) {
        if (modern) await client.discover({ timeout: timeoutMs })
        else await client.ping({ timeout: timeoutMs })
      },
      close,
    }
  })()
  return { connected, abandon: close, stdio }
}
