import { describe, expect, it } from 'vitest'
import { EventCounter } from './event-counter.ts'
import { prometheusText } from './prometheus-text.ts'
import { Tally } from './tally.ts'
import { eventsOf } from './testing/happenings.ts'

function tallyOf(...durationsMs: readonly number[]): Tally {
  const tally = new Tally()
  const counter = new EventCounter()
  for (const totalMs of durationsMs) {
    for (const event of eventsOf({ operation: 'emergency', route: 'direct', target: 'frankfurt', status: 'succeeded', slaMet: true, fallbackUsed: false, hedged: false, totalMs, fault: null, gapMs: 0 }, 0)) counter.count(tally, event)
  }
  return tally
}

describe('the text for Prometheus', () => {
  it('has every line in the exposition format, each family described once and in one piece', () => {
    const text = prometheusText(tallyOf(3, 70, 5_000), [{ name: 'up', help: 'Up.', samples: [{ labels: { a: 'b\\"\n' }, value: Number.NaN }] }])
    const line = /^(?:# HELP [a-z_]+ .+|# TYPE [a-z_]+ (?:counter|gauge|histogram)|[a-z_]+(?:\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (?:NaN|[-+]?Inf|[-+0-9.e]+))$/
    for (const one of text.trimEnd().split('\n')) expect(one).toMatch(line)
    const described = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1])
    expect(new Set(described).size).toBe(described.length)
    expect(text.endsWith('\n')).toBe(true)
  })

  it('has buckets that count exactly what is at or below their bound, in seconds', () => {
    const text = prometheusText(tallyOf(1, 2, 2.0001, 64, 64.5, 131_072, 200_000), [])
    const bucket = (bound: string): number => Number(new RegExp(`latency_seconds_bucket\\{[^}]*le="${bound.replace('.', '\\.').replace('+', '\\+')}"\\} (\\d+)`).exec(text)?.[1])
    expect(['0.001', '0.002', '0.004', '0.064', '0.128', '131.072', '+Inf'].map(bucket)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(text).toMatch(/latency_seconds_count\{[^}]*\} 7$/m)
  })
})
