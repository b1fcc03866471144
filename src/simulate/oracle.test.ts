import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runbookMatrix, type Matrix, type OperationType } from '../operation/matrix.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { Fates } from './fate.ts'
import { foresee } from './oracle.ts'
import type { Scenario } from './scenario.ts'
import { scenarioNamed } from './scenarios.ts'
import { generateWork, type WorkItem } from './workload.ts'

const overload = scenarioNamed('overload')!
/** ms: beginnings are told as differences of ends. */
const rounding = 1e-6
const item = (index: number, atMs: number, type: OperationType = 'emergency'): WorkItem => ({ index, atMs, type, mode: 'sync', outputTokens: 30 })

describe('an oracle', () => {
  it('takes no more slots than there are', () => {
    const one: Scenario = { ...overload, places: overload.places.slice(0, 1).map((place) => ({ ...place, slots: 1 })) }
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 1_000 }), (times, seed) => {
        const work = times.toSorted((a, b) => a - b).map((atMs, index) => item(index, atMs))
        const taken = foresee(one, runbookMatrix, new Fates(one, seed), work)
          .flatMap(({ inTime, latencyMs, servedMs }, index) => (inTime ? [{ from: work[index]!.atMs + latencyMs - servedMs, until: work[index]!.atMs + latencyMs }] : []))
          .toSorted((a, b) => a.from - b.from)
        return taken.every(({ from }, index) => index === 0 || from >= taken[index - 1]!.until - rounding)
      }),
      { numRuns: 100 },
    )
  })

  it('answers what matters most when there is not room for all', () => {
    const work = [...generateWork(overload, createSeededRandom(1))]
    const verdicts = foresee(overload, runbookMatrix, new Fates(overload, 1), work)
    const share = (type: OperationType): number => {
      const its = work.filter((each) => each.type === type)
      return its.filter(({ index }) => verdicts[index]?.inTime === true).length / its.length
    }
    expect(share('emergency')).toBeGreaterThan(0.99)
    expect(share('infrastructure')).toBeGreaterThan(0.6)
    // Critical work alone is more than there is room for: what is humbler gets what is left after the last arrival.
    for (const type of ['meta_monitor', 'standard_analysis', 'background_task'] as const) expect(share(type), type).toBeLessThan(0.3)
  })

  it('waits for the end of an outage where that is in time', () => {
    const outage: Scenario = { ...scenarioNamed('direct-down')!, faults: [{ kind: 'down', places: ['frankfurt', 'ireland'], share: 1, factor: 1, fromMs: 0, untilMs: 3_000 }] }
    const [early, late] = foresee(outage, runbookMatrix, new Fates(outage, 1), [item(0, 0), item(1, 2_000)])
    expect(late).toMatchObject({ inTime: true })
    expect(late!.latencyMs).toBeGreaterThan(1_000)
    expect(early).toMatchObject({ inTime: true })
    const longer: Scenario = { ...outage, faults: outage.faults.map((fault) => ({ ...fault, untilMs: 30_000 })) }
    expect(foresee(longer, runbookMatrix, new Fates(longer, 1), [item(0, 0)])).toEqual([{ inTime: false, latencyMs: runbookMatrix.emergency.hardTimeoutMs, servedMs: 0 }])
  })

  it('keeps to the routes that the matrix allows', () => {
    const noDirect: Scenario = { ...overload, places: overload.places.filter(({ route }) => route === 'mcp') }
    const [emergency, infrastructure] = foresee(noDirect, runbookMatrix, new Fates(noDirect, 1), [item(0, 0), item(1, 0, 'infrastructure')])
    expect([emergency?.inTime, infrastructure?.inTime]).toEqual([false, true])
    const none: Matrix = { ...runbookMatrix, infrastructure: { ...runbookMatrix.infrastructure, fallback: 'none' } }
    expect(foresee(noDirect, none, new Fates(noDirect, 1), [item(0, 0, 'infrastructure')])[0]?.inTime).toBe(false)
  })
})
