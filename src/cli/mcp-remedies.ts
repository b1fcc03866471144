/**
 * What an operator does about an MCP server that is not healthy: where it was looked for, and what to check there. Only the
 * address and the command are shown, never a header, a variable or an argument: those hold secrets.
 */
import type { McpServerView } from '../mcp/server-view.ts'
import { isStdio, type McpServerSettings } from '../mcp/settings.ts'

/** Empty where the server's own reason says it all. */
export function mcpRemedy(name: string, settings: McpServerSettings, { lastError }: Pick<McpServerView, 'lastError'>): string {
  if (lastError === null) return `Check the tool in mcp.routes, or offer it on the server.`
  const setting = `mcp.servers.${name}`
  if (isStdio(settings)) {
    if (lastError.upstreamCode === 'not_started') return `Its command is ${settings.command}: install it, or correct ${setting}.command or ${setting}.cwd.`
    return `Run ${settings.command} by hand with the arguments of ${setting}: it has to speak MCP on standard output.`
  }
  const at = addressOf(settings.url)
  switch (lastError.upstreamCode) {
    case 'refused':
      return `Its address is ${at}: start the server there, or correct ${setting}.url.`
    case 'unknown_name':
      return `Its address is ${at}: correct the name in ${setting}.url, or let the resolver know it.`
    case 'no_network_way':
      return `Its address is ${at}: check the network way to it (route, firewall, VPN), or correct ${setting}.url.`
    default:
      break
  }
  switch (lastError.kind) {
    case 'auth':
    case 'access':
      return `Its address is ${at}: check ${setting}.headers or ${setting}.bearerToken.`
    case 'timeout':
      return `Its address is ${at}: check that it answers, and the network way to it.`
    case 'not_found':
    case 'protocol':
      return `Its address is ${at}: check the path in ${setting}.url, what answers there is no MCP endpoint.`
    default:
      return `Its address is ${at}: check that an MCP server answers there.`
  }
}

/** Without what could be a secret: user, password and query stay out. */
function addressOf(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}
