import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OperationResult } from '../operation/result.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { createEventStream, type EventStream } from '../runtime/event-stream.ts'
import { createVirtualClock, type VirtualClock } from '../runtime/virtual-clock.ts'
import { createMemoryStateStore } from '../store/adapters/memory-state-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { StoreError } from '../store/store-error.ts'
import { roundMs, startMetricsRecorder, type MetricsRecorder } from './metrics-recorder.ts'
import { errorBreakdown, errorRate, fallbackRate, routingDistribution, slaAttainment, successRateOfRoute } from './readings.ts'
import { eventsOf, type Happening, happenings } from './testing/happenings.ts'

const dayMs = 24 * 3_600_000

interface Running {
  readonly clock: VirtualClock
  readonly events: EventStream<SystemEvent>
  readonly recorder: MetricsRecorder
}

function start(store: Pick<StateStore, 'put' | 'list'>, clock: VirtualClock, instance: string): Running {
  const events = createEventStream<SystemEvent>((error) => {
    throw error
  })
  return { clock, events, recorder: startMetricsRecorder({ clock, events, store, instance }) }
}

function happen(running: Running, happening: Partial<Happening> = {}): void {
  for (const event of eventsOf({ operation: 'emergency', route: 'direct', target: 'frankfurt', status: 'succeeded', slaMet: true, fallbackUsed: false, hedged: false, totalMs: 100, fault: null, gapMs: 0, ...happening }, running.clock.nowMs())) {
    running.events.publish(event)
  }
}

describe('the figures', () => {
  it('equal a plain recount of the events, whatever happened and when', () => {
    fc.assert(
      fc.property(happenings, (list) => {
        const clock = createVirtualClock()
        const running = start(createMemoryStateStore(clock), clock, 'a')
        const results: OperationResult[] = []
        for (const happening of list) {
          clock.advance(happening.gapMs)
          for (const event of eventsOf(happening, clock.nowMs())) {
            if (event.type === 'operation_ended') results.push(event.result)
            running.events.publish(event)
          }
        }
        const window = running.recorder.window(dayMs)
        const count = (keep: (result: OperationResult) => boolean): number => results.filter(keep).length
        const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)
        const wrong = count((result) => (result.status === 'failed' && result.error?.code !== 'invalid_request') || result.status === 'expired')
        const sound = wrong + count((result) => result.status === 'succeeded')

        expect(window.sum('operations')).toBe(results.length)
        expect(errorRate(window)).toBe(share(wrong, sound))
        expect(fallbackRate(window)).toBe(share(count((result) => result.fallbackUsed), results.length))
        expect(slaAttainment(window)).toBe(share(count((result) => result.slaMet), sound))
        expect(routingDistribution(window).byRoute).toEqual({ direct: count((result) => result.route === 'direct'), mcp: count((result) => result.route === 'mcp'), none: count((result) => result.route === null) })
        const attempts = results.flatMap((result) => result.attempts)
        for (const route of ['direct', 'mcp'] as const) {
          const telling = attempts.filter((attempt) => attempt.route === route && attempt.outcome !== 'cancelled')
          expect(successRateOfRoute(window, route)).toBe(share(telling.filter((attempt) => attempt.outcome === 'succeeded').length, telling.length))
        }
        expect(errorBreakdown(window).reduce((sum, row) => sum + row.count, 0)).toBe(attempts.filter((attempt) => attempt.error !== undefined).length)
        const answered = results.filter((result) => result.status === 'succeeded')
        expect(window.distribution('operation_latency').count).toBe(answered.length)
        expect(window.distribution('operation_latency').sum).toBeCloseTo(answered.reduce((sum, result) => sum + result.latency.totalMs, 0), 3)
        expect(window.sum('tokens', { direction: 'output' })).toBe(results.reduce((sum, result) => sum + (result.usage?.outputTokens ?? 0), 0))
        expect(running.recorder.totals().sum('operations')).toBe(results.length)
      }),
      { numRuns: 60 },
    )
  })

  it('of a short window leave out what happened before it', () => {
    const clock = createVirtualClock()
    const running = start(createMemoryStateStore(clock), clock, 'a')
    happen(running)
    clock.advance(10 * 60_000)
    happen(running)
    expect(running.recorder.window(300_000).sum('operations')).toBe(1)
    expect(running.recorder.window(3_600_000).sum('operations')).toBe(2)
  })
})

describe('a restart', () => {
  it('keeps the night: the new process reads what the old one counted, to the last operation before an orderly end', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const before = start(store, clock, 'first-life')
    happen(before)
    await clock.advanceAsync(8 * 3_600_000)
    happen(before, { status: 'failed' })
    await clock.advanceAsync(1_234)
    happen(before)
    await before.recorder.stop()
    const after = start(store, clock, 'second-life')
    await clock.advanceAsync(1)
    happen(after)
    expect(after.recorder.status().restored).toBe(true)
    expect(after.recorder.window(dayMs).sum('operations')).toBe(4)
    expect(after.recorder.window(dayMs).sum('operations', { status: 'failed' })).toBe(1)
    expect(after.recorder.window(dayMs, 'instance').sum('operations')).toBe(1)
    expect(after.recorder.totals().sum('operations')).toBe(1)
  })

  it('without warning loses at most what was counted since the last round', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const before = start(store, clock, 'killed')
    happen(before)
    await clock.advanceAsync(roundMs + 1)
    happen(before)
    const after = start(store, clock, 'next')
    await clock.advanceAsync(1)
    expect(after.recorder.window(dayMs).sum('operations')).toBe(1)
  })

  it('forgets what is older than a day, in memory and in the store', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const before = start(store, clock, 'old')
    happen(before)
    await clock.advanceAsync(roundMs)
    await before.recorder.stop()
    await clock.advanceAsync(26 * 3_600_000)
    expect(await store.list('metrics', { limit: 10 })).toEqual([])
    const after = start(store, clock, 'new')
    await clock.advanceAsync(1)
    expect(after.recorder.window(dayMs).sum('operations')).toBe(0)
  })
})

describe('several instances on one store', () => {
  it('each shows the sum of all, and its own on request, never counting a minute twice', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const fleet = [start(store, clock, 'a'), start(store, clock, 'b'), start(store, clock, 'c')]
    let happened = 0
    for (let step = 0; step < 198; step += 1) {
      const running = fleet[step % 3]
      if (running !== undefined) happen(running)
      happened += 1
      await clock.advanceAsync(4_321)
    }
    await clock.advanceAsync(2 * roundMs)
    for (const { recorder } of fleet) {
      expect(recorder.window(dayMs).sum('operations')).toBe(happened)
      expect(recorder.window(dayMs).distribution('operation_latency').count).toBe(happened)
      expect(recorder.window(dayMs, 'instance').sum('operations')).toBe(Math.round(happened / 3))
      expect(recorder.status().others.length).toBe(2)
    }
    // Hours later the minutes are settled; the sum is still the sum.
    await clock.advanceAsync(3 * 3_600_000)
    for (const { recorder } of fleet) expect(recorder.window(dayMs).sum('operations')).toBe(happened)
  })
})

describe('a store that fails', () => {
  it('is counted, delays nothing, and is caught up with once it is back', async () => {
    const clock = createVirtualClock()
    const memory = createMemoryStateStore(clock)
    let broken = true
    const store: Pick<StateStore, 'put' | 'list'> = {
      put: (...given) => (broken ? Promise.reject(new StoreError('unavailable', 'no disk')) : memory.put(...given)),
      list: (...given) => (broken ? Promise.reject(new StoreError('unavailable', 'no disk')) : memory.list(...given)),
    }
    const running = start(store, clock, 'a')
    for (let minute = 0; minute < 90; minute += 1) {
      happen(running)
      await clock.advanceAsync(60_000)
    }
    expect(running.recorder.window(dayMs).sum('operations')).toBe(90)
    expect(running.recorder.status()).toMatchObject({ restored: false, lastError: 'no disk', unwritten: 90 })
    expect(running.recorder.status().failuresInRow).toBeGreaterThan(500)
    broken = false
    await clock.advanceAsync(3 * roundMs)
    expect(running.recorder.status()).toMatchObject({ restored: true, failuresInRow: 0, unwritten: 0 })
    const after = start(store, clock, 'b')
    await clock.advanceAsync(1)
    expect(after.recorder.window(dayMs).sum('operations')).toBe(90)
  })

  it('by hanging holds up one round and no more, and not the end of the process', async () => {
    const clock = createVirtualClock()
    const store: Pick<StateStore, 'put' | 'list'> = { put: () => new Promise(() => undefined), list: () => new Promise(() => undefined) }
    const running = start(store, clock, 'a')
    happen(running)
    await clock.advanceAsync(5 * roundMs)
    expect(running.recorder.status().skippedRounds).toBe(5)
    let stopped = false
    void running.recorder.stop().then(() => {
      stopped = true
    })
    await clock.advanceAsync(2_000)
    expect(stopped).toBe(true)
    expect(clock.pending()).toBe(0)
  })
})

it('a wall clock that jumps neither loses nor doubles what is counted', async () => {
  const clock = createVirtualClock()
  const running = start(createMemoryStateStore(clock), clock, 'a')
  happen(running)
  clock.jumpWallClock(-3_600_000)
  happen(running)
  clock.jumpWallClock(3_600_000)
  happen(running)
  await clock.advanceAsync(roundMs)
  expect(running.recorder.window(dayMs).sum('operations')).toBe(3)
  expect(running.recorder.totals().sum('operations')).toBe(3)
})
