import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import { LimitTimer } from './limit-timer.ts'

function timerOf() {
  const clock = createVirtualClock()
  const met: [string, number][] = []
  let scheduled = 0
  const counting: Clock = {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    schedule(atMs, callback): CancelSchedule {
      scheduled += 1
      return clock.schedule(atMs, callback)
    },
  }
  const timer = new LimitTimer(counting, (limit) => met.push([limit, clock.monotonicMs()]))
  return { clock, timer, met, scheduled: () => scheduled }
}

describe('the limits of an attempt', () => {
  test('the phase ends it when it comes first, the deadline when that does', () => {
    const first = timerOf()
    first.timer.begin('connect', 100, 500)
    first.clock.advance(1_000)
    expect(first.met).toEqual([['connect', 100]])
    const second = timerOf()
    second.timer.begin('silence', 900, 500)
    second.clock.advance(1_000)
    expect(second.met).toEqual([['deadline', 500]])
  })

  test('a phase that is entered in time replaces the one before, whether its limit is later or earlier', () => {
    const { clock, timer, met } = timerOf()
    timer.begin('connect', 100, 10_000)
    clock.advance(90)
    timer.enter('first_byte', 5_000)
    clock.advance(100)
    timer.enter('silence', 200)
    clock.advance(50)
    expect(met).toEqual([['silence', 200]])
    expect(clock.pending()).toBe(0)
  })

  test('a thousand events within the silence limit cost a handful of timers', () => {
    const { clock, timer, met, scheduled } = timerOf()
    timer.begin('silence', 1_000, 1_000_000)
    for (let event = 0; event < 1_000; event += 1) {
      clock.advance(5)
      timer.enter('silence', clock.monotonicMs() + 1_000)
    }
    expect(met).toEqual([])
    expect(scheduled()).toBeLessThan(10)
    clock.advance(999)
    expect(met).toEqual([])
    clock.advance(1)
    expect(met).toEqual([['silence', 6_000]])
  })

  test('is silent once it is stopped', () => {
    const { clock, timer, met } = timerOf()
    timer.begin('connect', 100, 200)
    timer.stop()
    timer.enter('silence', 50)
    clock.advance(1_000)
    expect(met).toEqual([])
    expect(clock.pending()).toBe(0)
  })
})
