import { describe, expect, it } from 'vitest'
import { proposeTuning, type TuningFacts } from './propose-tuning.ts'

const quiet = { p95Ms: null, answers: 0, tightestMs: 10_000 }
const facts = (over: Partial<TuningFacts>): TuningFacts => ({ windowMs: 3_600_000, efficiency: null, judged: 0, fallbackAggressiveness: 0.5, routes: { direct: quiet, mcp: quiet }, ...over })
const busy = (p95Ms: number, tightestMs = 10_000): TuningFacts['routes']['direct'] => ({ p95Ms, answers: 1_000, tightestMs })

/** Facts, target, mode, proposal, why. */
const sheet = [
  [facts({}), undefined, 'balanced', {}, 'nothing was measured'],
  [facts({ efficiency: 0.1, judged: 19 }), undefined, 'balanced', {}, 'too few decisions were judged'],
  [facts({ efficiency: 0.7, judged: 100 }), 0.85, 'balanced', { fallbackAggressiveness: 0.65 }, 'by the gap'],
  [facts({ efficiency: 0.7, judged: 100 }), 0.85, 'latency', { fallbackAggressiveness: 0.8 }, 'twice as far where latency counts, not above the largest step'],
  [facts({ efficiency: 0.6, judged: 100 }), 0.8, 'cost', { fallbackAggressiveness: 0.6 }, 'half as far where cost counts'],
  [facts({ efficiency: 0.1, judged: 100, fallbackAggressiveness: 0.9 }), 0.85, 'latency', { fallbackAggressiveness: 1 }, 'never above 1'],
  [facts({ efficiency: 0.79, judged: 100 }), undefined, 'balanced', { fallbackAggressiveness: 0.55 }, 'the runbook’s target where none is named; the smallest step'],
  [facts({ efficiency: 0.9, judged: 100 }), undefined, 'balanced', {}, 'good enough stays'],
  [facts({ efficiency: 0.9, judged: 100 }), undefined, 'cost', { fallbackAggressiveness: 0.45 }, 'good enough, and cost counts'],
  [facts({ routes: { direct: busy(2_000), mcp: busy(12_000, 30_000) } }), undefined, 'balanced', { directBedrockLatencyThreshold: 2_600, mcpLatencyThreshold: 15_600 }, 'room above the P95'],
  [facts({ routes: { direct: busy(9_000), mcp: quiet } }), undefined, 'balanced', { directBedrockLatencyThreshold: 10_000 }, 'within the tightest requirement'],
  [facts({ routes: { direct: { ...busy(9_000), answers: 99 }, mcp: { ...busy(1_000), tightestMs: null } } }), undefined, 'balanced', {}, 'too few answers; no operation falls back from there'],
] as const

describe('tuning by measured data', () => {
  it.each(sheet.map((row) => [row[4], row] as const))('%s', (_why, [measured, target, mode, members]) => {
    expect(proposeTuning(measured, {}, target, mode).members).toEqual(members)
  })

  it('does not move a threshold that is about right', () => {
    const routes = { direct: busy(2_000), mcp: quiet }
    expect(proposeTuning(facts({ routes }), { directBedrockLatencyThreshold: 2_550 }, undefined, 'balanced').members).toEqual({})
    expect(proposeTuning(facts({ routes }), { directBedrockLatencyThreshold: 4_000 }, undefined, 'balanced').members).toEqual({ directBedrockLatencyThreshold: 2_600 })
  })

  it('says on what it rests', () => {
    const { basis } = proposeTuning(facts({ efficiency: 0.7, judged: 100 }), {}, 0.85, 'balanced')
    expect(basis).toMatchObject({ efficiency: 0.7, judged: 100, targetEfficiency: 0.85, optimizationMode: 'balanced', why: [expect.stringContaining('70 % of 100'), expect.any(String), expect.any(String)] })
  })
})
