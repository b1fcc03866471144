/**
 * The decision of an operation that failed, complete, so that a test states only what it is about.
 */
import type { EndedDecision } from '../decision-ledger.ts'

export const endedDecision: EndedDecision = {
  operationId: 'op_1',
  operation: 'infrastructure',
  priority: 'critical',
  tenant: null,
  decidedAt: '2026-01-01T08:00:00.000Z',
  decidedAtMs: 100_000,
  decision: { route: 'direct', target: 'frankfurt', reason: 'matrix', alternatives: [{ route: 'mcp', reason: 'fallback' }] },
  status: 'failed',
  route: null,
  target: null,
  basis: 'completion',
  latencyMs: 15_000,
  latencyRequirementMs: 10_000,
  slaMet: false,
  attempts: [],
}
