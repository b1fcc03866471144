import { expect, it } from 'vitest'
import { createVirtualClock, type VirtualClock } from '../../runtime/virtual-clock.ts'
import type { AddToCount, SharedCount, SharedCounts } from '../shared-counts.ts'
import { createSharedRates, roundMs } from './shared-rates.ts'

interface CountsInMemory extends SharedCounts {
  readonly asked: AddToCount[]
  away: boolean
}

/** Counts of all instances, in memory, that can be away. */
function countsInMemory(): CountsInMemory {
  const totals = new Map<string, number>()
  const counts: CountsInMemory = {
    asked: [],
    away: false,
    add(what) {
      if (counts.away) return Promise.reject(new Error('away'))
      counts.asked.push(what)
      totals.set(what.key, (totals.get(what.key) ?? 0) + what.points)
      return Promise.resolve({ count: totals.get(what.key) ?? 0, endsInMs: what.windowMs })
    },
    close: () => Promise.resolve(),
  }
  return counts
}

function instance(counts: SharedCounts, clock: VirtualClock) {
  const rates = createSharedRates(counts, clock)
  const taken: SharedCount[] = []
  const ask = (times: number, caller = 'alice'): void => {
    for (let time = 0; time < times; time += 1) rates.note({ policy: '100/60000', caller, windowMs: 60_000, take: (of) => taken.push(of) })
  }
  return { rates, taken, ask }
}

it('what several instances let in is added up in rounds, one addition for each caller', async () => {
  const [clock, counts] = [createVirtualClock(), countsInMemory()]
  const [one, two] = [instance(counts, clock), instance(counts, clock)]
  one.ask(30)
  two.ask(20)
  one.ask(1, 'bob')
  expect(counts.asked).toEqual([])
  await clock.advanceAsync(roundMs)
  expect(counts.asked.map(({ points }) => points).toSorted((a, b) => a - b)).toEqual([1, 20, 30])
  expect(one.taken[0]?.count).toBe(30)
  expect(two.taken[0]?.count).toBe(50)
  expect(counts.asked.every(({ key }) => !key.includes('alice'))).toBe(true)
  expect(clock.pending()).toBe(0)
})

it('with the store away nothing waits and nothing is lost: it is added when the store is back', async () => {
  const [clock, counts] = [createVirtualClock(), countsInMemory()]
  const one = instance(counts, clock)
  counts.away = true
  one.ask(5)
  await clock.advanceAsync(10 * roundMs)
  one.ask(2)
  counts.away = false
  await clock.advanceAsync(2 * roundMs)
  expect(counts.asked.map(({ points }) => points)).toEqual([7])
  expect(one.taken.at(-1)?.count).toBe(7)
})

it('what a window that is over would have counted is forgotten', async () => {
  const [clock, counts] = [createVirtualClock(), countsInMemory()]
  const one = instance(counts, clock)
  counts.away = true
  one.ask(5)
  await clock.advanceAsync(70_000)
  counts.away = false
  await clock.advanceAsync(10_000)
  expect(counts.asked).toEqual([])
  expect(clock.pending()).toBe(0)
})

it('what is asked while an answer is on its way is part of what replaces the local count', async () => {
  const clock = createVirtualClock()
  let answer: (count: SharedCount) => void = () => undefined
  const one = instance({ add: () => new Promise((resolve) => (answer = resolve)), close: () => Promise.resolve() }, clock)
  one.ask(3)
  await clock.advanceAsync(roundMs)
  one.ask(2)
  answer({ count: 40, endsInMs: 1_000 })
  await clock.advanceAsync(0)
  expect(one.taken).toEqual([{ count: 42, endsInMs: 1_000 }])
  one.rates.close()
  expect(clock.pending()).toBe(0)
})
