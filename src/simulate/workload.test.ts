import { describe, expect, it } from 'vitest'
import { operationTypes } from '../operation/matrix.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { stretchScenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'
import { generateWork, readWork } from './workload.ts'

const [scenario] = scenarios

describe('generated operations', () => {
  const long = stretchScenario(scenario!, 20)
  const work = [...generateWork(long, createSeededRandom(7))]

  it('are the same for the same seed', () => {
    expect([...generateWork(long, createSeededRandom(7))]).toEqual(work)
    expect([...generateWork(long, createSeededRandom(8))]).not.toEqual(work)
  })

  it('come at the rate and in the mix of the scenario', () => {
    const expected = (long.ratePerSecond * long.durationMs) / 1_000
    expect(Math.abs(work.length / expected - 1)).toBeLessThan(0.03)
    for (const type of operationTypes) {
      expect(work.filter((item) => item.type === type).length / work.length, type).toBeCloseTo(long.mix[type], 1)
    }
  })

  it('come in order and within the duration', () => {
    expect(work.every((item, index) => item.index === index && item.atMs >= (work[index - 1]?.atMs ?? 0) && item.atMs < long.durationMs)).toBe(true)
  })
})

it('the mix of every scenario is whole', () => {
  for (const { name, mix } of scenarios) expect(Object.values(mix).reduce((sum, share) => sum + share, 0), name).toBeCloseTo(1)
})

describe('recorded operations', () => {
  const line = (members: object): string => JSON.stringify({ operation: 'emergency', createdAt: '2026-03-01T00:00:00.000Z', usage: { outputTokens: 30 }, latency: { basis: 'completion' }, ...members })

  it('are read in the order of their arrival, at the scale that is asked for', () => {
    const read = readWork(`${line({ createdAt: '2026-03-01T00:00:01.500Z', latency: { basis: 'first_content' } })}\n\n${line({ createdAt: '2026-02-28T23:59:59.500Z' })}\n`, 10)
    expect(read).toEqual({
      work: [
        { index: 0, atMs: 0, type: 'emergency', mode: 'sync', outputTokens: 30 },
        { index: 1, atMs: 200, type: 'emergency', mode: 'stream', outputTokens: 30 },
      ],
    })
  })

  it.each([
    ['{', 'line 2: is not JSON'],
    [line({ operation: 'lunch' }), 'line 2: operation is not one of emergency, infrastructure, meta_monitor, implementation, kiro_communication, standard_analysis, background_task'],
    [line({ createdAt: 'today' }), 'line 2: createdAt is not an RFC 3339 time in UTC'],
  ])('that make no sense are named: %s', (bad, fault) => {
    expect(readWork(`${line({})}\n${bad}`, 1)).toEqual({ fault })
  })

  it('keep their distances over the end of a leap February', () => {
    for (const [one, other] of [
      ['2028-02-28T12:00:00Z', '2028-03-01T00:00:00.250Z'],
      ['1999-12-31T23:59:59Z', '2000-01-01T00:00:00Z'],
    ] as const) {
      const read = readWork(`${line({ createdAt: one })}\n${line({ createdAt: other })}`, 1)
      expect('work' in read && read.work[1]?.atMs).toBe(Date.parse(other) - Date.parse(one))
    }
  })
})
