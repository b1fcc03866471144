/**
 * Four short drills on real sockets, and the simulator's word on the same scenarios: whoever is clearly better there is better
 * here. All drills, and long enough for figures, are `npm run soak`.
 *
 * They run in real time, on machines that do other things as well: what is asserted leaves room for that, and each is given a
 * second chance.
 */
import { describe, expect, it } from 'vitest'
import { drillParts, serviceName } from '../src/cli/drill-contestants.ts'
import { incidentConfig } from '../src/cli/incident-config.ts'
import { routerSettings } from '../src/service/component-settings.ts'
import { runDrill } from '../src/drill/drill.ts'
import { createSystemClock } from '../src/runtime/clock.ts'
import { compare } from '../src/simulate/comparison.ts'
import type { IncidentReport } from '../src/simulate/incident-report.ts'
import { scaleScenario, stretchScenario } from '../src/simulate/scenario.ts'
import { scenarioNamed } from '../src/simulate/scenarios.ts'

const seed = 77
const scale = 10
const shortMs = 2_500
/** A difference of so much of the operations is more than chance and a busy machine. */
const clearly = 0.05

function advantage({ runs }: IncidentReport): number {
  return (runs[0]?.figures.all.inTime.share ?? 0) - (runs[1]?.figures.all.inTime.share ?? 0)
}

describe.each(['throttle-storm', 'hang', 'mid-stream-break', 'mcp-crash'])('a short drill: %s', (name) => {
  it('is met as the simulator says, with nothing lost and nothing wrong', { timeout: 60_000, retry: 1 }, async () => {
    const whole = scaleScenario(scenarioNamed(name)!, scale)
    const drilled = await runDrill(drillParts(stretchScenario(whole, shortMs / whole.durationMs), seed, createSystemClock()))
    const simulated = compare(whole, seed, [{ name: serviceName, settings: routerSettings(incidentConfig(whole)) }])
    const [service] = drilled.runs
    expect(service?.extra?.lost).toBe(0)
    expect(service?.figures.all.wrong).toBe(0)
    expect(service?.figures.all.operations).toBeGreaterThan(60)
    expect(service?.ofOracle).toBeGreaterThan(0.9)
    if (advantage(simulated) > clearly) expect(advantage(drilled)).toBeGreaterThan(0)
    else expect(advantage(drilled)).toBeGreaterThan(-clearly)
  })
})
