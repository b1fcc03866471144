import { describe, expect, it } from 'vitest'
import { faultRules } from '../emulator/fault-rule.ts'
import { scaleScenario } from '../simulate/scenario.ts'
import { scenarioNamed, scenarios } from '../simulate/scenarios.ts'
import { emulatorRules } from './fault-rules.ts'

const ports: Readonly<Record<string, number>> = { frankfurt: 1_001, ireland: 1_002 }
const portOf = (place: string): number => ports[place] ?? 0

describe('the rules of a drill', () => {
  it.each(scenarios.map(({ name }) => name))('are understood by the emulator: %s', (name) => {
    expect(() => faultRules(emulatorRules(scaleScenario(scenarioNamed(name)!, 10), portOf))).not.toThrow()
  })

  it('meet each region on its own port, within the window of the scenario', () => {
    const scenario = scenarioNamed('throttle-storm')!
    expect(faultRules(emulatorRules(scenario, portOf)).filter(({ kind }) => kind === 'throttle')).toMatchObject([
      { target: { port: 1_001 }, share: 0.95, fromMs: 40_000, untilMs: 160_000 },
      { target: { port: 1_002 }, share: 0.33, fromMs: 40_000, untilMs: 160_000 },
    ])
  })

  it('leave MCP servers alone: they play their faults themselves', () => {
    expect(emulatorRules(scenarioNamed('mcp-hang')!, portOf).map((rule) => rule['kind'])).toEqual(['latency', 'latency'])
  })

  it('limit a region to its slots', () => {
    expect(emulatorRules(scenarioNamed('overload')!, portOf).filter((rule) => rule['kind'] === 'concurrency')).toMatchObject([
      { limit: 2, above: 'throttle' },
      { limit: 2, above: 'throttle' },
    ])
  })
})
