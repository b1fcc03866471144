/**
 * The configuration with which incidents are simulated and drilled: the service's own defaults, its matrix shrunk by the
 * scenario's scale, and the scenario's places as targets and servers. What the operator's own file says of the routing takes
 * part where one is given, so that two files can be compared.
 */
import type { JsonObject } from '../operation/converse.ts'
import { validConfig } from '../config/resolve-config.ts'
import type { Config } from '../config/schema.ts'
import { operationTypes, type Matrix } from '../operation/matrix.ts'
import { placesOf, type Scenario } from '../simulate/scenario.ts'
import { emulatorCredentials, emulatorKeys } from './emulator-credentials.ts'

export interface IncidentAddresses {
  /** By the place's id. */
  readonly direct: Readonly<Record<string, string>>
  readonly mcp: Readonly<Record<string, string>>
}

const modelId = 'eu.anthropic.claude-haiku-4-5-20251001-v1:0'
const regions = ['eu-central-1', 'eu-west-1', 'eu-west-3', 'eu-north-1'] as const

/**
 * @param addresses where the places listen; a simulation has none
 * @param routing the section `routing` of a configuration, at the scale of the runbook
 */
export function incidentConfig(scenario: Scenario, addresses?: IncidentAddresses, routing: JsonObject = {}): Config {
  const { matrix } = resolved(scenario, addresses, routing).routing
  return resolved(scenario, addresses, { ...routing, matrix: scaledMatrix(matrix, scenario.scale) as unknown as JsonObject })
}

function resolved(scenario: Scenario, addresses: IncidentAddresses | undefined, routing: JsonObject): Config {
  const servers = placesOf(scenario, 'mcp').map(({ id }) => id)
  return validConfig(
    {
      server: { port: 0 },
      direct: {
        targets: placesOf(scenario, 'direct').map(({ id }, index) => ({ id, region: regions[index % regions.length], modelId, endpoint: addresses?.direct[id] ?? null })),
        allowedRegions: ['eu-*'],
        credentials: emulatorCredentials,
      },
      mcp: {
        servers: Object.fromEntries(servers.map((id) => [id, { url: addresses?.mcp[id] ?? 'http://127.0.0.1:9/mcp' }])),
        routes: { default: { servers, tool: 'execute_operation', carries: 'converse', repeatable: true } },
      },
      routing,
      store: { engine: 'memory' },
      logs: { level: 'fatal' },
    },
    emulatorKeys,
  )
}

function scaledMatrix(matrix: Matrix, scale: number): Matrix {
  return Object.fromEntries(
    operationTypes.map((type) => {
      const row = matrix[type]
      return [type, { ...row, latencyMs: Math.max(1, Math.round(row.latencyMs / scale)), hardTimeoutMs: Math.max(1, Math.round(row.hardTimeoutMs / scale)) }]
    }),
  ) as unknown as Matrix
}
