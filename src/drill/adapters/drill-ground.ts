/**
 * The ground of a drill: the AWS emulator with a port for each region, and the MCP servers, all on sockets of their own, at
 * the pace of the scenario. Its faults begin when `begin` is called.
 */
import { createEmulator } from '../../emulator/emulator.ts'
import { createSeededRandom } from '../../runtime/random.ts'
import type { Clock } from '../../runtime/clock.ts'
import { Fates } from '../../simulate/fate.ts'
import { placesOf, type Scenario } from '../../simulate/scenario.ts'
import type { WorkItem } from '../../simulate/workload.ts'
import type { DrillAddresses } from '../contestant.ts'
import { emulatorRules } from '../fault-rules.ts'
import { startMcpPlace, type McpPlace } from './mcp-place.ts'

export interface DrillGround {
  readonly addresses: DrillAddresses
  begin(): void
  close(): Promise<void>
}

export async function openDrillGround(scenario: Scenario, seed: number, clock: Clock, itemOf: (label: string) => WorkItem | undefined): Promise<DrillGround> {
  const direct = placesOf(scenario, 'direct')
  const emulator = createEmulator({ clock, random: createSeededRandom(seed), ports: direct.map(() => 0) })
  await emulator.listen()
  const urls: Readonly<Record<string, string>> = Object.fromEntries(direct.map(({ id }, index) => [id, emulator.urls[index] ?? '']))
  const portOf = (place: string): number => Number(new URL(urls[place] ?? '').port)
  emulator.faults.set(emulatorRules({ ...scenario, faults: [] }, portOf))
  const fates = new Fates(scenario, seed)
  const servers: McpPlace[] = []
  const mcp: Record<string, string> = {}
  for (const place of placesOf(scenario, 'mcp')) {
    const server = await startMcpPlace({ scenario, place, fates, clock, itemOf })
    servers.push(server)
    mcp[place.id] = server.url
  }
  return {
    addresses: { direct: urls, mcp },
    begin() {
      emulator.faults.set(emulatorRules(scenario, portOf))
      for (const server of servers) server.begin()
    },
    async close() {
      for (const server of servers) await server.close()
      await emulator.close()
    },
  }
}
