/**
 * Who is drilled: the service, composed as `serve` composes it, and the peers' policy on the same two paths. Shared by the
 * command and the tests.
 */
import { fixedConfig } from '../config/config-watcher.ts'
import { credentialsOf, directSettings, mcpSettings } from '../service/component-settings.ts'
import { createDirectBedrockClient } from '../direct/direct-bedrock-client.ts'
import { createPeerContestant } from '../drill/adapters/peer-contestant.ts'
import { createServiceContestant } from '../drill/adapters/service-client.ts'
import type { DrillParts } from '../drill/drill.ts'
import type { LogSink } from '../logs/adapters/json-lines.ts'
import { createMcpRouter } from '../mcp/mcp-router.ts'
import type { JsonObject } from '../operation/converse.ts'
import type { Clock } from '../runtime/clock.ts'
import { createSystemRandom } from '../runtime/random.ts'
import { startService } from '../service/serve.ts'
import { peersName } from '../simulate/comparison.ts'
import type { Scenario } from '../simulate/scenario.ts'
import { incidentConfig } from './incident-config.ts'

export const serviceName = 'service'

const nowhere: LogSink = { write: () => undefined, setLevel: () => undefined, flush: () => Promise.resolve(), flushNow: () => undefined }

/** @param routing the section `routing` of a configuration, at the scale of the runbook */
export function drillParts(scenario: Scenario, seed: number, clock: Clock, routing: JsonObject = {}): DrillParts {
  const { matrix } = incidentConfig(scenario, undefined, routing).routing
  return {
    scenario,
    seed,
    matrix,
    clock,
    contestants: [
      async (addresses) => {
        const config = incidentConfig(scenario, addresses, routing)
        return createServiceContestant(serviceName, await startService({ config: fixedConfig(config), environment: {}, clock, log: nowhere }), clock)
      },
      async (addresses) => {
        const config = incidentConfig(scenario, addresses, routing)
        const direct = createDirectBedrockClient({ settings: directSettings(config), clock, credentials: credentialsOf(config) })
        const mcp = createMcpRouter({ settings: mcpSettings(config), clock, random: createSystemRandom(), environment: {} })
        await direct.warmUp()
        const close = async (): Promise<void> => {
          direct.close()
          await mcp.close()
        }
        return createPeerContestant({ name: peersName, scenario, seed, matrix, paths: { direct, mcp }, clock, close })
      },
    ],
  }
}
