import { describe, expect, it } from 'vitest'
import type { Fault } from '../operation/fault.ts'
import { mcpRemedy } from './mcp-remedies.ts'

const http = { url: 'http://user:secret-password@127.0.0.1:9100/mcp?key=secret-key', headers: { authorization: 'secret-header' } }
const child = { command: 'no-such-server', args: ['--token', 'secret-argument'], env: { TOKEN: 'secret-variable' } }
const fault = (kind: Fault['kind'], upstreamCode?: string): Fault => ({ kind, retryable: true, message: '', ...(upstreamCode === undefined ? {} : { upstreamCode }) })

describe('what to do about an MCP server', () => {
  it.each([
    [http, fault('network', 'refused'), 'http://127.0.0.1:9100/mcp: start the server there, or correct mcp.servers.ops.url'],
    [http, fault('network', 'unknown_name'), 'correct the name in mcp.servers.ops.url'],
    [http, fault('network', 'no_network_way'), 'firewall'],
    [http, fault('network'), 'check that an MCP server answers there'],
    [http, fault('auth'), 'mcp.servers.ops.bearerToken'],
    [http, fault('timeout'), 'check that it answers'],
    [http, fault('protocol'), 'check the path'],
    [http, null, 'mcp.routes'],
    [child, fault('network', 'not_started'), 'no-such-server: install it, or correct mcp.servers.ops.command'],
    [child, fault('network'), 'Run no-such-server by hand'],
  ])('%j with %j: %s', (settings, lastError, words) => {
    const remedy = mcpRemedy('ops', settings, { lastError })
    expect(remedy).toContain(words)
    expect(remedy).not.toContain('secret')
  })
})
