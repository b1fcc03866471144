import { describe, expect, it } from 'vitest'
import { Fates } from './fate.ts'
import { scaleScenario, type Place, type Scenario } from './scenario.ts'
import { scenarioNamed } from './scenarios.ts'
import type { WorkItem } from './workload.ts'

function known(name: string): Scenario {
  const scenario = scenarioNamed(name)
  if (scenario === undefined) throw new Error(name)
  return scenario
}

const place = (scenario: Scenario, id: string): Place => {
  const found = scenario.places.find((each) => each.id === id)
  if (found === undefined) throw new Error(id)
  return found
}
const item = (index: number): WorkItem => ({ index, atMs: 0, type: 'emergency', mode: 'sync', outputTokens: 40 })

describe('the fate of an attempt', () => {
  const calm = known('calm')
  const [frankfurt, ireland] = [place(calm, 'frankfurt'), place(calm, 'ireland')]

  it('does not depend on what was asked before', () => {
    const fates = new Fates(calm, 3)
    const alone = fates.of(item(5), frankfurt, 0, 100)
    fates.of(item(4), ireland, 2, 50)
    expect(new Fates(calm, 3).of(item(5), frankfurt, 0, 100)).toEqual(alone)
    expect(fates.of(item(5), frankfurt, 0, 100)).toEqual(alone)
  })

  it('is another at another place, at another turn, with another seed', () => {
    const fates = new Fates(calm, 3)
    const one = fates.of(item(5), frankfurt, 0, 100)
    expect(fates.of(item(5), ireland, 0, 100)).not.toEqual(one)
    expect(fates.of(item(5), frankfurt, 1, 100)).not.toEqual(one)
    expect(new Fates(calm, 4).of(item(5), frankfurt, 0, 100)).not.toEqual(one)
  })

  it('has the quantiles of its place', () => {
    const fates = new Fates(calm, 1)
    const firsts = Array.from({ length: 20_000 }, (_, index) => {
      const fate = fates.of(item(index), frankfurt, 0, 0)
      return fate.kind === 'answers' ? fate.firstContentMs : Number.NaN
    }).toSorted((a, b) => a - b)
    expect(firsts[10_000]! / frankfurt.firstTokenMs.p50).toBeCloseTo(1, 1)
    expect(firsts[19_800]! / frankfurt.firstTokenMs.p99).toBeCloseTo(1, 1)
  })
})

describe('a fault', () => {
  it('meets its share of the attempts within its window, and none outside', () => {
    const storm = known('throttle-storm')
    const fates = new Fates(storm, 1)
    const throttled = (atMs: number): number => Array.from({ length: 5_000 }, (_, index) => fates.of(item(index), place(storm, 'ireland'), 0, atMs)).filter(({ kind }) => kind === 'fails').length / 5_000
    expect(throttled(storm.durationMs * 0.5)).toBeCloseTo(0.33, 1)
    expect(throttled(0)).toBe(0)
    expect(throttled(storm.durationMs * 0.8)).toBe(0)
  })

  it('that takes a place down cuts what runs there', () => {
    const crash = known('mcp-crash')
    const [fault] = crash.faults
    const fates = new Fates(crash, 1)
    expect(fates.of(item(1), place(crash, 'operations'), 0, fault!.fromMs - 1)).toMatchObject({ kind: 'fails', afterMs: 1, fault: { kind: 'network' } })
    expect(fates.of(item(1), place(crash, 'operations'), 0, fault!.untilMs)).toMatchObject({ kind: 'answers' })
  })

  it('that breaks an answer does so after its first words', () => {
    const breaking = known('mid-stream-break')
    const fates = new Fates(breaking, 1)
    const broken = Array.from({ length: 100 }, (_, index) => fates.of(item(index), place(breaking, 'frankfurt'), 0, breaking.durationMs / 2)).filter((fate) => fate.kind === 'fails')
    expect(broken.length).toBeGreaterThan(10)
    for (const fate of broken) expect(fate.firstContentMs).toBeLessThan(fate.afterMs)
  })

  it('and its refusal are quicker in a scenario that is scaled', () => {
    const down = known('region-down')
    const scaled = scaleScenario(down, 10)
    const atMs = scaled.durationMs / 2
    const [slow, quick] = [new Fates(down, 1).of(item(1), place(down, 'frankfurt'), 0, atMs * 10), new Fates(scaled, 1).of(item(1), place(scaled, 'frankfurt'), 0, atMs)]
    expect(slow.kind === 'fails' && quick.kind === 'fails' && slow.afterMs / quick.afterMs).toBeCloseTo(10)
  })
})
