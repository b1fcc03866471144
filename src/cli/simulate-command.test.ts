import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { IncidentReport } from '../simulate/incident-report.ts'
import { runCommandLine } from './command-line.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulate-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function run(...words: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', '']
  const terminal = {
    environment: {},
    workingDirectory: folder,
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    readInput: () => Promise.resolve(''),
    onSignal: () => () => undefined,
  }
  const code = await runCommandLine(['simulate', ...words], terminal)
  return { code, out, err }
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

describe('hybrid-routing simulate', () => {
  it('prints the incident, the seed, and the share of each operation type', async () => {
    const { code, out } = await run('hang', '--seed', '3')
    expect(code).toBe(0)
    expect(out).toContain('seed 3')
    expect(out).toMatch(/^emergency +\d+ /m)
    expect(out).toContain('Hindsight judged')
  })

  it('gives the same text for the same seed, and another for another', async () => {
    const [one, again, other] = await Promise.all([run('slow', '--seed', '3'), run('slow', '--seed', '3'), run('slow', '--seed', '4')])
    expect(one.out).toBe(again.out)
    expect(one.out).not.toBe(other.out)
  })

  it('compares the routing of two configurations, at the scale of the runbook', async () => {
    const patient = await file('patient.yaml', 'routing: { fallbackAggressiveness: 0, hedging: { enabled: false } }\n')
    const strict = await file('strict.yaml', 'routing: { fallbackAggressiveness: 0.5 }\n')
    const { out } = await run('hang', '--json', '--config', patient, '--config', strict)
    const [report] = JSON.parse(out) as readonly IncidentReport[]
    const inTime = (name: string): number => report?.runs.find((each) => each.name === name)?.figures.all.inTime.hits ?? 0
    expect(report?.runs.map(({ name }) => name)).toEqual([patient, strict, 'peers'])
    expect(inTime(strict)).toBeGreaterThan(inTime(patient))
  })

  it('replays what was recorded', async () => {
    const line = (second: number): string => JSON.stringify({ operation: 'emergency', createdAt: `2026-03-01T00:00:0${second}.000Z`, usage: { outputTokens: 30 }, latency: { basis: 'completion' } })
    const { out } = await run('calm', '--json', '--replay', await file('recorded.jsonl', `${line(1)}\n${line(2)}\n${line(3)}\n`))
    const [report] = JSON.parse(out) as readonly IncidentReport[]
    expect(report?.runs[0]?.figures.byType.emergency?.operations).toBe(3)
  })

  it.each([
    { words: ['lunch'], code: 2, message: 'lunch is no incident; there are all, calm' },
    { words: ['calm', '--seed', 'x'], code: 2, message: 'It is a whole number from 1' },
    { words: ['calm', '--replay', '/nowhere.jsonl'], code: 1, message: '/nowhere.jsonl cannot be read' },
  ])('says what is wrong: $message', async ({ words, code, message }) => {
    const result = await run(...words)
    expect(result.code).toBe(code)
    expect(result.err).toContain(message)
  })

  it('names the configuration that is wrong', async () => {
    const path = await file('wrong.yaml', 'routing: { hedging: { budget: 2 } }\n')
    const { code, err } = await run('calm', '--config', path)
    expect(code).toBe(1)
    expect(err).toContain(path)
    expect(err).toContain('routing.hedging.budget')
  })
})
