/**
 * The process in which the ground of a drill runs: the AWS emulator and the MCP servers, apart from the service that is
 * drilled. It takes its orders from the process that started it (`ground-child.ts`) and ends with it.
 *
 * Only ever started as a process: importing it starts nothing but waiting for orders.
 */
import { createSystemClock } from '../../runtime/clock.ts'
import { createSeededRandom } from '../../runtime/random.ts'
import { generateWork } from '../../simulate/workload.ts'
import { labelOf } from '../contestant.ts'
import { openDrillGround, type DrillGround } from './drill-ground.ts'
import type { GroundOrder, GroundReply } from './ground-child.ts'

let ground: DrillGround | undefined

const reply = (message: GroundReply): void => void process.send?.(message)

async function carryOut(order: GroundOrder): Promise<void> {
  switch (order.type) {
    case 'open': {
      const { scenario, seed } = order
      // The same operations that the other process sends: both make them from the scenario and the seed.
      const items = new Map([...generateWork(scenario, createSeededRandom(seed))].map((item) => [labelOf(item), item]))
      ground = await openDrillGround(scenario, seed, createSystemClock(), (label) => items.get(label))
      reply({ type: 'opened', addresses: ground.addresses })
      return
    }
    case 'begin':
      ground?.begin()
      reply({ type: 'begun' })
      return
    case 'close':
      await ground?.close()
      process.disconnect()
  }
}

process.on('message', (message) => {
  carryOut(message as GroundOrder).catch((error: unknown) => {
    reply({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  })
})
process.on('disconnect', () => process.exit())
