import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../operation/converse.ts'
import type { OperationResult } from '../operation/result.ts'
import type { Follower } from './event-log.ts'
import type { OperationEvent } from './operation-event.ts'
import type { VirtualClock } from '../runtime/virtual-clock.ts'
import { keyed, setUpInstances } from './testing/instances.ts'
import type { Step } from './testing/scripted-runner.ts'

type Instance = ReturnType<ReturnType<typeof setUpInstances>['instance']>

const reader = { tenant: null }
const words = ['one ', 'two ', 'three ', 'four ', 'five']
const slowly: readonly Step[] = [...words.map((text): Step => ({ afterMs: 1_000, text })), { afterMs: 1_000, succeed: true }]
/** One that never comes to its end, because its process dies before. */
const cutOff = slowly.slice(0, 3)
const streamed = { ...keyed, mode: 'stream' } as const

/** Reads whatever there is whenever it is woken. */
function listening(begin: (wake: () => void) => Follower): { readonly events: OperationEvent[]; readonly follower: Follower } {
  const events: OperationEvent[] = []
  const follower = begin(() => events.push(...follower.read(1_000)))
  events.push(...follower.read(1_000))
  return { events, follower }
}

async function followed(here: Instance, clock: VirtualClock, id: string, afterId: number): Promise<{ readonly events: OperationEvent[]; readonly follower: Follower }> {
  let wake: () => void = () => undefined
  const follower = await here.intake.follow(reader, id, afterId, () => wake())
  const heard = listening((woken) => {
    wake = woken
    return follower
  })
  await clock.advanceAsync(10)
  return heard
}

const textOf = (events: readonly OperationEvent[]): string => events.map((event) => (event.type === 'text' ? event.text : '')).join('')
const kinds = (events: readonly OperationEvent[]): readonly unknown[] => events.map(({ type, id }) => [type, id])
const everything = [['decision', 1], ...words.map((_, index) => ['text', index + 2]), ['result', 7]]

describe('a stream that runs on another instance', () => {
  it('is told to a repeat of its key as it comes, with the same numbers', async () => {
    const { clock, instance, draft } = setUpInstances()
    const there = instance('there', slowly)
    const here = instance('here')
    const ticket = await there.intake.submit(draft(streamed))
    const first = listening((wake) => ticket.follow(0, wake))
    await clock.advanceAsync(1_500)
    const repeat = await here.intake.submit(draft(streamed))
    expect(repeat.id).toBe(ticket.id)
    const second = listening((wake) => repeat.follow(0, wake))
    await clock.advanceAsync(1_000)
    expect(textOf(second.events)).toBe('one two ')
    expect(second.follower).toMatchObject({ done: false, hasContent: true, result: undefined })
    await clock.advanceAsync(5_000)
    expect(kinds(second.events)).toEqual(everything)
    expect(second.events).toEqual(first.events)
    expect(second.follower).toMatchObject({ done: true, result: { id: ticket.id, status: 'succeeded' } })
    expect(here.runner.started).toEqual([])
  })

  it('is followed by its id from the event that a client has reached', async () => {
    const { clock, instance, draft } = setUpInstances()
    const there = instance('there', slowly)
    const here = instance('here')
    const { id } = await there.intake.submit(draft({ mode: 'stream' }))
    await clock.advanceAsync(3_500)
    const { events } = await followed(here, clock, id, 2)
    expect(textOf(events)).toBe('two three ')
    await clock.advanceAsync(5_000)
    expect(kinds(events)).toEqual(everything.slice(2))
  })

  it('is told without a gap and without a word twice although every third word between the instances is lost', async () => {
    const { clock, instance, draft, hub } = setUpInstances()
    const there = instance('there', slowly)
    const here = instance('here')
    let said = 0
    hub.loses = (message) => about(message) === 'events' && (said += 1) % 3 === 0
    const ticket = await there.intake.submit(draft(streamed))
    await clock.advanceAsync(100)
    const repeat = await here.intake.submit(draft(streamed))
    const { events } = listening((wake) => repeat.follow(0, wake))
    await clock.advanceAsync(15_000)
    expect(said).toBeGreaterThan(6)
    expect(textOf(events)).toBe(words.join(''))
    expect(events.at(-1)).toMatchObject({ type: 'result', result: { id: ticket.id, status: 'succeeded' } })
  })

  it('goes on after its instance has died, told anew from where it is resumed', async () => {
    const { clock, instance, draft } = setUpInstances()
    const there = instance('there', cutOff)
    there.begin()
    const here = instance('here')
    await there.intake.submit(draft({ ...streamed, type: 'background_task' }))
    await clock.advanceAsync(1_500)
    const repeat = await here.intake.submit(draft({ ...streamed, type: 'background_task' }))
    const { events, follower } = listening((wake) => repeat.follow(0, wake))
    await clock.advanceAsync(1_000)
    there.die()
    here.begin()
    await clock.advanceAsync(20_000)
    expect(here.runner.started).toHaveLength(1)
    const restart = events.findIndex((event) => event.type === 'attempt' && event.notice.restart)
    expect(textOf(events.slice(0, restart))).toBe('one two ')
    expect(textOf(events.slice(restart))).toBe('Hi')
    expect(events.at(-1)).toMatchObject({ type: 'result', result: { status: 'succeeded' } })
    expect(follower.done).toBe(true)
  })

  it('that a client reads too slowly is told as a whole at its end', async () => {
    const { clock, instance, draft } = setUpInstances()
    const long = 'x'.repeat(60_000)
    const there = instance('there', [{ afterMs: 1_000, text: long }, { afterMs: 1_000, text: long }, { afterMs: 1_000, text: 'end' }, { afterMs: 1_000, succeed: true }])
    const here = instance('here')
    await there.intake.submit(draft(streamed))
    await clock.advanceAsync(100)
    const repeat = await here.intake.submit(draft(streamed))
    const follower = repeat.follow(0, () => undefined)
    await clock.advanceAsync(2_500)
    expect(follower.behind).toBe(true)
    expect(follower.read(1_000)).toEqual([])
    await clock.advanceAsync(5_000)
    const events = follower.read(1_000)
    expect(textOf(events)).toBe(`${long}${long}end`)
    expect(events.at(-1)).toMatchObject({ type: 'result' })
    expect(follower.done).toBe(true)
  })
})

describe('an operation without a key that runs on another instance', () => {
  it.each(['sync', 'stream'] as const)('(%s) is read and cancelled like one that runs here', async (mode) => {
    const { clock, instance, draft } = setUpInstances()
    const there = instance('there', slowly)
    const here = instance('here')
    instance('third')
    const ticket = await there.intake.submit(draft({ mode }))
    const results: OperationResult[] = []
    ticket.whenSettled((result) => results.push(result))
    await clock.advanceAsync(1_500)
    expect(await here.intake.get(reader, ticket.id)).toMatchObject({ id: ticket.id, status: 'running' })
    expect(await here.intake.cancel(reader, ticket.id)).toMatchObject({ id: ticket.id, status: 'cancelled' })
    expect(there.runner.cancelled).toEqual([{ id: ticket.id, reason: 'requested' }])
    expect(results).toMatchObject([{ status: 'cancelled' }])
    await clock.advanceAsync(100)
    expect(await here.intake.get(reader, ticket.id)).toMatchObject({ status: 'cancelled' })
  })

  it('looks like none to another tenant', async () => {
    const { clock, instance, draft } = setUpInstances()
    const there = instance('there', slowly)
    const here = instance('here')
    const { id } = await there.intake.submit(draft({ mode: 'sync', tenant: 'acme' }))
    for (const ask of [here.intake.get({ tenant: 'other' }, id), here.intake.cancel({ tenant: 'other' }, id), here.intake.follow({ tenant: 'other' }, id, 0, () => undefined)]) {
      await expect(ask).rejects.toMatchObject({ code: 'not_found' })
    }
    await clock.advanceAsync(10)
    expect(there.runner.cancelled).toEqual([])
  })

  it('and is nowhere to be found is not found, soon', async () => {
    const { clock, instance } = setUpInstances()
    instance('there', slowly)
    const here = instance('here')
    const asked = expect(here.intake.get(reader, 'op_00000000000000000000009999')).rejects.toMatchObject({ code: 'not_found' })
    await clock.advanceAsync(250)
    await asked
    await expect(here.intake.get(reader, 'made-up')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('ends as expired for its followers when its instance dies', async () => {
    const { clock, instance, draft } = setUpInstances()
    const there = instance('there', cutOff)
    const here = instance('here')
    const { id } = await there.intake.submit(draft({ mode: 'stream' }))
    await clock.advanceAsync(1_500)
    const { events, follower } = await followed(here, clock, id, 0)
    there.die()
    await clock.advanceAsync(30_000)
    expect(textOf(events)).toBe('one ')
    expect(events.at(-1)).toMatchObject({ type: 'error', problem: { code: 'deadline_exceeded' } })
    expect(follower).toMatchObject({ done: true, result: { status: 'expired', reason: 'caller_gone' } })
  })
})

/** What an instance says to another about an operation's events. */
function about(message: JsonValue): unknown {
  return (message as { readonly word?: unknown }).word
}
