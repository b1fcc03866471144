import { describe, expect, it } from 'vitest'
import type { Operation } from '../operation/operation.ts'
import type { OperationResult } from '../operation/result.ts'
import { logLinesOf } from './log-line.ts'

const result = {
  id: 'op_1',
  operation: 'emergency',
  priority: 'critical',
  status: 'succeeded',
  route: 'direct',
  target: 'frankfurt',
  fallbackUsed: false,
  hedged: false,
  output: { text: 'the answer', message: { role: 'assistant', content: [{ text: 'the answer' }] }, stopReason: 'end_turn' },
  usage: null,
  cost: { currency: 'USD', estimated: 0, includesEstimates: false },
  latency: { totalMs: 812.4, timeToFirstTokenMs: null, queuedMs: 0, overheadMs: 0.6, basis: 'completion' },
  latencyRequirementMs: 5_000,
  slaMet: true,
  attempts: [],
  decision: { route: 'direct', target: 'frankfurt', reason: 'matrix', alternatives: [] },
  correlationId: 'cor_1',
  createdAt: '',
  completedAt: '',
} satisfies OperationResult
const operation = { converse: { messages: [{ role: 'user', content: [{ text: 'the prompt' }] }] } } as unknown as Operation
const ended = (changes: Partial<OperationResult>) => logLinesOf({ type: 'operation_ended', atMs: 0, operation, result: { ...result, ...changes } })

describe('the log', () => {
  it('has one ROUTING_DECISION for every operation, with operation, route, reason and latency', () => {
    expect(ended({})).toEqual([
      expect.objectContaining({
        event: 'ROUTING_DECISION',
        component: 'hybrid-router',
        correlationId: 'cor_1',
        fields: expect.objectContaining({ operation: 'emergency', route: 'direct', reason: 'matrix', latencyMs: 812.4 }),
      }),
    ])
  })

  it('has a PERFORMANCE_WARNING for an answer after its requirement, and an ERROR for a failure', () => {
    expect(ended({ slaMet: false }).map((line) => line.event)).toEqual(['ROUTING_DECISION', 'PERFORMANCE_WARNING'])
    const error = { type: '', title: '', status: 504, detail: 'No answer.', code: 'deadline_exceeded', retryable: true } as const
    expect(ended({ status: 'failed', slaMet: false, error }).map((line) => line.event)).toEqual(['ROUTING_DECISION', 'ERROR'])
  })

  it('never holds the prompt or the answer', () => {
    expect(JSON.stringify(ended({ slaMet: false }))).not.toMatch(/the prompt|the answer/)
  })
})
