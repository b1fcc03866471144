/**
 * What the MCP Router is told: the servers, in the shape of the `mcpServers` file that MCP hosts read (public contract,
 * part 2), and which tool of which servers carries an operation. Plain data: the configuration validates it, this file
 * resolves it.
 *
 * A route without a `carries` or `repeatable` of its own is the cautious one: it carries text, and what was sent to it is
 * never sent again.
 */
import type { JsonObject } from '../operation/converse.ts'
import type { OperationType } from '../operation/matrix.ts'

/** Where a bearer token comes from; never the token itself. */
export type TokenSource = { readonly environment: string } | { readonly file: string }

interface ServerCommon {
  readonly disabled?: boolean
  /** The longest silence of a call. */
  readonly timeoutMs?: number
  /** Calls in flight at once. */
  readonly concurrency?: number
}

export interface StdioServerSettings extends ServerCommon {
  readonly command: string
  readonly args?: readonly string[]
  /** Added to the few variables that a child inherits (`PATH`, `HOME` and the like). */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export interface HttpServerSettings extends ServerCommon {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly bearerToken?: TokenSource
}

export type McpServerSettings = StdioServerSettings | HttpServerSettings

export type Carries = 'converse' | 'text'

export interface McpRouteSettings {
  /** Names of servers; the first is preferred among equally healthy ones. */
  readonly servers: readonly string[]
  readonly tool: string
  readonly carries?: Carries
  readonly repeatable?: boolean
  /** A template of the tool's arguments; without it they are those of the public contract, part 5. */
  readonly arguments?: JsonObject
}

export interface McpSettings {
  readonly servers: Readonly<Record<string, McpServerSettings>>
  readonly routes: Readonly<Partial<Record<OperationType | 'default', McpRouteSettings>>>
  /** Whether servers are connected at once, or with the first call that needs them. */
  readonly connect?: 'eager' | 'lazy'
  readonly queueWaitMs?: number
  readonly connectTimeoutMs?: number
  readonly probeTimeoutMs?: number
  readonly checkTimeoutMs?: number
  readonly checkIntervalMs?: number
  readonly eraExpiryMs?: number
}

export interface McpRoute {
  readonly servers: readonly string[]
  readonly tool: string
  readonly carries: Carries
  readonly repeatable: boolean
  readonly template: JsonObject | null
}

/** The operation's own route, else the default one; null when the configuration has neither. */
export function routeOf(settings: McpSettings, type: OperationType): McpRoute | null {
  const route = settings.routes[type] ?? settings.routes.default
  if (route === undefined) return null
  return {
    servers: route.servers,
    tool: route.tool,
    carries: route.carries ?? 'text',
    repeatable: route.repeatable ?? false,
    template: route.arguments ?? null,
  }
}

/** The tools that some route expects of a server: without one of them the server is not healthy. */
export function toolsExpectedOf(settings: McpSettings, server: string): readonly string[] {
  const tools = new Set<string>()
  for (const route of Object.values(settings.routes)) {
    if (route !== undefined && route.servers.includes(server)) tools.add(route.tool)
  }
  return [...tools].toSorted()
}

export function isStdio(settings: McpServerSettings): settings is StdioServerSettings {
  return 'command' in settings
}

/** Servers that are new, gone or set differently: only their connections are touched by an update. */
export function changedServers(before: McpSettings, after: McpSettings): readonly string[] {
  const names = new Set([...Object.keys(before.servers), ...Object.keys(after.servers)])
  return [...names].filter((name) => JSON.stringify(before.servers[name] ?? null) !== JSON.stringify(after.servers[name] ?? null))
}
