/**
 * `hybrid-routing doctor`: checks, in the order in which a newcomer meets them, what a start needs, and says for each
 * finding what to mend. Nothing here costs tokens: Bedrock's control plane is asked, not a model.
 *
 * Exit code 0 when everything can work, 1 when something must be mended; a warning alone is 0.
 */
import { resolve } from 'node:path'
import type { Config } from '../config/schema.ts'
import { credentialsOf, directSettings, mcpSettings } from '../service/component-settings.ts'
import { createDirectBedrockClient } from '../direct/direct-bedrock-client.ts'
import { createMcpRouter } from '../mcp/mcp-router.ts'
import type { FaultKind } from '../operation/fault.ts'
import { operationTypes } from '../operation/matrix.ts'
import { createSystemClock, type Clock } from '../runtime/clock.ts'
import { createSystemRandom } from '../runtime/random.ts'
import { inspectStore } from '../store/adapters/inspect-store.ts'
import { loadConfigOrFail } from './config-loading.ts'
import { mcpRemedy } from './mcp-remedies.ts'
import { exitCode, type ExitCode, type Terminal } from './terminal.ts'

export interface DoctorCommandOptions {
  readonly config?: string
}

export interface Finding {
  readonly verdict: 'ok' | 'warning' | 'mend'
  readonly subject: string
  readonly message: string
}

/** One check of one target or server; what takes longer would not answer an emergency either. */
const checkTimeoutMs = 5_000

export async function doctorCommand(options: DoctorCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const config = loadConfigOrFail({ ...(options.config === undefined ? {} : { file: options.config }), cwd: terminal.workingDirectory, env: terminal.environment }, terminal)
  const clock = createSystemClock()
  const findings: Finding[] = [{ verdict: 'ok', subject: 'configuration', message: 'valid' }]
  const show = (finding: Finding): void => {
    findings.push(finding)
    terminal.out(formatFinding(finding))
  }
  terminal.out(formatFinding(findings[0] ?? { verdict: 'ok', subject: 'configuration', message: 'valid' }))
  for (const finding of await checkDirect(config, clock)) show(finding)
  for (const finding of await checkMcp(config, clock, terminal)) show(finding)
  for (const finding of await checkStore(config, clock, terminal)) show(finding)
  for (const finding of checkRoutes(config)) show(finding)
  const toMend = findings.filter((finding) => finding.verdict === 'mend').length
  terminal.out(toMend === 0 ? '\nEverything that a start needs is there.\n' : `\n${toMend} to mend before operations can be answered on every route.\n`)
  return toMend === 0 ? exitCode.done : exitCode.failed
}

async function checkDirect(config: Config, clock: Clock): Promise<readonly Finding[]> {
  if (config.direct.targets.length === 0) return [{ verdict: 'warning', subject: 'direct', message: 'no target is configured: emergencies cannot be answered; add one under direct.targets' }]
  const client = createDirectBedrockClient({ settings: directSettings(config), clock, credentials: credentialsOf(config) })
  try {
    const credentials = await client.warmUp()
    if (credentials !== null) return [{ verdict: 'mend', subject: 'credentials', message: `${credentials.message} ${remedies.auth}` }]
    const found: Finding[] = [{ verdict: 'ok', subject: 'credentials', message: config.direct.bearerToken === null ? 'AWS credentials are at hand' : 'a Bedrock API key is at hand' }]
    for (const target of client.targets) {
      const check = await client.checkConnection(target.id, clock.monotonicMs() + checkTimeoutMs)
      const subject = `target ${target.id}`
      if (!check.ok) found.push({ verdict: 'mend', subject, message: `${check.fault.message} ${remedies[check.fault.kind]}` })
      else found.push({ verdict: 'ok', subject, message: `${target.region} answers in ${Math.round(check.durationMs)} ms` }, modelFinding(subject, target.modelId, check.modelIds))
    }
    return found
  } finally {
    client.close()
  }
}

/** A profile (`eu.…`) or an ARN stands for a foundation model that the region's list names without prefix. */
function modelFinding(subject: string, modelId: string, modelIds: readonly string[]): Finding {
  const base = modelId.replace(/^(?:us|eu|apac|jp|au|in|global)\./, '')
  if (modelId.startsWith('arn:')) return { verdict: 'ok', subject, message: 'its model is an ARN, which only an operation can check' }
  if (modelIds.includes(modelId) || modelIds.includes(base)) return { verdict: 'ok', subject, message: `${base} is offered there` }
  return { verdict: 'warning', subject, message: `${base} is not in the region's list of foundation models: check the id and the model access of the account` }
}

async function checkMcp(config: Config, clock: Clock, terminal: Terminal): Promise<readonly Finding[]> {
  const settings = mcpSettings(config)
  const names = Object.keys(settings.servers)
  if (names.length === 0) return [{ verdict: 'warning', subject: 'mcp', message: 'no server is configured: standard operations take their fallback, direct' }]
  const router = createMcpRouter({ settings: { ...settings, connect: 'lazy' }, clock, random: createSystemRandom(), environment: terminal.environment })
  try {
    const found: Finding[] = []
    for (const name of names) {
      const subject = `server ${name}`
      const server = settings.servers[name]
      if (server?.disabled === true) {
        found.push({ verdict: 'ok', subject, message: 'switched off' })
        continue
      }
      const view = await router.checkServer(name)
      if (view?.health === 'healthy') found.push({ verdict: 'ok', subject, message: `${view.reason} (${view.era ?? 'unknown wire'})` })
      else if (view !== null && server !== undefined) found.push({ verdict: 'mend', subject, message: `${view.reason} ${mcpRemedy(name, server, view)}` })
    }
    return found
  } finally {
    await router.close()
  }
}

async function checkStore({ store }: Config, clock: Clock, terminal: Terminal): Promise<readonly Finding[]> {
  const settings = store.engine === 'sqlite' ? { ...store, path: resolve(terminal.workingDirectory, store.path) } : store
  return (await inspectStore(settings, clock)).map((finding) => ({ ...finding, subject: `store ${store.engine}` }))
}

/** An operation without any route is refused from the first request on: better said before the start. */
function checkRoutes(config: Config): readonly Finding[] {
  const hasDirect = config.direct.targets.length > 0
  return operationTypes.flatMap((type): Finding[] => {
    const row = config.routing.matrix[type]
    const hasMcp = (config.mcp.routes[type] ?? config.mcp.routes.default ?? null) !== null
    const usable = [row.route, row.fallback].filter((route) => (route === 'direct' ? hasDirect : route === 'mcp' && hasMcp))
    if (usable.length === 0) return [{ verdict: 'mend', subject: `operation ${type}`, message: `no route: it goes ${row.route}, fallback ${row.fallback}, and neither is configured` }]
    if (usable[0] !== row.route) return [{ verdict: 'warning', subject: `operation ${type}`, message: `its route ${row.route} is not configured: it always takes ${usable[0] ?? 'none'}` }]
    return []
  })
}

const remedies: Readonly<Record<FaultKind, string>> = {
  throttled: 'Ask again later; if it stays, raise the quota.',
  overloaded: 'Ask again later; a target in another region helps meanwhile.',
  timeout: 'Check the network way to the endpoint (proxy, firewall, VPC endpoint).',
  auth: 'Renew the credentials: AWS_ACCESS_KEY_ID and its secret, a profile, a role, or AWS_BEARER_TOKEN_BEDROCK.',
  access: 'Allow bedrock:InvokeModel, bedrock:InvokeModelWithResponseStream and bedrock:ListFoundationModels to this identity.',
  not_found: 'Check the region and the endpoint.',
  validation: 'Check the region and the endpoint.',
  quota: 'Raise the quota of the account.',
  model_error: 'Ask again later.',
  network: 'Check the name, the port and the network way to the endpoint.',
  protocol: 'What answers there is not Amazon Bedrock: check the endpoint.',
}


function formatFinding({ verdict, subject, message }: Finding): string {
  const marks = { ok: 'ok  ', warning: 'warn', mend: 'MEND' } as const
  return `${marks[verdict]}  ${subject.padEnd(28)}  ${message}\n`
}
