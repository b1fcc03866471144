/** The figures of a run as Markdown: the goals with their verdicts, then a table per scenario with all subjects. */
import { plans } from '../plans.ts'
import { subjectNames, type SubjectName } from '../subjects/subject.ts'
import { failedExchanges, ratio, scenarioNames, typical, type Measurement, type ScenarioName } from './figures.ts'
import { goals, judge } from './goals.ts'

interface Column {
  readonly figure: string
  readonly title: string
  readonly digits: number
}
interface ScenarioTable {
  readonly title: string
  readonly columns: readonly Column[]
  /** The figure that is also shown as a multiple of Portkey's and of the bare proxy's. */
  readonly compared: string | null
}

const column = (figure: string, title: string, digits: number): Column => ({ figure, title, digits })

const tables: Readonly<Record<ScenarioName, ScenarioTable>> = {
  throughput: {
    title: `Whole answers, ${plans.connections} connections`,
    columns: [
      column('requestsPerSecond', 'requests/s per core', 0),
      column('cpuPerRequestUs', 'CPU per request, µs', 1),
      column('p50Ms', 'p50, ms', 2),
      column('p99Ms', 'p99, ms', 2),
      column('corePercent', 'of the core, %', 0),
      column('peakRssMiB', 'resident, MiB', 0),
    ],
    compared: 'requestsPerSecond',
  },
  latency: {
    title: `Whole answers, ${plans.requestsPerSecond} requests per second`,
    columns: [
      column('addedP50Ms', 'added p50, ms', 2),
      column('addedP99Ms', 'added p99, ms', 2),
      column('directP50Ms', 'direct p50, ms', 2),
      column('directP99Ms', 'direct p99, ms', 2),
    ],
    compared: 'addedP50Ms',
  },
  paced: {
    title: `Streams, ${plans.paced.startsPerSecond} at a time, ${plans.paced.stream.events} events each at ${plans.paced.stream.everyMs} ms`,
    columns: [
      column('addedFirstTokenP50Ms', 'added to first token p50, ms', 2),
      column('addedFirstTokenP99Ms', 'p99, ms', 2),
      column('cpuPerEventUs', 'CPU per event, µs', 1),
    ],
    compared: 'cpuPerEventUs',
  },
  burst: {
    title: `Streams, ${plans.burst.concurrency} at a time, ${plans.burst.stream.events} events each at once`,
    columns: [column('eventsPerSecond', 'events/s per core', 0), column('cpuPerEventUs', 'CPU per event, µs', 2), column('corePercent', 'of the core, %', 0), column('peakRssMiB', 'resident, MiB', 0)],
    compared: 'eventsPerSecond',
  },
  start: {
    title: 'Start',
    columns: [column('readyMs', 'start to ready, ms', 0), column('readyRssMiB', 'resident when ready, MiB', 0), column('idleRssMiB', 'resident when idle, MiB', 0)],
    compared: null,
  },
  memory: {
    title: '1,000 concurrent streams, three times',
    columns: [
      column('streams', 'streams at once', 0),
      column('firstWavePeakMiB', 'first wave peak, MiB', 0),
      column('secondWavePeakMiB', 'second wave peak, MiB', 0),
      column('secondWaveGrowthPercent', 'second above first, %', 1),
      column('thirdWaveGrowthPercent', 'third above second, %', 1),
    ],
    compared: null,
  },
  routing: { title: 'The routing decision', columns: [
      column('decisionP50Us', 'decision p50, µs', 2),
      column('decisionP99Us', 'p99, µs', 2),
      column('machineP50Us', 'with the whole attempt machine p50, µs', 2),
      column('machineP99Us', 'p99, µs', 2),
    ], compared: null },
}

/** `–` where nothing was measured; thousands are separated. */
export function number(value: number, digits: number): string {
  if (Number.isNaN(value)) return '–'
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

export function renderGoals(all: readonly Measurement[]): string {
  const words = { atLeast: 'at least', atMost: 'at most', below: 'below' } as const
  const rows = goals.map((goal) => {
    const { value, verdict } = judge(goal, all)
    return [goal.title, `${words[goal.bound.kind]} ${number(goal.bound.value, Number.isInteger(goal.bound.value) ? 0 : 2)} ${goal.unit}`, verdict === 'not measured' ? '–' : `${number(value, goal.digits)} ${goal.unit}`, verdict]
  })
  return table(['goal', 'bound', 'measured', 'verdict'], rows)
}

export function renderScenario(all: readonly Measurement[], scenario: ScenarioName, titles: Readonly<Record<SubjectName, string>>): string | null {
  const measured = subjectNames.filter((subject) => all.some((one) => one.scenario === scenario && one.subject === subject))
  if (measured.length === 0) return null
  const { title, columns, compared } = tables[scenario]
  const head = ['', ...columns.map((one) => one.title), ...(compared === null ? [] : ['against Portkey', 'against bare']), 'failed']
  const rows = measured.map((subject) => [
    titles[subject],
    ...columns.map((one) => number(typical(all, scenario, subject, one.figure), one.digits)),
    ...(compared === null ? [] : (['portkey', 'bare'] as const).map((other) => multiple(ratio(all, scenario, compared, subject, other)))),
    number(failedExchanges(all, scenario, subject), 0),
  ])
  const spread = compared === null ? '' : `\n\nPer round, ${columns.find((one) => one.figure === compared)?.title ?? compared}: ${measured.map((subject) => `${titles[subject]} ${rounds(all, scenario, subject, compared)}`).join('; ')}.`
  return `### ${title}\n\n${table(head, rows)}${spread}`
}

const multiple = (value: number): string => (Number.isNaN(value) ? '–' : `${number(value, 2)}x`)

function rounds(all: readonly Measurement[], scenario: ScenarioName, subject: SubjectName, figure: string): string {
  const digits = tables[scenario].columns.find((one) => one.figure === figure)?.digits ?? 2
  return all
    .filter((one) => one.scenario === scenario && one.subject === subject)
    .map((one) => number(one.figures[figure] ?? Number.NaN, digits))
    .join(', ')
}

export function renderRun(all: readonly Measurement[], titles: Readonly<Record<SubjectName, string>>, facts: readonly string[]): string {
  const scenarios = scenarioNames.map((scenario) => renderScenario(all, scenario, titles)).filter((text) => text !== null)
  const failures = [...new Set(all.flatMap((one) => one.failures.map((failure) => `- ${titles[one.subject]}, ${one.scenario}: ${failure}`)))]
  return [
    facts.map((fact) => `- ${fact}`).join('\n'),
    '## Goals',
    renderGoals(all),
    '## Figures',
    ...scenarios,
    ...(failures.length === 0 ? [] : ['### Failures', failures.join('\n')]),
  ].join('\n\n')
}
