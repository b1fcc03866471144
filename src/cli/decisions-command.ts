/**
 * `hybrid-routing decisions`: the last routing decisions of a running service as a table, newest first, with what became of
 * them and the verdict of hindsight; a closing line says how many were right among those that could be judged.
 */
import { createServiceClient } from './service-client.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'

export interface DecisionsCommandOptions {
  readonly limit: number
  readonly json: boolean
  readonly url: string
}

/** What the table shows of a decision; the service says more. */
interface ShownDecision {
  readonly decidedAt: string
  readonly operation: string
  readonly decision: { readonly route: string | null; readonly target: string | null; readonly reason: string }
  readonly status: string
  readonly route: string | null
  readonly target: string | null
  readonly latencyMs: number
  readonly latencyRequirementMs: number
  readonly slaMet: boolean
  readonly attempts: readonly unknown[]
  readonly hindsight: { readonly optimal: boolean | null; readonly regretMs: number | null; readonly basis: string }
}

export async function decisionsCommand(options: DecisionsCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const answer = await createServiceClient(options.url, terminal).getJson(`/v1/routing/decisions?limit=${options.limit}`)
  if (options.json) {
    terminal.out(`${JSON.stringify(answer, null, 2)}\n`)
    return exitCode.done
  }
  const { decisions } = answer as { readonly decisions?: readonly ShownDecision[] }
  if (decisions === undefined) throw new CommandFailure(`${options.url} answered without decisions: is the URL right?`)
  if (decisions.length === 0) {
    terminal.out('no decision yet\n')
    return exitCode.done
  }
  terminal.out(`${decisionTable(decisions)}\n${summary(decisions)}\n`)
  return exitCode.done
}

const heads = ['decided at', 'operation', 'decided', 'reason', 'answered by', 'attempts', 'latency', 'required', 'promise', 'hindsight'] as const

export function decisionTable(decisions: readonly ShownDecision[]): string {
  const rows = decisions.map((each) => [
    each.decidedAt,
    each.operation,
    place(each.decision.route, each.decision.target),
    each.decision.reason,
    each.status === 'succeeded' ? place(each.route, each.target) : each.status,
    String(each.attempts.length),
    `${Math.round(each.latencyMs)} ms`,
    `${Math.round(each.latencyRequirementMs)} ms`,
    each.slaMet ? 'met' : 'missed',
    verdict(each),
  ])
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()
  return [line(heads), ...rows.map(line)].join('\n')
}

function place(route: string | null, target: string | null): string {
  return route === null ? '-' : `${route}/${target ?? '-'}`
}

function verdict({ hindsight }: ShownDecision): string {
  if (hindsight.optimal === null) return `not judged: ${hindsight.basis}`
  if (hindsight.optimal) return 'right'
  return `wrong by ${Math.round(hindsight.regretMs ?? 0)} ms: ${hindsight.basis}`
}

function summary(decisions: readonly ShownDecision[]): string {
  const judged = decisions.filter(({ hindsight }) => hindsight.optimal !== null)
  const right = judged.filter(({ hindsight }) => hindsight.optimal === true).length
  const share = judged.length === 0 ? '' : ` (${((100 * right) / judged.length).toFixed(1)} %)`
  return `${decisions.length} decisions, ${judged.length} judged, ${right} right${share}`
}
