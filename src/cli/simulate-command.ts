/**
 * `hybrid-routing simulate`: plays incidents, or operations that a service recorded, through the same decision code on a
 * virtual clock, and compares configurations with each other, with the peers' policy and with an oracle. The same seed gives
 * the same figures.
 */
import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { routerSettings } from '../service/component-settings.ts'
import { ConfigError } from '../config/resolve-config.ts'
import type { JsonObject } from '../operation/converse.ts'
import { goalText, slowTail } from '../simulate/goals.ts'
import { compare, simulateMany, simulateUnhedged, type NamedSettings } from '../simulate/comparison.ts'
import type { IncidentReport } from '../simulate/incident-report.ts'
import { alertText, overallLines, percent, summaryTable, typeTable } from '../simulate/report-table.ts'
import { scaleScenario, stretchScenario, type Scenario } from '../simulate/scenario.ts'
import { scenarioNamed, scenarios } from '../simulate/scenarios.ts'
import { readWork, type WorkItem } from '../simulate/workload.ts'
import { incidentAlerts } from './incident-alerts.ts'
import { incidentConfig } from './incident-config.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'

export interface SimulateCommandOptions {
  /** A name, or `all`. */
  readonly scenario: string
  readonly seed: number
  /** By which the requirements are divided. */
  readonly scale: number
  /** About so many; null as many as the scenario has. */
  readonly operations: number | null
  /** A JSON Lines file of results. */
  readonly replay: string | null
  /** Their sections `routing` are compared; none: the defaults. */
  readonly configs: readonly string[]
  readonly json: boolean
}

/** Above this nothing is foreseen: the oracle needs all operations at once. */
const mostForeseen = 200_000

export async function simulateCommand(options: SimulateCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const chosen = options.scenario === 'all' ? scenarios : [scenarioNamed(options.scenario)]
  const work = options.replay === null ? undefined : await recordedWork(options.replay, options.scale)
  const routings = await Promise.all(options.configs.map(readRouting))
  const reports: IncidentReport[] = []
  for (const scenario of chosen) {
    if (scenario === undefined) throw new CommandFailure(`${options.scenario} is no incident; there are all, ${scenarios.map(({ name }) => name).join(', ')}`, exitCode.usage)
    const report = simulateOne(scenario, options, routings, work)
    const isOwn = options.replay === null && (options.operations ?? 0) <= mostForeseen
    // Rules look at minutes: alerts are played at the runbook's own times, whatever the scale of the figures.
    reports.push(isOwn ? { ...report, alerts: await incidentAlerts(scenario, options.seed, routings[0]?.routing) } : report)
  }
  terminal.out(options.json ? `${JSON.stringify(reports, null, 2)}\n` : text(reports, options.seed, work === undefined))
  return exitCode.done
}

function simulateOne(scenario: Scenario, options: SimulateCommandOptions, routings: readonly NamedRouting[], recorded: readonly WorkItem[] | undefined): IncidentReport {
  const scaled = scaleScenario(scenario, options.scale)
  const expected = (scaled.ratePerSecond * scaled.durationMs) / 1_000
  const lastMs = recorded?.at(-1)?.atMs
  const stretched = stretchScenario(scaled, lastMs !== undefined ? Math.max(1, lastMs) / scaled.durationMs : (options.operations ?? expected) / expected)
  const [first, ...others] = routings.length === 0 ? [{ name: 'defaults', routing: {} }] : routings
  if (first === undefined) throw new CommandFailure('no configuration to simulate')
  const settingsOf = ({ name, routing }: NamedRouting): NamedSettings => ({ name, settings: routerSettings(incidentConfig(stretched, undefined, routing)) })
  const configurations = [settingsOf(first), ...others.map(settingsOf)] as const
  if (recorded === undefined && (options.operations ?? 0) > mostForeseen) return simulateMany(stretched, options.seed, configurations)
  if (recorded !== undefined) return compare(stretched, options.seed, configurations, recorded)
  const report = compare(stretched, options.seed, configurations)
  return scenario.name === slowTail ? { ...report, unhedged: simulateUnhedged(stretched, options.seed, configurations[0].settings) } : report
}

/** @param judged the goals are those of the incidents, and not of what somebody recorded */
function text(reports: readonly IncidentReport[], seed: number, judged: boolean): string {
  const [only, ...more] = reports
  const details = only !== undefined && more.length === 0 ? `\n${only.title}\n\n${typeTable(only)}${hindsightLine(only)}` : `\n${overallLines(reports)}`
  return `seed ${seed}, requirements divided by ${reports[0]?.scale ?? 1}; times in ms of the simulated clock\n\n${summaryTable(reports)}${details}${alertText(reports)}${judged && reports.every(({ oracle }) => oracle.all.operations > 0) ? goalText(reports) : ''}`
}

function hindsightLine(report: IncidentReport): string {
  const hindsight = report.runs[0]?.extra?.hindsight
  if (hindsight === undefined || hindsight === null || hindsight.decisions === 0) return ''
  const { decisions, judged, optimal, agreed } = hindsight
  const of = (part: number, whole: number): string => percent(whole === 0 ? 1 : part / whole)
  return `\nHindsight judged ${of(judged, decisions)} of the decisions, found ${of(optimal, judged)} of them optimal, and was right in ${of(agreed, judged)}.\n`
}

interface NamedRouting {
  readonly name: string
  readonly routing: JsonObject
}

async function recordedWork(path: string, scale: number): Promise<readonly WorkItem[]> {
  const read = readWork(await readText(path), scale)
  if ('fault' in read) throw new CommandFailure(`${path}: ${read.fault}`)
  if (read.work.length === 0) throw new CommandFailure(`${path}: holds no operation`)
  return read.work
}

async function readRouting(path: string): Promise<NamedRouting> {
  const value: unknown = parse(await readText(path))
  const routing = typeof value === 'object' && value !== null && 'routing' in value ? (value as { routing: JsonObject }).routing : {}
  try {
    incidentConfig({ ...scenarios[0], scale: 1 } as Scenario, undefined, routing)
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandFailure(`${path}: ${error.message}`, exitCode.failed, error)
    throw error
  }
  return { name: path, routing }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CommandFailure(`${path} cannot be read (${error instanceof Error ? error.message : String(error)})`, exitCode.failed, error)
  }
}
