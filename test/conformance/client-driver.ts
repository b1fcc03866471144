/**
 * Our side of the MCP conformance suite's client scenarios: the suite starts a server and runs this with its URL. It does
 * with that server what the MCP Router does with a configured one, through the same session: connects, lists its tools,
 * asks how it is, calls its tools, and closes.
 *
 *   MCP_CONFORMANCE_SCENARIO=… [MCP_CONFORMANCE_CONTEXT=…] node client-driver.ts URL
 */
import type { Tool } from '@modelcontextprotocol/client'
import { startToolCall, type CallEnd } from '../../src/mcp/adapters/call.ts'
import { createHttpConnections } from '../../src/mcp/adapters/http-transport.ts'
import { createSession, type ReadyConnection } from '../../src/mcp/adapters/session.ts'
import { mcpDefaults } from '../../src/mcp/limits.ts'
import type { JsonObject, JsonValue } from '../../src/operation/converse.ts'
import { createSystemClock } from '../../src/runtime/clock.ts'
import { createSystemRandom } from '../../src/runtime/random.ts'

interface PlannedCall {
  readonly name: string
  readonly arguments: JsonObject
}

const url = process.argv.at(-1) ?? ''
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as { readonly toolCalls?: readonly PlannedCall[] }
const clock = createSystemClock()
const http = createHttpConnections(clock, mcpDefaults.connectTimeoutMs)
const session = createSession({
  ...mcpDefaults,
  // The suite judges what is said, not how quickly: a busy machine must not make the wire look silent.
  probeTimeoutMs: 15_000,
  checkTimeoutMs: 15_000,
  name: 'conformance',
  settings: { url },
  clock,
  random: createSystemRandom(),
  http,
  environment: {},
  expectedTools: () => [],
})

try {
  const ready = await session.acquire()
  if ('type' in ready) throw new Error(`no connection: ${JSON.stringify(ready)}`)
  await session.check()
  const tools = [...ready.tools.values()]
  for (const planned of context.toolCalls ?? tools.map((tool) => ({ name: tool.name, arguments: argumentsFor(tool, tools) }))) {
    const tool = ready.tools.get(planned.name)
    // One that the client had to leave out of the list is not called.
    if (tool === undefined) continue
    process.stderr.write(`${planned.name}: ${JSON.stringify(await call(ready, tool, planned.arguments))}\n`)
  }
} finally {
  await session.close()
  await http.close()
}

function call({ connection }: ReadyConnection, tool: Tool, args: JsonObject): Promise<CallEnd> {
  return new Promise((resolve) => {
    const request = { tool, arguments: args, meta: {}, deadlineMs: clock.monotonicMs() + 20_000, silenceMs: 20_000, stream: null }
    startToolCall(connection, http, clock, request, { onSent: () => undefined, onProgress: () => false, onEnd: resolve })
  })
}

/** Something of the right type for each argument that is required; a tool that wants a schema gets another tool's, as it was read. */
function argumentsFor(tool: Tool, all: readonly Tool[]): JsonObject {
  const properties = (tool.inputSchema.properties ?? {}) as Readonly<Record<string, { readonly type?: string }>>
  const valueOf = (name: string): JsonValue => {
    switch (properties[name]?.type) {
      case 'string':
        return 'text'
      case 'boolean':
        return true
      case 'object':
        return (all.find((other) => other !== tool)?.inputSchema ?? {}) as JsonObject
      default:
        return 7
    }
  }
  return Object.fromEntries((tool.inputSchema.required ?? []).map((name) => [name, valueOf(name)]))
}
