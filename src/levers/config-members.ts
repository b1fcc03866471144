/**
 * The members of the configuration that a lever may change while the service runs, under the names that the runbook gives
 * them, and what each does to the configuration in force. A change is laid over the configuration of the file: a reload
 * keeps it, and lifting it brings the file's value back.
 *
 * Pure. Source: runbook, "thresholds", "aggressive fallback", "timeouts".
 */
import { checkConfig } from '../config/check-config.ts'
import type { Config } from '../config/schema.ts'
import type { JsonValue } from '../operation/converse.ts'
import { operationTypes, type MatrixRow, type OperationType } from '../operation/matrix.ts'
import type { FieldError } from '../operation/problem.ts'
import type { FeatureFlag } from './feature-flags.ts'

interface ConfigMember {
  readonly minimum: number
  readonly maximum: number
  readonly integer: boolean
  readonly unit: string
  readonly meaning: string
  /** The value that is in force in a configuration; `null`: it follows the requirement. */
  readonly read: (config: Config) => number | null
  readonly lay: (config: Config, value: number) => Config
}

const longestMs = 3_600_000
const longestThresholdMs = 600_000

export const configMembers = {
  directBedrockLatencyThreshold: {
    minimum: 1,
    maximum: longestThresholdMs,
    integer: true,
    unit: 'ms',
    meaning: 'An attempt on the direct route that has shown nothing for so long gets help, where its operation may fall back.',
    read: (config) => config.routing.latencyThresholds.directMs,
    lay: (config, directMs) => ({ ...config, routing: { ...config.routing, latencyThresholds: { ...config.routing.latencyThresholds, directMs } } }),
  },
  mcpLatencyThreshold: {
    minimum: 1,
    maximum: longestThresholdMs,
    integer: true,
    unit: 'ms',
    meaning: 'The same for the MCP route.',
    read: (config) => config.routing.latencyThresholds.mcpMs,
    lay: (config, mcpMs) => ({ ...config, routing: { ...config.routing, latencyThresholds: { ...config.routing.latencyThresholds, mcpMs } } }),
  },
  fallbackAggressiveness: {
    minimum: 0,
    maximum: 1,
    integer: false,
    unit: 'share (0 to 1)',
    meaning: '1 starts the fallback at the slightest risk of a miss, 0 only after a failure.',
    read: (config) => config.routing.fallbackAggressiveness,
    lay: (config, fallbackAggressiveness) => ({ ...config, routing: { ...config.routing, fallbackAggressiveness } }),
  },
  directBedrockTimeout: {
    minimum: 1,
    maximum: longestMs,
    integer: true,
    unit: 'ms',
    meaning: 'An attempt on the direct route that gets nothing for so long, at its start or between two pieces of its answer, is given up.',
    read: (config) => config.direct.timeouts.firstByteMs,
    lay: (config, value) => ({ ...config, direct: { ...config.direct, timeouts: { ...config.direct.timeouts, firstByteMs: value, silenceMs: value } } }),
  },
  mcpTimeout: {
    minimum: 1,
    maximum: longestMs,
    integer: true,
    unit: 'ms',
    meaning: 'A call to an MCP server that is silent for so long is given up. Connections are made anew; calls in flight end as they began.',
    read: (config) => {
      const timeouts = Object.values(config.mcp.servers).map((server) => server.timeout)
      const first = timeouts[0] ?? null
      return timeouts.every((timeout) => timeout === first) ? first : null
    },
    lay: (config, timeout) => ({ ...config, mcp: { ...config.mcp, servers: Object.fromEntries(Object.entries(config.mcp.servers).map(([name, server]) => [name, { ...server, timeout }])) } }),
  },
} as const satisfies Record<string, ConfigMember>

export type ConfigMemberName = keyof typeof configMembers
export const configMemberNames = Object.keys(configMembers) as readonly ConfigMemberName[]

export function isConfigMember(name: string): name is ConfigMemberName {
  return Object.hasOwn(configMembers, name)
}

/** The configuration in force: the file's, with what levers have set and what the flags switch off laid over it. */
export function layMembers(config: Config, members: Readonly<Record<string, JsonValue>>, flags: Readonly<Record<FeatureFlag, boolean>>): Config {
  let laid = config
  for (const name of configMemberNames) {
    const value = members[name]
    if (typeof value === 'number') laid = configMembers[name].lay(laid, value)
  }
  const { routing } = laid
  if (!flags.ENABLE_PERFORMANCE_OPTIMIZATION && routing.hedging.enabled) laid = { ...laid, routing: { ...laid.routing, hedging: { ...routing.hedging, enabled: false } } }
  if (!flags.ENABLE_INTELLIGENT_ROUTING) {
    laid = { ...laid, routing: { ...laid.routing, fallbackAggressiveness: 0, hedging: { ...laid.routing.hedging, enabled: false }, latencyThresholds: { directMs: null, mcpMs: null } } }
  }
  if (!flags.ENABLE_HYBRID_HEALTH_MONITORING) laid = { ...laid, health: { ...laid.health, probing: false, canary: { ...laid.health.canary, enabled: false } } }
  if (!flags.ENABLE_DIRECT_BEDROCK_FALLBACK) laid = { ...laid, routing: { ...laid.routing, matrix: withoutDirectFallback(laid.routing.matrix) } }
  return laid
}

function withoutDirectFallback(matrix: Config['routing']['matrix']): Config['routing']['matrix'] {
  const rows = operationTypes.map((type): readonly [OperationType, MatrixRow] => {
    const row = matrix[type]
    return [type, row.route === 'mcp' && row.fallback === 'direct' ? { ...row, fallback: 'none' } : row]
  })
  return Object.fromEntries(rows) as Config['routing']['matrix']
}

/** What would be wrong with the configuration if these members were set. */
export function memberFaults(config: Config, members: Readonly<Record<string, JsonValue>>): readonly FieldError[] {
  let laid = config
  for (const name of configMemberNames) {
    const value = members[name]
    if (typeof value === 'number') laid = configMembers[name].lay(laid, value)
  }
  return checkConfig(laid).errors
}
