import { expect, it } from 'vitest'
import { queueLimits } from './limits.ts'
import { afterReading, isReadingDue, notBegun, startPace, tryBegin, type Pace } from './pace.ts'

const { pace: limits } = queueLimits

/** Asks as often as it may for a while, on a loop whose load is what the queue and others put on it. */
function run(from: Pace, startMs: number, durationMs: number, isDirectActive: boolean, shareOf: (begunPerSecond: number) => number): { pace: Pace; begun: number; nowMs: number; share: number } {
  let pace = from
  let nowMs = startMs
  let begun = 0
  let begunSinceReading = 0
  let share = 0
  while (nowMs < startMs + durationMs) {
    if (isReadingDue(pace, nowMs)) {
      share = Math.min(1, shareOf((begunSinceReading * 1_000) / (nowMs - pace.readAtMs)))
      begunSinceReading = 0
      pace = afterReading(pace, { busyShare: share, isDirectActive }, nowMs)
    }
    const tried = tryBegin(pace, nowMs)
    pace = tried.pace
    if (tried.waitMs === 0) {
      begun += 1
      begunSinceReading += 1
    } else {
      nowMs += tried.waitMs
    }
  }
  return { pace, begun, nowMs, share }
}

// A message takes a millisecond of the loop.
const alone = (perSecond: number): number => perSecond / 1_000
const besideDirect = (perSecond: number): number => 0.1 + perSecond / 1_000

it('alone a full queue may have all of the loop', () => {
  const settled = run(startPace(0), 0, 3_000, false, alone)
  expect(run(settled.pace, settled.nowMs, 1_000, false, alone).share).toBe(1)
})

it('beside direct operations a full queue leaves the loop idle for its share of the time', () => {
  const settled = run(startPace(0), 0, 3_000, true, besideDirect)
  const { begun, share } = run(settled.pace, settled.nowMs, 2_000, true, besideDirect)
  expect(share).toBeGreaterThan(limits.busyShareBesideDirect - 0.1)
  expect(share).toBeLessThan(limits.busyShareBesideDirect + 0.1)
  expect(begun / 2).toBeCloseTo((limits.busyShareBesideDirect - 0.1) * 1_000, -2)
})

it('it makes room within a fraction of a second of the first direct operation', () => {
  const before = run(startPace(0), 0, 3_000, false, alone)
  const beside = run(before.pace, before.nowMs, 400, true, besideDirect)
  expect(beside.share).toBeLessThan(limits.busyShareBesideDirect + 0.1)
})

it('on a loop that is busy without it the queue still moves', () => {
  const { pace } = run(startPace(0), 0, 5_000, true, () => 1)
  expect(pace.perSecond).toBe(limits.leastPerSecond)
  expect(run(pace, 5_000, 1_000, true, () => 1).begun).toBeGreaterThanOrEqual(limits.leastPerSecond - 1)
})

it('a rate that bounds nothing does not grow', () => {
  let pace = startPace(0)
  for (let nowMs = 100; nowMs < 10_000; nowMs += 100) pace = afterReading(tryBegin(pace, nowMs).pace, { busyShare: 0.01, isDirectActive: false }, nowMs)
  expect(pace.perSecond).toBe(limits.firstPerSecond)
})

it('after a rest no more than a few are begun at once, and what was not begun is not charged', () => {
  let pace = startPace(0)
  let begun = 0
  for (let tried = tryBegin(pace, 60_000); tried.waitMs === 0; tried = tryBegin(pace, 60_000)) {
    pace = tried.pace
    begun += 1
  }
  expect(begun).toBe(limits.atOnce)
  expect(tryBegin(notBegun(pace), 60_000).waitMs).toBe(0)
})
