import { describe, expect, it } from 'vitest'
import type { DecisionReason } from '../operation/decision.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { EventCounter } from './event-counter.ts'
import { fallbackRate } from './readings.ts'
import { Tally } from './tally.ts'
import { eventsOf } from './testing/happenings.ts'

function rateAfter(reason: DecisionReason): number | null {
  const tally = new Tally()
  const counter = new EventCounter()
  const happened = eventsOf({ operation: 'standard_analysis', route: 'direct', target: 'frankfurt', status: 'succeeded', slaMet: true, fallbackUsed: true, hedged: false, totalMs: 100, fault: null, gapMs: 0 }, 0)
  for (const event of happened) {
    const changed: SystemEvent = event.type === 'operation_ended' ? { ...event, result: { ...event.result, decision: { route: 'direct', target: 'frankfurt', reason, alternatives: [] } } } : event
    counter.count(tally, changed)
  }
  return fallbackRate(tally)
}

describe('the fallback rate', () => {
  it.each<[DecisionReason, number, string]>([
    ['primary_unavailable', 1, 'a path that fails is what the rate is about'],
    ['matrix', 1, 'and one that failed after the decision'],
    ['primary_not_configured', 0, 'an installation without MCP servers is as it was meant to be'],
  ])('after %s is %d: %s', (reason, rate) => {
    expect(rateAfter(reason)).toBe(rate)
  })
})
