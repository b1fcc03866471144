/**
 * Reports of incidents as tables for a terminal: one line per run of an incident, and the operation types of one run. Pure;
 * the Markdown report of the drills has its own form (`drill/markdown-report.ts`).
 */
import { operationTypes } from '../operation/matrix.ts'
import type { Figures, RunFigures } from './figures.ts'
import { overallOf, type IncidentReport, type IncidentRun } from './incident-report.ts'

export function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0.995 && share < 1 ? 2 : 1)} %`
}

export function milliseconds(value: number): string {
  return Number.isNaN(value) ? '–' : value < 10 ? value.toFixed(1) : value.toFixed(0)
}

const summaryHead = ['incident', 'run', 'ops', 'in time', '95 % interval', 'of oracle', 'emergency', 'attempts', 'hedges', 'p50', 'p99', 'trips', 'shed', 'late'] as const

/** One line per run, the oracle's last. */
export function summaryTable(reports: readonly IncidentReport[]): string {
  const rows = reports.flatMap((report) => [
    ...report.runs.map((run, index) => [index === 0 ? report.scenario : '', ...runCells(run)]),
    ...(report.oracle.all.operations === 0 ? [] : [['', 'oracle', ...figureCells(report.oracle.all), '', '', '', '', milliseconds(report.oracle.all.p50Ms), milliseconds(report.oracle.all.p99Ms), '', '', '']]),
  ])
  return aligned([summaryHead, ...rows])
}

function runCells(run: IncidentRun): readonly string[] {
  const { all } = run.figures
  return [
    run.name,
    ...figureCells(all),
    percent(run.ofOracle),
    percent(run.emergencyOfOracle),
    all.attemptsPerOperation.toFixed(3),
    percent(all.hedgesPerOperation),
    milliseconds(all.p50Ms),
    milliseconds(all.p99Ms),
    run.extra === null ? '' : String(run.extra.trips),
    run.extra === null ? '' : String(run.extra.shed),
    run.disturbanceMs === null ? '' : milliseconds(run.disturbanceMs),
  ]
}

function figureCells(figures: Figures): readonly string[] {
  const { share, low, high } = figures.inTime
  return [String(figures.operations), percent(share), `${percent(low)} to ${percent(high)}`]
}

const typeHead = ['operation', 'ops', 'in time', '95 % interval', 'peers', 'oracle', 'attempts', 'p50 ms', 'p99 ms'] as const

/** The service's figures for each type, beside the peers' and the oracle's share. */
export function typeTable(report: IncidentReport): string {
  const ours = report.runs[0]?.figures
  const peers = report.runs.find((run) => run.extra === null)?.figures
  if (ours === undefined) return ''
  const rows = operationTypes.flatMap((type) => {
    const figures = ours.byType[type]
    if (figures === undefined) return []
    return [[type, ...figureCells(figures), shareOf(peers, type), shareOf(report.oracle, type), figures.attemptsPerOperation.toFixed(3), milliseconds(figures.p50Ms), milliseconds(figures.p99Ms)]]
  })
  return aligned([typeHead, ...rows])
}

function shareOf(run: RunFigures | undefined, type: (typeof operationTypes)[number]): string {
  const figures = run?.byType[type]
  return figures === undefined ? '–' : percent(figures.inTime.share)
}

/** What all incidents together came to. */
export function overallLines(reports: readonly IncidentReport[]): string {
  const names = [...new Set(reports.flatMap(({ runs }) => runs.map(({ name }) => name)))]
  return names
    .map((name) => {
      const { ofOracle, misses, possible } = overallOf(reports, name)
      return `${name}: ${percent(ofOracle)} of what the oracle answers in time; it missed ${misses} of these ${possible} operations\n`
    })
    .join('')
}

const alertHead = ['incident', 'alert', 'priority', 'after', 'over after', 'pages', 'as expected'] as const

/** One line per alert of each incident whose alerts were looked at; empty when none was. */
export function alertTable(reports: readonly IncidentReport[]): string {
  const rows = reports.flatMap(({ alerts: told }) => {
    if (told === undefined) return []
    const verdict = told.faults.length === 0 ? 'yes' : told.faults.join('; ')
    if (told.alerts.length === 0) return [[told.scenario, 'none', '', '', '', String(told.pages), verdict]]
    return told.alerts.map(({ rule, component, priority, afterMs, overAfterMs }, index) => [
      index === 0 ? told.scenario : '',
      `${rule} on ${component}`,
      priority,
      minutes(afterMs),
      overAfterMs === null ? 'never' : minutes(overAfterMs),
      index === 0 ? String(told.pages) : '',
      index === 0 ? verdict : '',
    ])
  })
  return rows.length === 0 ? '' : aligned([alertHead, ...rows])
}

export function minutes(durationMs: number): string {
  return `${(durationMs / 60_000).toFixed(1)} min`
}

/** Words to the left, figures to the right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const isWord = (rows[0] ?? []).map((_, column) => column < 2 && rows.slice(1).every((row) => !/^\d/.test(row[column] ?? '')))
  return rows.map((row) => `${row.map((cell, column) => (isWord[column] === true ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ').trimEnd()}\n`).join('')
}

/** What operators are told of the incidents, under the head that says how that was found; nothing where it was not looked at. */
export function alertText(reports: readonly IncidentReport[]): string {
  const table = alertTable(reports)
  return table === '' ? '' : `\nWhat operators are told, on a virtual clock at the runbook’s own times; after: from when something is wrong\n\n${table}`
}
