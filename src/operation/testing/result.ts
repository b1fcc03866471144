/**
 * The result of an emergency that was answered in time, complete, so that a test states only what it is about.
 */
import type { OperationResult } from '../result.ts'

export function resultOf(changes: Partial<OperationResult> = {}): OperationResult {
  const text = 'the answer'
  return {
    id: 'op_1',
    operation: 'emergency',
    priority: 'critical',
    status: 'succeeded',
    route: 'direct',
    target: 'frankfurt',
    fallbackUsed: false,
    hedged: false,
    output: { text, message: { role: 'assistant', content: [{ text }] }, stopReason: 'end_turn' },
    usage: null,
    cost: { currency: 'USD', estimated: 0, includesEstimates: false },
    latency: { totalMs: 812.4, timeToFirstTokenMs: null, queuedMs: 0, overheadMs: 0.6, basis: 'completion' },
    latencyRequirementMs: 5_000,
    slaMet: true,
    attempts: [],
    decision: { route: 'direct', target: 'frankfurt', reason: 'matrix', alternatives: [] },
    correlationId: 'cor_1',
    createdAt: '2026-01-01T08:00:00.000Z',
    completedAt: '2026-01-01T08:00:01.000Z',
    ...changes,
  }
}
