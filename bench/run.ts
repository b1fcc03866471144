/**
 * `npm run bench`: starts the subjects, warms each up, measures them in interleaved rounds, then what needs fresh
 * processes, and writes the report. README.md says how and why; `options.ts` what can be asked for.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { BenchRun } from './bench-run.ts'
import { describeMachine } from './machine.ts'
import { help, readOptions, type Options } from './options.ts'
import { median } from './percentile.ts'
import { measureMemory, measureStart } from './process-scenarios.ts'
import { number, renderRun } from './report/render.ts'
import { withReport } from './report/results-file.ts'
import { measureRoutingDecision } from './routing-decision.ts'
import { loadScenarios, measure, measureDirect, warmUp } from './scenarios.ts'
import { bare } from './subjects/bare.ts'
import { hybrid } from './subjects/hybrid.ts'
import { installPortkey, portkey, portkeyVersion } from './subjects/portkey.ts'
import type { RunningSubject, Subject } from './subjects/subject.ts'

const resultsFile = fileURLToPath(new URL('RESULTS.md', import.meta.url))
/** Others' work above this share of the machine makes the figures noise; the report says so. */
const quietPercent = 5

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

function subjectsOf(options: Options): Subject[] {
  return [bare, portkey, hybrid].filter(({ name }) => options.subjects.includes(name))
}

/** A different subject begins each round, so that none always follows the same neighbour. */
function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const from = items.length === 0 ? 0 : by % items.length
  return [...items.slice(from), ...items.slice(0, from)]
}

async function measureLoad(run: BenchRun, subjects: readonly Subject[]): Promise<void> {
  const scenarios = loadScenarios.filter((scenario) => run.options.scenarios.includes(scenario))
  if (scenarios.length === 0) return
  const running: RunningSubject[] = []
  for (const subject of subjects) {
    const one = await subject.start(run.children, run.upstreamPort)
    running.push(one)
    say(`warming up ${subject.name} (process ${one.child.pid})`)
    await warmUp(run, one, scenarios)
  }
  for (let round = 1; round <= run.options.rounds; round += 1) {
    const direct = await measureDirect(run, scenarios)
    for (const scenario of scenarios) {
      for (const subject of rotated(running, round - 1)) await measure(run, scenario, subject, round, direct)
    }
  }
  await Promise.all(running.map((one) => one.child.stop()))
}

async function measureProcesses(run: BenchRun, subjects: readonly Subject[]): Promise<void> {
  const { scenarios, starts } = run.options
  if (scenarios.includes('start')) {
    for (let round = 1; round <= starts; round += 1) for (const subject of rotated(subjects, round - 1)) await measureStart(run, subject, round)
  }
  if (scenarios.includes('memory')) for (const subject of subjects) await measureMemory(run, subject)
}

function revision(): string {
  try {
    return execFileSync('git', ['-C', fileURLToPath(new URL('.', import.meta.url)), 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return 'unknown'
  }
}

function facts(options: Options, args: readonly string[], othersPercents: readonly number[]): string[] {
  const others = median(othersPercents)
  const noise = others > quietPercent ? ' **The machine was not quiet: only the CPU per request and per event holds, no verdict on a time or a rate does.**' : ''
  const othersWork = othersPercents.length === 0 ? '' : ` Others used ${number(others, 1)} % of it (median over measurements; at most ${number(Math.max(...othersPercents), 1)} %).`
  return [
    `Command: \`npm run bench${args.length === 0 ? '' : ` -- ${args.join(' ')}`}\`, ${new Date().toISOString().slice(0, 10)}, revision ${revision()}`,
    `Node.js ${process.version}; Portkey gateway ${portkeyVersion() ?? 'not installed'}`,
    `Machine: ${describeMachine()}; the service under test has one core, mock and load the other.${othersWork}${noise}`,
    `Medians of ${options.rounds} interleaved rounds of ${options.seconds} s after ${options.warmUpSeconds} s of warm-up`,
  ]
}

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const options = readOptions(args, resultsFile)
  if (options === null) {
    process.stdout.write(help)
    return
  }
  if (process.platform !== 'linux' || availableParallelism() < 2) throw new Error('the benchmarks need Linux and two cores: one for the service under test alone')
  const subjects = subjectsOf(options)
  if (subjects.includes(portkey)) installPortkey(say)
  const run = await BenchRun.start(options, say)
  await measureLoad(run, subjects)
  await measureProcesses(run, subjects)
  if (options.scenarios.includes('routing') && options.subjects.includes('hybrid')) measureRoutingDecision(run)
  const titles = { bare: bare.title, portkey: portkey.title, hybrid: hybrid.title }
  const report = renderRun(run.measurements, titles, facts(options, args, run.othersPercents))
  process.stdout.write(`${report}\n`)
  if (options.out !== null) {
    writeFileSync(options.out, withReport(existsSync(options.out) ? readFileSync(options.out, 'utf8') : null, report))
    say(`written to ${options.out}`)
  }
}

main().then(
  () => process.exit(0), // Stops every child.
  (error: unknown) => {
    say(`bench: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  },
)
