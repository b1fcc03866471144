/**
 * The routing decision's own time, from `micro-routing.ts`, which runs the decision without any server around it and
 * prints a line of JSON per measure: `{"name": "decision", "p50Us": 1.2, "p99Us": 3.4}`.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { BenchRun } from './bench-run.ts'
import { cores } from './children.ts'

const program = fileURLToPath(new URL('micro-routing.ts', import.meta.url))
const withinMs = 120_000

interface Measure {
  readonly name: string
  readonly p50Us: number
  readonly p99Us: number
}

export function measureRoutingDecision(run: BenchRun): void {
  const output = execFileSync('taskset', ['-c', String(cores.service), process.execPath, program], { encoding: 'utf8', timeout: withinMs })
  const measures = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Measure)
  const named = (name: string): Measure => measures.find((one) => one.name === name) ?? { name, p50Us: Number.NaN, p99Us: Number.NaN }
  const decision = named('decision')
  const whole = named('decision and machine, sync')
  run.record({
    scenario: 'routing',
    subject: 'hybrid',
    round: 1,
    figures: { decisionP50Us: decision.p50Us, decisionP99Us: decision.p99Us, machineP50Us: whole.p50Us, machineP99Us: whole.p99Us },
    failed: 0,
    failures: [],
  })
}
