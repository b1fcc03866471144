/** Rate limits on fake timers: the library that counts the windows takes no clock. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { validConfig } from '../config/resolve-config.ts'
import type { AuthConfig } from '../config/schema.ts'
import { createCallerLimits, type CallerLimits, type LimitVerdict } from './adapters/caller-limits.ts'
import type { Principal } from './principal.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) })
})
afterEach(() => {
  vi.useRealTimers()
})

function authOf(auth: object): AuthConfig {
  const config = validConfig({ direct: { targets: [{ id: 'a', region: 'eu-central-1', modelId: 'm.m' }] }, auth })
  if (config.auth === null) throw new Error('it has no section auth')
  return config.auth
}

const keys = [
  { name: 'own', role: 'operator', secret: 'k1', rateLimit: { requests: 2, windowMs: 10_000 }, concurrency: 2 },
  { name: 'common', role: 'operator', secret: 'k2' },
  { name: 'ops', role: 'admin', secret: 'k3' },
  { name: 'batch', role: 'admin', secret: 'k4', concurrency: 1 },
]
const who = (name: string, role: Principal['role'] = 'operator'): Principal => ({ name, role, tenant: null, local: false })
const enter = async (limits: CallerLimits, principal: Principal, auth: AuthConfig): Promise<LimitVerdict> => limits.enter(principal, auth)
const kinds = async (limits: CallerLimits, principal: Principal, auth: AuthConfig, times: number): Promise<string[]> => {
  const seen: string[] = []
  for (let count = 0; count < times; count += 1) {
    const verdict = await enter(limits, principal, auth)
    seen.push(verdict.kind === 'within' ? 'within' : verdict.limit)
    if (verdict.kind === 'within') verdict.release?.()
  }
  return seen
}

describe('the rate of a caller', () => {
  test('is limited in a window, says where the caller stands, and is free again after it', async () => {
    const [limits, auth] = [createCallerLimits(), authOf({ keys })]
    expect(await enter(limits, who('own'), auth)).toMatchObject({ kind: 'within', headers: { 'ratelimit-policy': '"key";q=2;w=10', ratelimit: '"key";r=1;t=10', 'ratelimit-limit': '2', 'ratelimit-remaining': '1', 'ratelimit-reset': '10' } })
    vi.advanceTimersByTime(4_000)
    await enter(limits, who('own'), auth).then((verdict) => verdict.kind === 'within' && verdict.release?.())
    expect(await enter(limits, who('own'), auth)).toMatchObject({ kind: 'beyond', limit: 'rate', retryAfterMs: 6_000, headers: { 'ratelimit-remaining': '0', 'ratelimit-reset': '6' } })
    vi.advanceTimersByTime(6_000)
    expect(await kinds(limits, who('own'), auth, 3)).toEqual(['within', 'within', 'rate'])
    vi.advanceTimersByTime(10_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is each caller’s own, a token’s name included, and admins have none but one of their own', async () => {
    const [limits, auth] = [createCallerLimits(), authOf({ keys, rateLimit: { requests: 1 } })]
    expect(await kinds(limits, who('common'), auth, 2)).toEqual(['within', 'rate'])
    expect(await kinds(limits, who('jwt:alice'), auth, 2)).toEqual(['within', 'rate'])
    expect(await kinds(limits, who('jwt:common'), auth, 1)).toEqual(['within'])
    expect(await kinds(limits, who('own'), auth, 3)).toEqual(['within', 'within', 'rate'])
    expect(await kinds(limits, who('ops', 'admin'), auth, 50)).toEqual(Array(50).fill('within'))
    expect(await kinds(limits, who('jwt:root', 'admin'), auth, 5)).toEqual(Array(5).fill('within'))
  })

  test('is not counted anew by a reload', async () => {
    const limits = createCallerLimits()
    expect(await kinds(limits, who('own'), authOf({ keys }), 2)).toEqual(['within', 'within'])
    expect(await kinds(limits, who('own'), authOf({ keys, publicHealth: false }), 1)).toEqual(['rate'])
  })

  test('costs no promise where there is none', () => {
    expect(createCallerLimits().enter(who('common'), authOf({ keys }))).toEqual({ kind: 'within', release: null, headers: null })
  })
})

describe('the requests at once of a caller', () => {
  test('are limited until one ends, and an end counts once', async () => {
    const [limits, auth] = [createCallerLimits(), authOf({ keys })]
    const first = await enter(limits, who('batch', 'admin'), auth)
    expect(await enter(limits, who('batch', 'admin'), auth)).toMatchObject({ kind: 'beyond', limit: 'concurrency', retryAfterMs: 1_000 })
    if (first.kind !== 'within') throw new Error('the first was refused')
    first.release?.()
    first.release?.()
    expect((await enter(limits, who('batch', 'admin'), auth)).kind).toBe('within')
    expect((await enter(limits, who('batch', 'admin'), auth)).kind).toBe('beyond')
  })

  test('that are refused do not use up the rate, and a refused rate leaves its place', async () => {
    const [limits, auth] = [createCallerLimits(), authOf({ keys: [{ ...keys[0], concurrency: 1 }] })]
    const open = await enter(limits, who('own'), auth)
    expect(await kinds(limits, who('own'), auth, 3)).toEqual(['concurrency', 'concurrency', 'concurrency'])
    if (open.kind === 'within') open.release?.()
    expect(await kinds(limits, who('own'), auth, 3)).toEqual(['within', 'rate', 'rate'])
    vi.advanceTimersByTime(10_000)
    expect(await kinds(limits, who('own'), auth, 1)).toEqual(['within'])
  })
})
