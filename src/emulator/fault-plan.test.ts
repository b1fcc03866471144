import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSeededRandom } from '../runtime/random.ts'
import { matches, planFaults, refusalChanges, refusedShare, type RequestFacts, type SetRule } from './fault-plan.ts'
import { faultRules } from './fault-rule.ts'
import { sampleLatency } from './latency.ts'

const facts: RequestFacts = { region: 'eu-west-1', modelId: 'eu.anthropic.claude-sonnet-4-6', operation: 'Converse', port: 9001 }
const set = (...rules: object[]): readonly SetRule[] => faultRules(rules).map((rule) => ({ rule, setAtMs: 1_000 }))
const plan = (rules: readonly SetRule[], nowMs = 1_000, request: RequestFacts = facts, chance = 0.5, inFlight = 0) => planFaults(rules, request, nowMs, () => chance, () => inFlight)

describe('which rules meet a request', () => {
  it.each([
    [{}, true, 'no target is every request'],
    [{ region: 'eu-west-1' }, true, ''],
    [{ region: 'us-*' }, false, ''],
    [{ modelId: '*sonnet*' }, true, ''],
    [{ modelId: '*haiku*' }, false, ''],
    [{ operation: 'ConverseStream' }, false, ''],
    [{ port: 9001, region: 'eu-*' }, true, 'all must fit'],
    [{ port: 9002, region: 'eu-*' }, false, 'all must fit'],
  ])('the target %j', (target, met, rationale) => {
    expect(plan(set({ kind: 'hang', target })).kinds, rationale).toEqual(met ? ['hang'] : [])
  })

  it('a region rule does not meet a bearer key, which has no region', () => {
    expect(plan(set({ kind: 'hang', target: { region: '*' } }), 1_000, { ...facts, region: undefined }).kinds).toEqual([])
  })

  it.each([
    [1_099, false],
    [1_100, true],
    [1_199, true],
    [1_200, false],
  ])('at %d ms a window from 100 to 200 ms after its setting is open: %s', (nowMs, open) => {
    expect(plan(set({ kind: 'hang', fromMs: 100, untilMs: 200 }), nowMs).kinds).toEqual(open ? ['hang'] : [])
  })

  it('a share is met as often as it says', () => {
    const random = createSeededRandom(3)
    const rules = set({ kind: 'hang', share: 0.2 })
    let met = 0
    for (let count = 0; count < 10_000; count += 1) met += planFaults(rules, facts, 1_000, () => random.next(), () => 0).kinds.length
    expect(met).toBeGreaterThan(1_850)
    expect(met).toBeLessThan(2_150)
  })
})

describe('what rules say together', () => {
  it('the first that ends a request wins', () => {
    expect(plan(set({ kind: 'throttle', retryAfterMs: 2_000 }, { kind: 'hang' })).ending).toEqual({
      kind: 'refusal',
      refusal: { exception: 'ThrottlingException' },
      afterMs: 0,
      retryAfterMs: 2_000,
    })
  })

  it('slowness multiplies the latency that is set, and a nominal one where none is', () => {
    expect(plan(set({ kind: 'latency', firstTokenMs: { p50: 10 }, perTokenMs: { p50: 2 } }, { kind: 'slow', factor: 3 }, { kind: 'slow', factor: 2 })).pace).toEqual({ firstTokenMs: 60, perTokenMs: 12 })
    expect(plan(set({ kind: 'slow', factor: 2 })).pace).toEqual({ firstTokenMs: 200, perTokenMs: 10 })
  })

  it('a limit throttles above it, counts below it, and does not show in the record there', () => {
    const rules = set({ kind: 'concurrency', limit: 3 })
    expect(plan(rules, 1_000, facts, 0, 2)).toMatchObject({ ending: undefined, kinds: [] })
    expect(plan(rules, 1_000, facts, 0, 2).limits).toHaveLength(1)
    expect(plan(rules, 1_000, facts, 0, 3)).toMatchObject({ ending: { refusal: { exception: 'ThrottlingException' } }, kinds: ['concurrency'], limits: [] })
  })

  it('refusal is of a port and a time, and says when it changes', () => {
    const rules = set({ kind: 'refused', target: { port: 9001 }, fromMs: 100, untilMs: 300 }, { kind: 'refused', share: 0.5, fromMs: 400 })
    expect(refusedShare(rules, 9001, 1_050)).toBe(0)
    expect(refusedShare(rules, 9001, 1_100)).toBe(1)
    expect(refusedShare(rules, 9002, 1_100)).toBe(0)
    expect(refusedShare(rules, 9002, 1_500)).toBe(0.5)
    expect(refusalChanges(rules, 1_100)).toEqual([1_300, 1_400])
  })
})

describe('patterns and latency', () => {
  it('a star stands for any characters, as a regular expression would say', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 }), fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }), (pattern, text) => {
        expect(matches(pattern, text)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text))
      }),
      { numRuns: 2_000 },
    )
  })

  it('half of the samples are below the median and one in a hundred above the 99th percentile', () => {
    const random = createSeededRandom(11)
    const samples = Array.from({ length: 20_000 }, () => sampleLatency({ p50: 100, p99: 400 }, () => random.next())).sort((a, b) => a - b)
    expect(samples[10_000]).toBeGreaterThan(96)
    expect(samples[10_000]).toBeLessThan(104)
    expect(samples[19_800]).toBeGreaterThan(360)
    expect(samples[19_800]).toBeLessThan(440)
  })
})
