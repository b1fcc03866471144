import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { faultModelNames } from './fault-models.ts'
import { faultFields, parseFaults } from './fault-rule.ts'

const problemsOf = (value: unknown): readonly string[] => {
  const parsed = parseFaults(value)
  return 'problems' in parsed ? parsed.problems.map(({ path, message }) => `${path}: ${message}`) : []
}

describe('fault rules', () => {
  it('every kind is accepted with its defaults, alone or under `faults`', () => {
    const list = Object.keys(faultFields).map((kind) => (kind === 'concurrency' ? { kind, limit: 5 } : { kind }))
    expect(parseFaults(list)).toEqual(parseFaults({ faults: list }))
    expect(problemsOf(list)).toEqual([])
    expect(parseFaults([{ kind: 'cut' }])).toEqual({ rules: [{ kind: 'cut', target: {}, share: 1, fromMs: 0, untilMs: undefined, afterEvents: 3, how: 'reset' }] })
  })

  it.each([
    [7, 'faults: 7 is not a list of rules'],
    [{ fault: [] }, 'fault: is unknown (allowed: faults)'],
    [[{ kind: 'explode' }], 'faults[0].kind: "explode" is not one of latency, slow, throttle, error, refused, reset, hang, stall, midstream, cut, malformed, expired, concurrency'],
    [[{ kind: 'constructor' }], 'faults[0].kind: "constructor" is not one of latency, slow, throttle, error, refused, reset, hang, stall, midstream, cut, malformed, expired, concurrency'],
    [[{ kind: 'hang', share: 2 }], 'faults[0].share: 2 is not a number in [0, 1]'],
    [[{ kind: 'hang', fromMs: 5, untilMs: 5 }], 'faults[0].untilMs: 5 is not above fromMs, 5'],
    [[{ kind: 'cut', afterEvents: 1.5 }], 'faults[0].afterEvents: 1.5 is not a whole number in [0, 100000]'],
    [[{ kind: 'cut', how: 'gently' }], 'faults[0].how: "gently" is not one of reset, end'],
    [[{ kind: 'latency', firstTokenMs: { p50: 9, p99: 3 } }], 'faults[0].firstTokenMs: {"p50":9,"p99":3} is not { p50, p99 } with 0 <= p50 <= p99 <= 86400000'],
    [[{ kind: 'concurrency' }], 'faults[0].limit: is required'],
    [[{ kind: 'hang', factor: 2 }], 'faults[0].factor: is unknown for hang (allowed: target, share, fromMs, untilMs)'],
    [[{ kind: 'refused', target: { region: 'eu-*' } }], 'faults[0].target.region: a connection is refused before its request is read: only port is allowed'],
    [[{ kind: 'hang', target: 'eu' }], 'faults[0].target: "eu" is not an object with region, modelId, operation or port'],
  ])('%j is told with its path, the value and what is allowed', (value, message) => {
    expect(problemsOf(value)).toContain(message)
  })

  it('all mistakes are told at once', () => {
    expect(problemsOf([{ kind: 'slow', factor: 0, share: -1 }, { kind: 'x' }])).toHaveLength(3)
  })

  it('the manual names every kind with its fields, and every fault model', () => {
    const manual = readFileSync(new URL('../../docs/emulator.md', import.meta.url), 'utf8')
    for (const [kind, fields] of Object.entries(faultFields)) {
      const row = manual.split('\n').find((line) => line.startsWith(`| \`${kind}\` |`))
      expect(row, kind).toBeDefined()
      for (const [name, field] of Object.entries(fields)) {
        expect(row, `${kind}.${name}`).toContain(`\`${name}\``)
        expect(row, `${kind}.${name}`).toContain(field.text)
      }
    }
    for (const name of faultModelNames) expect(manual).toContain(`\`fault.${name}\``)
  })
})
