import { afterEach, describe, expect, it } from 'vitest'
import type { DecisionRecord } from '../routing/decision-ledger.ts'
import { endedDecision } from '../routing/testing/ended-decision.ts'
import { speakHttp1 as ask, startTestService, type TestService } from './testing/test-service.ts'

let service: TestService | undefined
afterEach(async () => {
  await service?.stop()
  service = undefined
})

function decided(number: number, tenant: string | null): DecisionRecord {
  return { ...endedDecision, operationId: `op_${number}`, tenant, decidedAtMs: 12_345.678, hindsight: { optimal: false, regretMs: 9_000.123456, basis: 'mcp would have met it' } }
}

const key = (name: string, tenant?: string) => ({ name, role: 'viewer', secret: `${name}-secret-of-some-length`, ...(tenant === undefined ? {} : { tenant }) })

describe('GET /v1/routing/decisions', () => {
  it('shows the last decisions with their verdicts, as many as asked for', async () => {
    service = await startTestService(() => [])
    service.decisions.push(decided(3, null), decided(2, null), decided(1, null))
    const answer = await ask(service.port, { path: '/v1/routing/decisions?limit=2' })
    expect(answer.status).toBe(200)
    const { decisions } = JSON.parse(answer.text) as { decisions: Record<string, unknown>[] }
    expect(decisions.map((each) => each['operationId'])).toEqual(['op_3', 'op_2'])
    expect(decisions[0]).toMatchObject({ decision: { reason: 'matrix' }, slaMet: false, hindsight: { optimal: false, regretMs: 9_000.1, basis: 'mcp would have met it' } })
    // The process's own time line is nobody's business.
    expect(decisions[0]).not.toHaveProperty('decidedAtMs')
  })

  it('shows a key that is bound to a tenant only what is the tenant’s', async () => {
    service = await startTestService(() => [], { auth: { keys: [key('all'), key('acme', 'acme')] } })
    service.decisions.push(decided(3, 'other'), decided(2, 'acme'), decided(1, null))
    const as = async (name: string): Promise<unknown[]> => {
      const answer = await ask(service?.port ?? 0, { path: '/v1/routing/decisions', headers: { authorization: `Bearer ${name}-secret-of-some-length` } })
      return (JSON.parse(answer.text) as { decisions: { operationId: string }[] }).decisions.map(({ operationId }) => operationId)
    }
    expect(await as('acme')).toEqual(['op_2'])
    expect(await as('all')).toEqual(['op_3', 'op_2', 'op_1'])
  })

  it.each(['limit=0', 'limit=501', 'limit=x', 'limit=1&limit=2', 'since=now'])('refuses %s by name', async (query) => {
    service = await startTestService(() => [])
    const answer = await ask(service.port, { path: `/v1/routing/decisions?${query}` })
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'invalid_request', errors: [{ path: query.split('=')[0] }] })
  })
})
