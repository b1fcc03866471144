import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { operationLimits, operationTypes, priorityRank, runbookMatrix } from './matrix.ts'

/** The runbook's "Routing decision matrix" and the contract's default hard timeouts, as they are printed there. */
const printed = `
| Emergency | emergency | critical | < 5 s | direct | none | 10 |
| Infrastructure | infrastructure | critical | < 10 s | direct | MCP | 15 |
| Meta Monitor | meta_monitor | high | < 15 s | direct | MCP | 30 |
| Implementation | implementation | high | < 15 s | direct | MCP | 30 |
| Kiro Communication | kiro_communication | medium | < 30 s | MCP | direct | 60 |
| Standard Analysis | standard_analysis | medium | < 30 s | MCP | direct | 60 |
| Background Tasks | background_task | low | < 60 s | MCP | direct | 120 |
`

describe('the matrix', () => {
  it('is the runbook’s, row by row and in its order', () => {
    const rows = printed.trim().split('\n').map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()))
    expect(operationTypes).toEqual(rows.map((row) => row[1]))
    const read = rows.map(([, id, priority, latency, route, fallback, hardTimeout]) => [
      id,
      {
        priority,
        latencyMs: Number(/\d+/.exec(latency ?? '')?.[0]) * 1_000,
        hardTimeoutMs: Number(hardTimeout) * 1_000,
        route: route?.toLowerCase(),
        fallback: fallback?.toLowerCase(),
      },
    ])
    expect(runbookMatrix).toEqual(Object.fromEntries(read))
  })

  it('ranks critical before low', () => {
    expect((['critical', 'high', 'medium', 'low'] as const).map(priorityRank)).toEqual([0, 1, 2, 3])
  })
})

describe('the limits of an operation', () => {
  const row = runbookMatrix.infrastructure

  it.each<[number | undefined, number, number, string]>([
    [undefined, 10_000, 15_000, 'without a wish the row holds'],
    [8_000, 8_000, 12_000, 'a tighter wish holds, and the hard timeout shrinks in proportion'],
    [10_000, 10_000, 15_000, 'the same is not tighter'],
    [60_000, 10_000, 15_000, 'a looser wish changes nothing'],
    [400, 400, 600, 'far below the row too'],
  ])('latencyMs %s gives %s ms and %s ms: %s', (wish, latencyRequirementMs, hardTimeoutMs) => {
    expect(operationLimits(row, wish)).toEqual({ latencyRequirementMs, hardTimeoutMs })
  })

  it('never exceed the row and never put the hard timeout before the requirement', () => {
    fc.assert(
      fc.property(fc.constantFrom(...operationTypes), fc.integer({ min: 1, max: 200_000 }), (type, wish) => {
        const { latencyMs, hardTimeoutMs } = runbookMatrix[type]
        const limits = operationLimits(runbookMatrix[type], wish)
        expect(limits.latencyRequirementMs).toBeLessThanOrEqual(latencyMs)
        expect(limits.hardTimeoutMs).toBeLessThanOrEqual(hardTimeoutMs)
        expect(limits.hardTimeoutMs).toBeGreaterThan(limits.latencyRequirementMs)
      }),
    )
  })
})
