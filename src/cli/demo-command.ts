/**
 * `hybrid-routing demo`: the service with everything it needs beside it, on one machine and without an account. The AWS
 * emulator stands for two regions of Bedrock and answers at a model's pace; the operations MCP server carries the standard
 * operations. One operation of each type is submitted and shown, and then it keeps serving.
 */
import { fixedConfig } from '../config/config-watcher.ts'
import { validConfig } from '../config/resolve-config.ts'
import type { Config } from '../config/schema.ts'
import { createDirectBedrockClient } from '../direct/direct-bedrock-client.ts'
import { credentialsOf, directSettings } from '../service/component-settings.ts'
import { createEmulator, type Emulator } from '../emulator/emulator.ts'
import { operationTypes, type OperationType } from '../operation/matrix.ts'
import type { OperationResult } from '../operation/result.ts'
import { createPathExecutor } from '../operations-server/adapters/path-executor.ts'
import { createOperationsServer } from '../operations-server/operations-server.ts'
import { createSystemClock, type Clock } from '../runtime/clock.ts'
import { startService, type Service } from '../service/serve.ts'
import { listenFailure } from './listen-failure.ts'
import { emulatorCredentials, emulatorKeys } from './emulator-credentials.ts'
import { createServiceClient } from './service-client.ts'
import { exitCode, type ExitCode, type Terminal } from './terminal.ts'
import { untilStopped } from './until-stopped.ts'

export interface DemoCommandOptions {
  readonly port: number
}

const prompts: Readonly<Record<OperationType, string>> = {
  emergency: 'The checkout service answers 503 since 03:02. What do I look at first?',
  infrastructure: 'Audit the security groups of the payment cluster.',
  meta_monitor: 'Which agents failed more often today than yesterday?',
  implementation: 'Why does the retry loop in the uploader never end?',
  kiro_communication: 'Summarise the open review threads for Kiro.',
  standard_analysis: 'Compare the error budgets of the last two weeks.',
  background_task: 'Draft the weekly capacity report.',
}

/** As a mid-sized model paces its answers: half of the first tokens within 120 ms, then some 4 ms each. */
const modelPace = [{ kind: 'latency', firstTokenMs: { p50: 120, p99: 400 }, perTokenMs: { p50: 4, p99: 12 } }]

const modelId = 'eu.anthropic.claude-haiku-4-5-20251001-v1:0'

export async function demoCommand(options: DemoCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const clock = createSystemClock()
  const emulator = createEmulator({ clock, seed: 1, ports: [0, 0], faults: modelPace })
  await emulator.listen()
  const tools = await startOperationsServer(emulator, clock)
  let service: Service
  try {
    service = await startService({ config: fixedConfig(demoConfig(options.port, emulator, tools.url)), environment: {}, clock })
  } catch (error) {
    await tools.close()
    await emulator.close()
    throw listenFailure(error, options.port)
  }
  terminal.out('One operation of each type, answered by the AWS emulator (its answers are synthetic):\n\n')
  for (const type of operationTypes) terminal.out(formatAnswer(await submit(service.url, type, terminal)))
  terminal.out(closingLines(service.url, emulator.url))
  await untilStopped(terminal, async () => {
    await service.stop()
    await tools.close()
    await emulator.close()
  })
  return exitCode.done
}

/** @param mcpUrl of the operations MCP server; without it standard operations take their fallback */
export function demoConfig(port: number, emulator: Pick<Emulator, 'urls'>, mcpUrl?: string): Config {
  const [frankfurt, ireland] = emulator.urls
  return validConfig(
    {
      server: { port },
      direct: {
        targets: [
          { id: 'frankfurt', region: 'eu-central-1', modelId, endpoint: frankfurt },
          { id: 'ireland', region: 'eu-west-1', modelId, endpoint: ireland },
        ],
        allowedRegions: ['eu-*'],
        credentials: emulatorCredentials,
      },
      ...(mcpUrl === undefined
        ? {}
        : { mcp: { servers: { operations: { url: mcpUrl } }, routes: { default: { servers: ['operations'], tool: 'execute_operation', carries: 'converse', repeatable: true } } } }),
      store: { engine: 'memory' },
      logs: { level: 'warn' },
    },
    emulatorKeys,
  )
}

interface DemoServer {
  readonly url: string
  close(): Promise<void>
}

/** The operations MCP server with a Bedrock target of its own, so that it can answer when the direct targets cannot. */
async function startOperationsServer(emulator: Emulator, clock: Clock): Promise<DemoServer> {
  const config = demoConfig(0, emulator)
  const client = createDirectBedrockClient({ settings: directSettings(config), clock, credentials: credentialsOf(config) })
  const server = createOperationsServer({ execute: createPathExecutor(client, () => client.targets.map((target) => target.id), clock), clock })
  const { url } = await server.listen(0)
  return {
    url,
    async close() {
      await server.close()
      client.close()
    },
  }
}

async function submit(url: string, operation: OperationType, terminal: Terminal): Promise<OperationResult> {
  return (await createServiceClient(url, terminal).postJson('/v1/operations', { operation, prompt: prompts[operation], maxTokens: 96 })) as OperationResult
}

/** Characters of the answer that a line shows. */
const shownCharacters = 92

function formatAnswer(result: OperationResult): string {
  const text = (result.output?.text ?? result.error?.detail ?? '').replaceAll(/\s+/g, ' ')
  const shown = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
  const where = `${result.route ?? 'no route'} ${result.target ?? ''}${result.fallbackUsed ? ' (fallback)' : ''}`
  const took = `${Math.round(result.latency.totalMs)} ms of ${Math.round(result.latencyRequirementMs)} ms`
  return `  ${result.operation.padEnd(19)} ${where.padEnd(20)} ${took.padStart(18)}   ${result.slaMet ? 'in time' : 'LATE'}\n      ${shown}\n`
}

function closingLines(url: string, emulatorUrl: string): string {
  const width = Math.max(url.length, emulatorUrl.length) + 4
  return `
The service     ${url.padEnd(width)}API: ${url}/openapi.json, readable at ${url}/docs
The emulator    ${emulatorUrl.padEnd(width)}its faults: ${emulatorUrl}/_emulator/faults

Try it, and watch the answer stream:

  curl -N ${url}/v1/operations -H 'content-type: application/json' -d '{"operation": "infrastructure", "prompt": "Which alarms fired last night?", "mode": "stream"}'

It keeps serving until Ctrl-C.
`
}
