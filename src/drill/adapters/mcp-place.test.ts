/** The MCP place of a drill on a real socket, met by the MCP Router that the service uses. */
import { afterEach, expect, it } from 'vitest'
import { createMcpRouter, type McpRouter } from '../../mcp/mcp-router.ts'
import type { AttemptEnd } from '../../operation/path.ts'
import { textOf } from '../../operation/converse.ts'
import { operationOf } from '../../operation/testing/operation.ts'
import { createSystemClock, sleep } from '../../runtime/clock.ts'
import { createSeededRandom } from '../../runtime/random.ts'
import { Fates } from '../../simulate/fate.ts'
import { scaleScenario, type IncidentFault, type Scenario } from '../../simulate/scenario.ts'
import { scenarioNamed } from '../../simulate/scenarios.ts'
import { promptOf } from '../contestant.ts'
import { startMcpPlace, type McpPlace } from './mcp-place.ts'

const clock = createSystemClock()
let place: McpPlace
let router: McpRouter

async function open(faults: readonly IncidentFault[]): Promise<void> {
  const scenario: Scenario = { ...scaleScenario(scenarioNamed('mcp-crash')!, 50), faults }
  const server = scenario.places.find(({ route }) => route === 'mcp')!
  place = await startMcpPlace({ scenario, place: server, fates: new Fates(scenario, 1), clock, itemOf: () => ({ index: 1, atMs: 0, type: 'standard_analysis', mode: 'sync', outputTokens: 17 }) })
  router = createMcpRouter({ settings: { servers: { operations: { url: place.url } }, routes: { default: { servers: ['operations'], tool: 'execute_operation', carries: 'converse', repeatable: true } } }, clock, random: createSeededRandom(1) })
}

function ask(label: string, withinMs = 2_000): Promise<AttemptEnd> {
  return new Promise((resolve) => {
    router.start(
      {
        operation: operationOf('standard_analysis', { id: `op_${label}_${clock.monotonicMs()}`, converse: { messages: [{ role: 'user', content: [{ text: promptOf(label) }] }] }, arrivedAtMs: clock.monotonicMs(), createdAtMs: clock.nowMs(), correlationId: label }),
        number: 1, target: 'operations', streaming: false, deadlineMs: clock.monotonicMs() + withinMs,
      },
      { onSent: () => undefined, onEvent: () => undefined, onEnd: resolve },
    )
  })
}

afterEach(async () => {
  await router.close()
  await place.close()
})

const fault = (kind: IncidentFault['kind'], fromMs: number, untilMs: number): IncidentFault => ({ kind, places: ['operations'], share: 1, factor: 1, fromMs, untilMs })

it('answers with the name of whoever asked and the length that was asked for', async () => {
  await open([])
  place.begin()
  const end = await ask('item-3')
  expect(end.outcome === 'succeeded' && [textOf(end.answer.message), end.answer.usage.outputTokens]).toEqual(['Drill item-3: all is well.', 17])
})

it('is gone while it is down, and back on the same port afterwards', async () => {
  await open([fault('down', 0, 400)])
  expect((await ask('item-1')).outcome).toBe('succeeded')
  place.begin()
  const outcomes: string[] = []
  for (const beganAtMs = clock.monotonicMs(); clock.monotonicMs() - beganAtMs < 8_000; ) {
    // A lost server is refused in the same turn: the loop lets the sockets have theirs.
    await sleep(clock, 20)
    const end = await ask('item-1', 300)
    outcomes.push(end.outcome)
    if (outcomes.includes('failed') && end.outcome === 'succeeded') break
  }
  expect(outcomes).toContain('failed')
  expect(outcomes.at(-1)).toBe('succeeded')
})

it('says what the fault of the scenario says', async () => {
  await open([fault('throttle', 0, 60_000)])
  place.begin()
  expect(await ask('item-1')).toMatchObject({ outcome: 'failed', fault: { kind: 'throttled' } })
})

it('never answers while it hangs', async () => {
  await open([fault('hang', 0, 60_000)])
  place.begin()
  expect(await ask('item-1', 150)).toMatchObject({ outcome: 'failed', fault: { kind: 'timeout' } })
})
