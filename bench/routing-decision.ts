/**
 * The routing decision's own time, from `micro-routing.ts`, which runs the decision without any server around it and
 * ends its output with one line of JSON: `{"p50Us": 1.2, "p99Us": 3.4}`.
 */
import { existsSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { BenchRun } from './bench-run.ts'
import { cores } from './children.ts'

const program = fileURLToPath(new URL('micro-routing.ts', import.meta.url))
const withinMs = 120_000

export function measureRoutingDecision(run: BenchRun): void {
  if (!existsSync(program)) return
  const output = execFileSync('taskset', ['-c', String(cores.service), process.execPath, program], { encoding: 'utf8', timeout: withinMs })
  const last = output.trim().split('\n').at(-1) ?? ''
  const { p50Us, p99Us } = JSON.parse(last) as { p50Us: number; p99Us?: number }
  run.record({ scenario: 'routing', subject: 'hybrid', round: 1, figures: { decisionP50Us: p50Us, decisionP99Us: p99Us ?? Number.NaN }, failed: 0, failures: [] })
}
