import { describe, expect, it } from 'vitest'
import type { AttemptEnd } from '../operation/path.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { Fates } from './fate.ts'
import type { Scenario } from './scenario.ts'
import { scenarioNamed } from './scenarios.ts'
import { createSimulatedPath } from './simulated-path.ts'

function floor(above: 'throttle' | 'queue') {
  const scenario: Scenario = { ...scenarioNamed('calm')!, places: scenarioNamed('calm')!.places.map((place) => ({ ...place, slots: 1, above })) }
  const clock = createVirtualClock()
  const turns = new Map<string, Map<string, number>>()
  const path = createSimulatedPath('direct', {
    scenario,
    fates: new Fates(scenario, 1),
    clock,
    liveOf({ id }) {
      const its = turns.get(id) ?? new Map<string, number>()
      turns.set(id, its)
      return { item: { index: Number(id), atMs: 0, type: 'emergency', mode: 'sync', outputTokens: 20 }, turns: its }
    },
  })
  const ends: [string, AttemptEnd['outcome'], number][] = []
  const start = (id: string) => {
    const operation = operationOf('emergency', { id })
    return path.start({ operation, number: 1, target: 'frankfurt', streaming: false, deadlineMs: 10_000 }, { onSent: () => undefined, onEvent: () => undefined, onEnd: (end) => ends.push([id, end.outcome, clock.monotonicMs()]) })
  }
  return { clock, path, ends, start }
}

describe('a simulated place with one slot', () => {
  it('refuses what is too much', () => {
    const { clock, path, ends, start } = floor('throttle')
    start('1')
    expect(path.isFull('frankfurt')).toBe(true)
    start('2')
    while (clock.next());
    expect(ends.map(([id, outcome]) => [id, outcome])).toEqual([['2', 'failed'], ['1', 'succeeded']])
    expect(path.isFull('frankfurt')).toBe(false)
  })

  it('serves those who wait one after the other, in order', () => {
    const { clock, ends, start } = floor('queue')
    for (const id of ['1', '2', '3']) start(id)
    while (clock.next());
    expect(ends.map(([id]) => id)).toEqual(['1', '2', '3'])
    expect(new Set(ends.map(([, , atMs]) => atMs)).size).toBe(3)
  })

  it('is free for the next when an attempt is cancelled, and forgets one that waits', () => {
    const { clock, ends, start } = floor('queue')
    const first = start('1')
    const second = start('2')
    start('3')
    second.cancel()
    first.cancel()
    first.cancel()
    while (clock.next());
    expect(ends.map(([id, outcome]) => [id, outcome])).toEqual([['2', 'cancelled'], ['1', 'cancelled'], ['3', 'succeeded']])
    expect(clock.pending()).toBe(0)
  })
})
