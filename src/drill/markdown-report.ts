/**
 * The report of drills as a page of Markdown with two charts beside it: what a person shows their boss. It states how the
 * figures were made, gives each share with its sample count and interval, and says plainly where a goal was not reached.
 *
 * Which goals there are, and whether they were reached, is said in one place (`simulate/goals.ts`).
 */
import { operationTypes } from '../operation/matrix.ts'
import { checkGoals } from '../simulate/goals.ts'
import type { IncidentReport, IncidentRun } from '../simulate/incident-report.ts'
import { milliseconds, minutes, percent } from '../simulate/report-table.ts'
import { barChart, type BarGroup } from './svg-chart.ts'

export interface DrillReportFile {
  readonly name: string
  readonly text: string
}

/** @param conditions where and how it was run, one sentence each */
export function drillReport(reports: readonly IncidentReport[], conditions: readonly string[]): readonly DrillReportFile[] {
  return [
    { name: 'in-time.svg', text: inTimeChart(reports) },
    { name: 'p99.svg', text: latencyChart(reports) },
    { name: 'README.md', text: page(reports, conditions) },
  ]
}

function page(reports: readonly IncidentReport[], conditions: readonly string[]): string {
  const checks = checkGoals(reports)
  const missed = checks.filter(({ reached }) => !reached)
  const seeds = [...new Set(reports.map(({ seed }) => seed))].join(', ')
  return [
    '# Drills: incidents on real processes',
    '',
    `${reports.length} incidents, seed ${seeds}. Requirements and model times are those of the routing matrix divided by ${reports[0]?.scale ?? 1}; rates are multiplied by it.`,
    ...conditions,
    '',
    '**in time**: answered within the requirement, as the caller sees it, with its 95 % interval (Wilson). **of oracle**: that, as a share of what an oracle answers in time which knows every latency',
    'and every fault beforehand and respects capacity. **peers**: primary with the hard timeout, two retries with backoff on another target, then the fallback; a target rests for 5 s (scaled) after three failures. It is a policy, run on the same',
    'two clients in the same drill, and nobody’s program. What failed enters the latencies with its hard timeout; what was refused at once has none. **late**: by how much the',
    'process itself was late at the 99th percentile; where it is not small beside the requirements, the machine was busy and the figures are about that.',
    '',
    '![Share answered in time](in-time.svg)',
    '',
    '![99th percentile of the latency](p99.svg)',
    '',
    '| incident | run | operations | in time | 95 % interval | of oracle | emergencies of oracle | attempts | p50 ms | p99 ms | late ms |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...reports.flatMap((report) => report.runs.map((run, index) => summaryRow(index === 0 ? report.scenario : '', run))),
    '',
    '## Goals',
    '',
    missed.length === 0 ? `All ${checks.length} are reached.` : `${checks.length - missed.length} of ${checks.length} are reached. Not reached:`,
    '',
    ...missed.map(({ goal, figure }) => `- ${goal}: **${figure}**`),
    '',
    ...alertSection(reports),
    '## Each incident',
    '',
    ...reports.flatMap(incidentSection),
  ].join('\n')
}

/** What operators are told of each incident; nothing where nobody looked. */
function alertSection(reports: readonly IncidentReport[]): readonly string[] {
  const told = reports.flatMap(({ alerts }) => alerts ?? [])
  if (told.length === 0) return []
  return [
    '## What operators are told',
    '',
    'The same incidents on a virtual clock at the runbook’s own times, 20 minutes each, with the default rules: router, metrics, health and Alert Manager are those that serve. **after**: from when something is wrong; **over after**: from when nothing is any more.',
    '',
    '| incident | alert | priority | after | over after | pages |',
    '| --- | --- | --- | ---: | ---: | ---: |',
    ...told.flatMap(({ scenario, alerts, pages }) =>
      alerts.length === 0
        ? [`| ${scenario} | none | | | | ${pages} |`]
        : alerts.map(({ rule, component, priority, afterMs, overAfterMs }, index) => `| ${[index === 0 ? scenario : '', `\`${rule}\` on \`${component}\``, priority, minutes(afterMs), overAfterMs === null ? 'never' : minutes(overAfterMs), index === 0 ? pages : ''].join(' | ')} |`),
    ),
    '',
  ]
}

function summaryRow(scenario: string, run: IncidentRun): string {
  const { all } = run.figures
  const { share, low, high } = all.inTime
  return `| ${[scenario, run.name, all.operations, percent(share), `${percent(low)} to ${percent(high)}`, percent(run.ofOracle), percent(run.emergencyOfOracle), all.attemptsPerOperation.toFixed(3), milliseconds(all.p50Ms), milliseconds(all.p99Ms), run.disturbanceMs === null ? '' : milliseconds(run.disturbanceMs)].join(' | ')} |`
}

function incidentSection(report: IncidentReport): readonly string[] {
  const [ours, peers] = report.runs
  if (ours === undefined) return []
  const { extra } = ours
  return [
    `### ${report.scenario}`,
    '',
    `${report.title}${extra === null ? '' : ` Trips: ${extra.trips}; refused for want of room: ${extra.shed}.`}${ours.goodput === null ? '' : ` Goodput: ${percent(ours.goodput)} of the slots, the peers’ ${percent(peers?.goodput ?? 0)}.`}`,
    '',
    '| operation | operations | in time | 95 % interval | peers | oracle | attempts | p50 ms | p99 ms |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...operationTypes.flatMap((type) => {
      const its = ours.figures.byType[type]
      if (its === undefined) return []
      const { share, low, high } = its.inTime
      const cells = [type, its.operations, percent(share), `${percent(low)} to ${percent(high)}`, percent(peers?.figures.byType[type]?.inTime.share ?? 0), percent(report.oracle.byType[type]?.inTime.share ?? 0)]
      return [`| ${[...cells, its.attemptsPerOperation.toFixed(3), milliseconds(its.p50Ms), milliseconds(its.p99Ms)].join(' | ')} |`]
    }),
    '',
  ]
}

function inTimeChart(reports: readonly IncidentReport[]): string {
  const groups = reports.map((report): BarGroup => ({
    label: report.scenario,
    bars: [...report.runs.map(({ name, figures }) => ({ series: name, figures })), { series: 'oracle', figures: report.oracle }].map(({ series, figures }) => {
      const { share, low, high } = figures.all.inTime
      return { series, value: 100 * share, low: 100 * low, high: 100 * high }
    }),
  }))
  return barChart({ title: 'Answered within the requirement', unit: '% of operations', groups, least: 0, most: 100, logarithmic: false })
}

function latencyChart(reports: readonly IncidentReport[]): string {
  const groups = reports.map((report): BarGroup => ({ label: report.scenario, bars: report.runs.map(({ name, figures }) => ({ series: name, value: Number.isNaN(figures.all.p99Ms) ? 0 : figures.all.p99Ms })) }))
  const most = Math.max(1_000, ...groups.flatMap(({ bars }) => bars.map(({ value }) => value)))
  return barChart({ title: '99th percentile of the latency (failures count with their hard timeout)', unit: 'ms, logarithmic', groups, least: 100, most, logarithmic: true })
}
