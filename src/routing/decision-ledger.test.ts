import { describe, expect, it } from 'vitest'
import { DecisionLedger } from './decision-ledger.ts'
import type { JudgedOperation } from './hindsight.ts'
import { endedDecision } from './testing/ended-decision.ts'

const ended = endedDecision
const missed: JudgedOperation = { decidedAtMs: 100_000, basis: 'completion', requirementLeftMs: 10_000, met: false, tookMs: 15_000, size: 0, alternatives: ['mcp'], noRoom: false }

function answerOnMcp(ledger: DecisionLedger, count: number): void {
  for (let sample = 0; sample < count; sample += 1) ledger.onAttempt({ startedAtMs: 100_000 + sample, route: 'mcp', basis: 'completion', size: 80, outcome: 'answered', tookMs: 900 })
}

describe('the record of decisions', () => {
  it('keeps the last ones, newest first', () => {
    const ledger = new DecisionLedger(3)
    for (let number = 1; number <= 5; number += 1) ledger.onEnded({ ...ended, operationId: `op_${number}` }, { ...missed, met: true }, 100_000)
    expect(ledger.recent(10, 100_000).map(({ operationId }) => operationId)).toEqual(['op_5', 'op_4', 'op_3'])
    expect(ledger.recent(1, 100_000).map(({ operationId }) => operationId)).toEqual(['op_5'])
  })

  it('judges with the evidence of its time, and again when more has come in', () => {
    const ledger = new DecisionLedger(10)
    answerOnMcp(ledger, 10)
    expect(ledger.onEnded(ended, missed, 115_000).optimal).toBeNull()
    answerOnMcp(ledger, 10)
    expect(ledger.recent(1, 120_000)[0]?.hindsight).toMatchObject({ optimal: false, regretMs: 14_100 })
    expect(ledger.efficiency(60_000, 120_000).overall).toEqual({ optimalShare: 0, judgedShare: 1, decisions: 1 })
  })

  it('leaves what could not be judged out of the efficiency and says how much that is', () => {
    const ledger = new DecisionLedger(10)
    ledger.onEnded(ended, { ...missed, met: true }, 100_000)
    ledger.onEnded(ended, missed, 100_000)
    ledger.onEnded({ ...ended, operation: 'emergency', status: 'cancelled' }, null, 100_000, 'the operation was cancelled')
    const { overall, byOperation } = ledger.efficiency(60_000, 100_000)
    expect(overall).toEqual({ optimalShare: 1, judgedShare: 1 / 3, decisions: 3 })
    expect(byOperation.infrastructure).toEqual({ optimalShare: 1, judgedShare: 0.5, decisions: 2 })
    expect(byOperation.emergency).toEqual({ optimalShare: null, judgedShare: 0, decisions: 1 })
    expect(ledger.recent(1, 100_000)[0]?.hindsight.basis).toBe('the operation was cancelled')
  })

  it('counts only what ended within the window, and holds no more than an hour', () => {
    const ledger = new DecisionLedger(10)
    for (let minute = 0; minute < 120; minute += 1) ledger.onEnded(ended, { ...missed, met: true }, minute * 60_000)
    const nowMs = 119 * 60_000 + 1
    expect(ledger.efficiency(5 * 60_000, nowMs).overall.decisions).toBe(5)
    expect(ledger.efficiency(24 * 3_600_000, nowMs).overall.decisions).toBe(60)
  })
})
