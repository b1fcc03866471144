/**
 * `hybrid-routing mcp-server`: the operations MCP server alone, over standard input and output, or with a port over
 * Streamable HTTP on loopback. It reaches Bedrock on the targets of its configuration (`direct.targets`), which may be
 * another file than the service's: then the MCP path answers when the service's own targets are down.
 *
 * Over stdio standard output belongs to the protocol: what a person should read goes to standard error.
 */
import { credentialsOf, directSettings } from '../service/component-settings.ts'
import { createDirectBedrockClient } from '../direct/direct-bedrock-client.ts'
import { createPathExecutor } from '../operations-server/adapters/path-executor.ts'
import { createOperationsServer } from '../operations-server/operations-server.ts'
import { createSystemClock } from '../runtime/clock.ts'
import { loadConfigOrFail } from './config-loading.ts'
import { listenFailure } from './listen-failure.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'
import { untilStopped } from './until-stopped.ts'

export interface McpServerCommandOptions {
  readonly port?: number
  readonly config?: string
}

export async function mcpServerCommand(options: McpServerCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const config = loadConfigOrFail({ ...(options.config === undefined ? {} : { file: options.config }), cwd: terminal.workingDirectory, env: terminal.environment }, terminal)
  if (config.direct.targets.length === 0) throw new CommandFailure('the configuration has no direct.targets, so the operations MCP server has nothing to ask', exitCode.failed)
  const clock = createSystemClock()
  const client = createDirectBedrockClient({ settings: directSettings(config), clock, credentials: credentialsOf(config) })
  void client.warmUp()
  const server = createOperationsServer({ execute: createPathExecutor(client, () => client.targets.map((target) => target.id), clock), clock })
  const close = async (): Promise<void> => {
    await server.close()
    client.close()
  }
  if (options.port === undefined) {
    await server.serveStdio()
    await close()
    return exitCode.done
  }
  let url: string
  try {
    url = (await server.listen(options.port)).url
  } catch (error) {
    await close()
    throw listenFailure(error, options.port)
  }
  terminal.out(`The operations MCP server listens on ${url}\n`)
  await untilStopped(terminal, close)
  return exitCode.done
}
