import { describe, expect, it } from 'vitest'
import type { Operation } from '../operation/operation.ts'
import { isCallersMistake, problemCatalogue, problemCodes, type ProblemCode } from '../operation/problem.ts'
import type { ExpiryReason, FinalStatus, OperationResult } from '../operation/result.ts'
import { resultOf } from '../operation/testing/result.ts'
import { logLinesOf, problemUrgency } from './log-line.ts'

const operation = { converse: { messages: [{ role: 'user', content: [{ text: 'the prompt' }] }] } } as unknown as Operation
const ended = (changes: Partial<OperationResult>) => logLinesOf({ type: 'operation_ended', atMs: 0, operation, result: resultOf(changes) })

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

  it.each<{ code: ProblemCode; status: FinalStatus; reason?: ExpiryReason; urgency: string; why: string }>([
    { code: 'invalid_request', status: 'failed', urgency: 'info', why: 'the model refused what the caller sent: no operator can mend it' },
    { code: 'forbidden', status: 'failed', urgency: 'info', why: 'the caller may not do it' },
    { code: 'overloaded', status: 'failed', urgency: 'warn', why: 'it was shed on purpose' },
    { code: 'upstream_throttled', status: 'failed', urgency: 'warn', why: 'it passes by itself' },
    { code: 'maintenance', status: 'failed', urgency: 'warn', why: 'an operator asked for it' },
    { code: 'no_route_available', status: 'failed', urgency: 'error', why: 'nothing can answer' },
    { code: 'upstream_error', status: 'failed', urgency: 'error', why: 'expired credentials are among these' },
    { code: 'outcome_unknown', status: 'failed', urgency: 'error', why: 'somebody has to check its effect' },
    { code: 'deadline_exceeded', status: 'failed', urgency: 'error', why: 'the promise was broken' },
    { code: 'internal_error', status: 'failed', urgency: 'error', why: 'a mistake of ours' },
    { code: 'deadline_exceeded', status: 'expired', reason: 'hard_timeout', urgency: 'error', why: 'it waited in the queue for too long: reported, not dropped silently' },
    { code: 'deadline_exceeded', status: 'expired', reason: 'caller_gone', urgency: 'info', why: 'nobody waits for it any more' },
  ])('$status with $code is $urgency: $why', ({ code, status, reason, urgency }) => {
    const { title, status: http, retryable } = problemCatalogue[code]
    const lines = ended({ status, slaMet: false, error: { type: '', title, status: http, detail: 'It did not work.', code, retryable }, ...(reason === undefined ? {} : { reason }) })
    expect(lines.map(({ event, urgency: seen }) => `${event} ${seen}`)).toEqual(['ROUTING_DECISION info', `ERROR ${urgency}`])
  })

  it('calls no mistake of a caller more than information, and no failure of ours less than a warning', () => {
    for (const code of problemCodes) expect(problemUrgency[code] === 'info', code).toBe(isCallersMistake(code))
  })

  it('has nothing but the decision for what the caller cancelled', () => {
    expect(ended({ status: 'cancelled', slaMet: false }).map((line) => line.event)).toEqual(['ROUTING_DECISION'])
  })

  it('never holds the prompt or the answer', () => {
    expect(JSON.stringify(ended({ slaMet: false }))).not.toMatch(/the prompt|the answer/)
  })
})
