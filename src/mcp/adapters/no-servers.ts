/**
 * The MCP Router where no server is configured: it has nothing to offer and refuses what is asked all the same. The MCP SDK
 * is not loaded for it, which is a good part of an idle process.
 */
import type { McpRouter } from '../mcp-router.ts'

export function createRouterWithoutServers(): McpRouter {
  return {
    route: 'mcp',
    start(_request, listener) {
      let cancelled = false
      const spend = { modelId: null, usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 }, estimated: false }
      const fault = { kind: 'not_found', retryable: false, message: 'No MCP server is configured.', rejected: true } as const
      queueMicrotask(() => listener.onEnd(cancelled ? { outcome: 'cancelled', spend } : { outcome: 'failed', fault, spend }))
      return {
        cancel() {
          cancelled = true
        },
      }
    },
    servers: () => [],
    candidates: () => [],
    checkServer: () => Promise.resolve(null),
    stderrTail: () => '',
    // Servers are read at the start: the configuration says so of each of their members.
    update: () => undefined,
    close: () => Promise.resolve(),
    kill: () => undefined,
  }
}
