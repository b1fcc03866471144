import { describe, expect, it } from 'vitest'
import { ratio, typical, type Measurement } from './figures.ts'
import { goals, judge, type Goal } from './goals.ts'
import { renderRun } from './render.ts'
import { beginMark, endMark, withReport } from './results-file.ts'

const titles = { bare: 'bare', portkey: 'Portkey', hybrid: 'ours' }

function measured(subject: Measurement['subject'], round: number, figures: Record<string, number>, failed = 0): Measurement {
  return { scenario: 'throughput', subject, round, figures, failed, failures: failed > 0 ? ['status 503'] : [] }
}

/** A machine that is half as fast in the second round. */
const run = [
  measured('portkey', 1, { requestsPerSecond: 1000, p99Ms: 80 }),
  measured('hybrid', 1, { requestsPerSecond: 7000, p99Ms: 10, cpuPerRequestUs: 115 }),
  measured('portkey', 2, { requestsPerSecond: 500, p99Ms: 160 }),
  measured('hybrid', 2, { requestsPerSecond: 3500, p99Ms: 20, cpuPerRequestUs: 115 }),
]

function goalOf(title: string): Goal {
  const found = goals.find((one) => one.title === title)
  if (found === undefined) throw new Error(`no goal ${title}`)
  return found
}

describe('figures of a run', () => {
  it('compare within a round, so that a slow round does not move the ratio', () => {
    expect(ratio(run, 'throughput', 'requestsPerSecond', 'hybrid', 'portkey')).toBe(7)
    expect(typical(run, 'throughput', 'hybrid', 'requestsPerSecond')).toBe(5250)
  })
  it('of a subject that was not measured are not numbers', () => {
    expect(ratio(run, 'throughput', 'requestsPerSecond', 'hybrid', 'bare')).toBeNaN()
  })
})

describe('a goal', () => {
  it('is reached on its bound when the bound is included', () => {
    expect(judge(goalOf('CPU per request, as asked of the direct path alone'), run).verdict).toBe('reached')
  })
  it('is missed when a request failed, however fast the others were', () => {
    expect(judge(goalOf('requests per second per core, against Portkey, with everything on'), [...run, measured('hybrid', 3, {}, 1)]).verdict).toBe('missed')
  })
  it('that was not measured is never reached', () => {
    expect(judge(goalOf('start to ready'), run).verdict).toBe('not measured')
  })
})

describe('the report', () => {
  it('shows a row for each subject that was measured and no table for a scenario that was not', () => {
    const text = renderRun(run, titles, ['a fact'])
    expect(text).toContain('| ours | 5,250 | 115.0 | – | 15.00 | – | – | 7.00x | – | 0 |')
    expect(text).toContain('Portkey 1,000, 500; ours 7,000, 3,500.')
    expect(text).not.toContain('1,000 concurrent streams, three times')
  })
  it('names what failed', () => {
    expect(renderRun([measured('hybrid', 1, {}, 3)], titles, [])).toContain('- ours, throughput: status 503')
  })
  it('replaces what an earlier run wrote and nothing else', () => {
    const first = withReport(`before\n${beginMark}\nold\n${endMark}\nafter\n`, 'new')
    expect(first).toBe(`before\n${beginMark}\n\nnew\n\n${endMark}\nafter\n`)
    expect(withReport(first, 'newer')).toContain('newer')
    expect(withReport(first, 'newer')).not.toContain('new\n')
  })
})
