import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { directBounds } from '../settings.ts'
import { CredentialKeeper } from './credential-keeper.ts'
import type { AwsCredentials } from './credential-keeper.ts'

const hourMs = 3_600_000

function keeperOf(lifeMs: number | null) {
  const clock = createVirtualClock()
  const state = { obtained: 0, failing: false }
  const keeper = new CredentialKeeper(clock, async (): Promise<AwsCredentials> => {
    state.obtained += 1
    if (state.failing) throw new Error('no way')
    return { accessKeyId: `KEY${state.obtained}`, secretAccessKey: 's', ...(lifeMs === null ? {} : { expiration: new Date(clock.nowMs() + lifeMs) }) }
  })
  return { clock, keeper, state }
}

describe('the credential keeper', () => {
  test('renews in the background before the end, with no request that asks', async () => {
    const { clock, keeper, state } = keeperOf(hourMs)
    await keeper.renew()
    await clock.advanceAsync(hourMs - directBounds.credentialLeadMs - 1)
    expect(state.obtained).toBe(1)
    await clock.advanceAsync(2)
    expect(state.obtained).toBe(2)
    expect(keeper.current()?.accessKeyId).toBe('KEY2')
  })

  test('serves the old ones while renewing fails, until they end', async () => {
    const { clock, keeper, state } = keeperOf(hourMs)
    await keeper.renew()
    state.failing = true
    await clock.advanceAsync(hourMs - 1)
    expect(keeper.current()?.accessKeyId).toBe('KEY1')
    // Tried again and again, but not more often than allowed.
    expect(state.obtained).toBeGreaterThan(2)
    expect(state.obtained).toBeLessThanOrEqual(2 + directBounds.credentialLeadMs / directBounds.credentialRetryMs)
    await clock.advanceAsync(1)
    expect(keeper.current()).toBeNull()
    state.failing = false
    await clock.advanceAsync(directBounds.credentialRetryMs)
    expect(keeper.current()).not.toBeNull()
  })

  test('asks once for all who wait', async () => {
    const { keeper, state } = keeperOf(null)
    const all = await Promise.all([keeper.renew(), keeper.renew(), keeper.renew()])
    expect(state.obtained).toBe(1)
    expect(new Set(all).size).toBe(1)
  })

  test('credentials without an end are never renewed by themselves', async () => {
    const { clock, keeper, state } = keeperOf(null)
    await keeper.renew()
    await clock.advanceAsync(100 * hourMs)
    expect(state.obtained).toBe(1)
    expect(clock.pending()).toBe(0)
  })

  test('a machine that slept past the end finds its credentials ended', async () => {
    const { clock, keeper } = keeperOf(hourMs)
    await keeper.renew()
    clock.jumpWallClock(2 * hourMs)
    expect(keeper.current()).toBeNull()
  })

  test('refused ones are not offered while others are fetched, and fetched only once in a while', async () => {
    const { clock, keeper, state } = keeperOf(null)
    const first = await keeper.renew()
    keeper.refused(first)
    expect(keeper.current()).toBeNull()
    const second = await keeper.renew()
    expect(state.obtained).toBe(2)
    keeper.refused(first)
    keeper.refused(second)
    expect(keeper.current()).toBe(second)
    expect(state.obtained).toBe(2)
    await clock.advanceAsync(directBounds.credentialRetryMs)
    keeper.refused(second)
    await clock.advanceAsync(1)
    expect(state.obtained).toBe(3)
  })

  test('a closed one leaves nothing running', async () => {
    const { clock, keeper } = keeperOf(hourMs)
    await keeper.renew()
    expect(clock.pending()).toBe(1)
    keeper.close()
    expect(clock.pending()).toBe(0)
    expect(keeper.current()).toBeNull()
  })
})
