import { describe, expect, it } from 'vitest'
import { OperationError, problemCatalogue, problemCodes, toProblem } from './problem.ts'

/** The public contract, part 8: codes and statuses as printed there. */
const printed =
  '`invalid_request` 400, `unauthorized` 401, `forbidden` 403, `not_found` 404, `method_not_allowed` 405, `conflict` 409, `payload_too_large` 413, `uri_too_long` 414, `unsupported_media_type` 415, `policy_blocked` 422, `rate_limited` 429, `headers_too_large` 431, `internal_error` 500, `upstream_error` 502, `outcome_unknown` 502, `upstream_throttled` 503, `overloaded` 503, `no_route_available` 503, `maintenance` 503, `deadline_exceeded` 504'

describe('the problem catalogue', () => {
  it('has the contract’s codes with their statuses, and no other', () => {
    const expected = [...printed.matchAll(/`(\w+)` (\d+)/g)].map(([, code, status]) => [code, Number(status)])
    expect(problemCodes.map((code) => [code, problemCatalogue[code].status])).toEqual(expected)
  })

  it('shows the detail and never the cause', () => {
    const error = new OperationError('upstream_error', 'Bedrock refused the credentials.', { cause: new Error('secret AKIA'), operationId: 'op_1' })
    const problem = toProblem(error, 'cor_1')
    expect(problem).toEqual({
      type: '/problems/upstream_error',
      title: 'The upstream failed',
      status: 502,
      detail: 'Bedrock refused the credentials.',
      code: 'upstream_error',
      retryable: false,
      correlationId: 'cor_1',
      operationId: 'op_1',
    })
  })
})
