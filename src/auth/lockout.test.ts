import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { validConfig } from '../config/resolve-config.ts'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import type { Credentials } from './authenticate.ts'
import { createAuthenticator } from './authenticator.ts'
import { Lockout, lockoutEntries, type LockoutRules } from './lockout.ts'

const rules: LockoutRules = { failures: 3, windowMs: 60_000, lockMs: 30_000 }

function fail(lockout: Lockout, address: string, times: number, nowMs: number): boolean {
  let locked = false
  for (let count = 0; count < times; count += 1) locked = lockout.onFailure(address, nowMs, rules)
  return locked
}

describe('the lock-out', () => {
  test('begins with the last failure that is allowed, and ends by itself', () => {
    const lockout = new Lockout()
    expect(fail(lockout, 'a', 2, 0)).toBe(false)
    expect(lockout.lockedForMs('a', 0)).toBe(0)
    expect(fail(lockout, 'a', 1, 1_000)).toBe(true)
    expect(lockout.lockedForMs('a', 1_000)).toBe(30_000)
    expect(lockout.lockedForMs('a', 30_999)).toBe(1)
    expect(lockout.lockedForMs('a', 31_000)).toBe(0)
    expect(lockout.isQuiet).toBe(true)
  })

  test('counts within a window, and anew afterwards', () => {
    const lockout = new Lockout()
    fail(lockout, 'a', 2, 0)
    expect(fail(lockout, 'a', 2, 60_000)).toBe(false)
    expect(fail(lockout, 'a', 1, 60_001)).toBe(true)
  })

  test('of one address is none of another', () => {
    const lockout = new Lockout()
    fail(lockout, 'a', 3, 0)
    expect(lockout.lockedForMs('b', 0)).toBe(0)
  })

  test('with no failures allowed to count locks nobody out', () => {
    expect(new Lockout().onFailure('a', 0, { ...rules, failures: 0 })).toBe(false)
  })

  test('a million addresses do not grow its memory, and lock out nobody who never failed', () => {
    const lockout = new Lockout()
    for (let index = 0; index < 1_000_000; index += 1) fail(lockout, `a${index}`, index % 4, index / 100)
    expect(lockout.entries).toBeLessThanOrEqual(2 * lockoutEntries)
    expect(lockout.lockedForMs('honest', 10_000)).toBe(0)
  })

  test('whatever happens, only an address that failed often enough within a window is locked', () => {
    const step = fc.record({ address: fc.constantFrom('a', 'b', 'c'), afterMs: fc.integer({ min: 0, max: 40_000 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const lockout = new Lockout()
        const failures: { address: string; atMs: number }[] = []
        let nowMs = 0
        for (const { address, afterMs } of steps) {
          nowMs += afterMs
          if (lockout.lockedForMs(address, nowMs) > 0) continue
          failures.push({ address, atMs: nowMs })
          if (lockout.onFailure(address, nowMs, rules)) {
            const recent = failures.filter((failure) => failure.address === address && nowMs - failure.atMs < rules.windowMs)
            expect(recent.length).toBeGreaterThanOrEqual(rules.failures)
          }
        }
      }),
    )
  })
})

describe('who is locked out', () => {
  const setUp = (server: object = {}) => {
    const clock = createVirtualClock()
    const config = validConfig({ server, direct: { targets: [{ id: 'a', region: 'eu-central-1', modelId: 'm.m' }] }, auth: { keys: [{ name: 'ops', role: 'admin', secret: 'a-key-that-is-long' }], lockout: { failures: 3, lockMs: 30_000 } } })
    const authenticator = createAuthenticator({ config: () => config, clock })
    const ask = (over: Partial<Credentials>): string => {
      const outcome = authenticator.authenticate({ remoteAddress: '203.0.113.7', host: 'router.example', forwarded: false, publicRead: false, ...over })
      if (outcome instanceof Promise) throw new Error('keys take no promise')
      return outcome.kind === 'principal' ? outcome.principal.name : outcome.lockout === undefined ? outcome.reason : `${outcome.reason}, locked out`
    }
    return { clock, ask }
  }
  const wrong = { xApiKey: 'wrong' }
  const good = { xApiKey: 'a-key-that-is-long' }

  test('whoever presents wrong keys; a configured key from there still gets in: it is no guess', () => {
    const { clock, ask } = setUp()
    expect([ask(wrong), ask(wrong), ask(wrong)]).toEqual(['unknown_key', 'unknown_key', 'unknown_key, locked out'])
    expect([ask(wrong), ask(good), ask(wrong)]).toEqual(['locked_out', 'ops', 'locked_out'])
    expect(ask({ ...good, remoteAddress: '203.0.113.8' })).toBe('ops')
    expect(ask({ publicRead: true })).toBe('anonymous')
    clock.advance(30_000)
    expect(ask(wrong)).toBe('unknown_key')
  })

  test('nobody who presents no key, or a signature for AWS', () => {
    const { ask } = setUp()
    for (let count = 0; count < 10; count += 1) expect([ask({}), ask({ authorization: 'AWS4-HMAC-SHA256 x' })]).toEqual(['no_key', 'unknown_scheme'])
  })

  test('a good key in between does not clear the count', () => {
    const { ask } = setUp()
    expect([ask(wrong), ask(wrong), ask(good), ask(wrong)]).toEqual(['unknown_key', 'unknown_key', 'ops', 'unknown_key, locked out'])
  })

  test('all addresses of an IPv6 network together', () => {
    const { ask } = setUp()
    for (const last of [1, 2, 3]) ask({ ...wrong, remoteAddress: `2001:db8::${last}` })
    expect(ask({ ...wrong, remoteAddress: '2001:db8::ffff' })).toBe('locked_out')
    expect(ask({ ...wrong, remoteAddress: '2001:db8:0:1::1' })).toBe('unknown_key')
  })

  test('the client behind a trusted proxy, and not the proxy with all its clients', () => {
    const { ask } = setUp({ trustedProxies: ['10.0.0.0/8'] })
    const behind = (client: string): Partial<Credentials> => ({ remoteAddress: '10.0.0.1', xForwardedFor: client, forwarded: true })
    for (let count = 0; count < 3; count += 1) ask({ ...wrong, ...behind('198.51.100.1') })
    expect(ask({ ...wrong, ...behind('198.51.100.1') })).toBe('locked_out')
    expect(ask({ ...wrong, ...behind('198.51.100.2') })).toBe('unknown_key')
  })

  test('nobody by what a client writes into X-Forwarded-For itself', () => {
    const { ask } = setUp({ trustedProxies: ['10.0.0.0/8'] })
    for (let count = 0; count < 3; count += 1) ask({ ...wrong, xForwardedFor: '198.51.100.2' })
    expect(ask({ ...wrong, remoteAddress: '198.51.100.2' })).toBe('unknown_key')
    expect(ask(wrong)).toBe('locked_out')
  })
})
