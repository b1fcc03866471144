import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sleep } from './clock.ts'
import { createVirtualClock } from './virtual-clock.ts'

describe('virtual clock', () => {
  it('makes calls in the order of their instants, whatever the order of scheduling', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 }), (instants) => {
        const clock = createVirtualClock()
        const made: { atMs: number; order: number }[] = []
        for (const [order, atMs] of instants.entries()) clock.schedule(atMs, () => made.push({ atMs, order }))
        clock.advance(50)
        expect(made).toEqual(instants.map((atMs, order) => ({ atMs, order })).sort((a, b) => a.atMs - b.atMs || a.order - b.order))
        expect(clock.pending()).toBe(0)
      }),
    )
  })

  it('makes only the calls that were not cancelled', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean()), { maxLength: 40 }), (entries) => {
        const clock = createVirtualClock()
        let made = 0
        const cancels = entries.map(([atMs]) => clock.schedule(atMs, () => (made += 1)))
        for (const [index, [, cancelled]] of entries.entries()) if (cancelled) cancels[index]?.()
        clock.advance(20)
        expect(made).toBe(entries.filter(([, cancelled]) => !cancelled).length)
      }),
    )
  })

  it('makes a call that a call has scheduled in the same advance', () => {
    const clock = createVirtualClock()
    const seen: number[] = []
    clock.schedule(10, () => {
      seen.push(clock.monotonicMs())
      clock.schedule(15, () => seen.push(clock.monotonicMs()))
    })
    clock.advance(20)
    expect(seen).toEqual([10, 15])
    expect(clock.monotonicMs()).toBe(20)
  })

  it('moves the wall clock without moving durations when the wall clock jumps', () => {
    const clock = createVirtualClock(1_000)
    clock.jumpWallClock(-600)
    expect(clock.nowMs()).toBe(400)
    expect(clock.monotonicMs()).toBe(0)
  })

  it('lets a sleeper wake in virtual time', async () => {
    const clock = createVirtualClock()
    let awake = false
    const sleeping = sleep(clock, 100).then(() => (awake = true))
    await clock.advanceAsync(99)
    expect(awake).toBe(false)
    await clock.advanceAsync(1)
    await sleeping
    expect(awake).toBe(true)
  })

  it('rejects a sleeper whose signal is aborted and leaves no timer', async () => {
    const clock = createVirtualClock()
    const controller = new AbortController()
    const sleeping = sleep(clock, 100, controller.signal)
    controller.abort(new Error('enough'))
    await expect(sleeping).rejects.toThrow('enough')
    expect(clock.pending()).toBe(0)
  })
})
