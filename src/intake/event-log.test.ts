import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OperationResult } from '../operation/result.ts'
import { resultOf } from '../operation/testing/result.ts'
import { EventLog } from './event-log.ts'
import type { OperationEvent } from './operation-event.ts'
import { decision } from './testing/scripted-runner.ts'

const result = (text: string): OperationResult =>
  resultOf({
    output: { text, message: { role: 'assistant', content: [{ text }] }, stopReason: 'end_turn' },
    attempts: [{ number: 2, route: 'direct', target: 'ireland', reason: 'restart', startMs: 0, durationMs: 1, outcome: 'succeeded' }],
    decision,
  })

const restart = { number: 2, route: 'direct', target: 'ireland', reason: 'restart', restart: true } as const
const roomy = { events: 10_000, characters: 1_000_000 }

/** What a client has at the end: a restart throws away what it had. */
function textOf(before: string, events: readonly OperationEvent[]): string {
  let text = before
  for (const event of events) {
    if (event.type === 'attempt' && event.notice.restart) text = ''
    if (event.type === 'text') text += event.text
  }
  return text
}

describe('the event log', () => {
  it('a follower that comes at any time, reads in any portions and resumes anywhere has the whole text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 20, arbitrary: fc.string({ maxLength: 5 }) }, { weight: 1, arbitrary: fc.constant(null) }), { maxLength: 400 }),
        fc.nat(500),
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(roomy, { events: 40, characters: 1_000_000 }, { events: 10_000, characters: 100 }),
        (steps, resumeAfter, portion, limits) => {
          const log = new EventLog(limits)
          let final = ''
          let seen = ''
          let seenId = 0
          log.decided(decision)
          const first = log.follow(0, () => undefined)
          for (const step of steps) {
            if (step === null) {
              log.attempted(restart)
              final = ''
            } else {
              log.told({ text: step })
              final += step
            }
            if (log.lastId <= resumeAfter) {
              for (const event of first.read(portion)) {
                seen = textOf(seen, [event])
                seenId = event.id ?? seenId
              }
            }
          }
          log.ended(result(final), false)
          const second = log.follow(seenId, () => undefined)
          while (!second.done) seen = textOf(seen, second.read(portion))
          expect(seen).toBe(final)
        },
      ),
    )
  })

  it('numbers have no gap and follow the order of telling', () => {
    const log = new EventLog(roomy)
    log.decided(decision)
    for (let count = 0; count < 5; count += 1) log.told({ text: 'x' })
    log.ended(result('xxxxx'), false)
    expect(log.after(0, 1_000).map((event) => [event.type, event.id])).toEqual([['decision', 1], ['text', 2], ['text', 3], ['text', 4], ['text', 5], ['text', 6], ['result', 7]])
  })

  it('joins small pieces, and still resumes between two of them', () => {
    const log = new EventLog(roomy)
    for (let count = 0; count < 1_000; count += 1) log.told({ text: `${count},` })
    const events = log.after(0, 1_000_000)
    expect(events.length).toBeLessThan(100)
    expect(textOf('', log.after(500, 1_000_000))).toBe(Array.from({ length: 500 }, (_, index) => `${index + 500},`).join(''))
  })

  it('a follower that needs what gave way waits for the end and is then told the whole anew', () => {
    const log = new EventLog({ events: 10_000, characters: 10 })
    for (let count = 0; count < 30; count += 1) log.told({ text: 'x' })
    const follower = log.follow(3, () => undefined)
    expect([follower.behind, follower.read(100)]).toEqual([true, []])
    log.ended(result('x'.repeat(30)), false)
    expect(follower.read(100).map((event) => event.type)).toEqual(['attempt', 'text', 'result'])
  })

  it('a restart makes what was told before void for those who come later', () => {
    const log = new EventLog(roomy)
    log.decided(decision)
    log.told({ text: 'old' })
    log.attempted(restart)
    log.told({ text: 'new' })
    expect(log.after(0, 100).map((event) => event.type)).toEqual(['decision', 'attempt', 'text'])
  })

  it('wakes a follower for every event until it closes', () => {
    const log = new EventLog(roomy)
    let woken = 0
    const follower = log.follow(0, () => (woken += 1))
    log.decided(decision)
    log.told({ text: 'x' })
    follower.close()
    log.told({ text: 'y' })
    expect(woken).toBe(2)
  })
})
