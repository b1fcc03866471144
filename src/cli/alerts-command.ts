/**
 * `hybrid-routing alerts`: what is firing, as a table, the most urgent first, with who has it and what to do. Exit code 1 when
 * an alert fires that nobody has acknowledged, so that a script can ask.
 */
import type { AlertView } from '../alerts/adapters/alert-view.ts'
import { createServiceClient } from './service-client.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'
import { textTable } from './text-table.ts'

export interface AlertsCommandOptions {
  readonly json: boolean
  readonly url: string
}

/** The answer of `GET /health/alerts` (public contract, part 6). */
interface AlertsAnswer {
  readonly data?: { readonly activeAlerts: number; readonly alerts: readonly AlertView[] }
}

export async function alertsCommand(options: AlertsCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const answer = (await createServiceClient(options.url, terminal).getJson('/health/alerts')) as AlertsAnswer
  if (answer.data === undefined) throw new CommandFailure(`${options.url} answered without alerts: is the URL right?`)
  const { alerts } = answer.data
  if (options.json) terminal.out(`${JSON.stringify(answer, null, 2)}\n`)
  else terminal.out(alerts.length === 0 ? 'nothing is firing\n' : alertTable(alerts))
  return alerts.some((alert) => alert.status === 'firing') ? exitCode.failed : exitCode.done
}

export function alertTable(alerts: readonly AlertView[]): string {
  const rows = alerts
    .toSorted((a, b) => a.priority.localeCompare(b.priority) || a.startedAt.localeCompare(b.startedAt))
    .map((alert) => [
      alert.priority,
      alert.status,
      alert.component,
      alert.startedAt,
      alert.acknowledgedBy ?? alert.escalation.to,
      alert.suppressedUntil === null ? '' : `until ${alert.suppressedUntil}`,
      alert.id,
      `${alert.message} (docs/${alert.runbook})`,
    ])
  return textTable(['PRIORITY', 'STATUS', 'COMPONENT', 'SINCE', 'WITH', 'SUPPRESSED', 'ID', 'WHAT'], rows)
}
