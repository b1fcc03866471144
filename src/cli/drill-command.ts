/**
 * `hybrid-routing drill [SCENARIO]`: an incident on real sockets with injected faults, and its figures; `all` runs every one,
 * prints one table, and writes a report. Without a name it lists the incidents. The exit code is 1 when a goal was missed.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { runDrill } from '../drill/drill.ts'
import { drillReport } from '../drill/markdown-report.ts'
import { createSystemClock } from '../runtime/clock.ts'
import { checkGoals, goalText } from '../simulate/goals.ts'
import type { IncidentReport } from '../simulate/incident-report.ts'
import { alertText, overallLines, summaryTable, typeTable } from '../simulate/report-table.ts'
import { scaleScenario, stretchScenario } from '../simulate/scenario.ts'
import { scenarioNamed, scenarios } from '../simulate/scenarios.ts'
import { drillParts } from './drill-contestants.ts'
import { incidentAlerts } from './incident-alerts.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'

export interface DrillCommandOptions {
  /** A name, or `all`; null lists them. */
  readonly scenario: string | null
  readonly seed: number
  /** By which the requirements are divided. */
  readonly scale: number
  /** For how long operations come in; null as the scenario has it. */
  readonly seconds: number | null
  /** The folder of the report; null writes none, unless `all` is drilled. */
  readonly report: string | null
  readonly json: boolean
}

const defaultReport = 'bench/drills'

export async function drillCommand(options: DrillCommandOptions, terminal: Terminal): Promise<ExitCode> {
  if (options.scenario === null) {
    for (const { name, title } of scenarios) terminal.out(`  ${name.padEnd(20)} ${title}\n`)
    return exitCode.done
  }
  const chosen = options.scenario === 'all' ? scenarios : scenarios.filter(({ name }) => name === options.scenario)
  if (chosen.length === 0) throw new CommandFailure(`${options.scenario} is no incident; there are all, ${scenarios.map(({ name }) => name).join(', ')}`, exitCode.usage)
  const clock = createSystemClock()
  const reports: IncidentReport[] = []
  for (const { name } of chosen) {
    const scenario = scenarioNamed(name)
    if (scenario === undefined) continue
    const scaled = scaleScenario(scenario, options.scale)
    const lasting = options.seconds === null ? scaled : stretchScenario(scaled, (options.seconds * 1_000) / scaled.durationMs)
    if (!options.json) terminal.err(`${name}: ${lasting.title}\n`)
    const report = await runDrill(drillParts(lasting, options.seed, clock))
    // A drill lasts for seconds, and rules look at minutes: the same incident on a virtual clock tells what they would say.
    reports.push({ ...report, alerts: await incidentAlerts(scenario, options.seed) })
  }
  terminal.out(options.json ? `${JSON.stringify(reports, null, 2)}\n` : text(reports, options))
  const folder = options.report ?? (chosen.length > 1 ? defaultReport : null)
  if (folder !== null) await writeReport(resolve(terminal.workingDirectory, folder), reports, terminal)
  return checkGoals(reports).every(({ reached }) => reached) ? exitCode.done : exitCode.failed
}

function text(reports: readonly IncidentReport[], options: DrillCommandOptions): string {
  const [only, ...more] = reports
  const details = only !== undefined && more.length === 0 ? `\n${typeTable(only)}` : `\n${overallLines(reports)}`
  return `seed ${options.seed}, requirements divided by ${options.scale}; times in ms as the caller sees them;\nlate: by how much the process itself was late at the 99th percentile, which a busy machine is\n\n${summaryTable(reports)}${details}${alertText(reports)}${goalText(reports)}`
}

async function writeReport(folder: string, reports: readonly IncidentReport[], terminal: Terminal): Promise<void> {
  await mkdir(folder, { recursive: true })
  const conditions = [`The service and the load share one process of Node ${process.versions.node} on ${process.platform}, emulator and MCP server another; all speak over loopback sockets.`]
  for (const { name, text: content } of drillReport(reports, conditions)) await writeFile(join(folder, name), content)
  terminal.err(`The report is in ${folder}\n`)
}
