/**
 * The goals that the project set itself before the first drill, checked against what incidents came to; nowhere softened.
 * Simulations and drills use the same. What only a simulation knows is checked where it is known: the truth about verdicts of
 * hindsight, and the same luck without hedges.
 */
import { overallOf, type IncidentReport, type IncidentRun } from './incident-report.ts'
import { milliseconds, percent } from './report-table.ts'

export interface GoalCheck {
  readonly goal: string
  readonly reached: boolean
  readonly figure: string
}

const overload = 'overload'
const calm = 'calm'
export const slowTail = 'slow-tail'

export function checkGoals(reports: readonly IncidentReport[]): readonly GoalCheck[] {
  const checks: GoalCheck[] = []
  const check = (goal: string, reached: boolean, figure: string): void => void checks.push({ goal, reached, figure })
  const [ours, peers] = [reports[0]?.runs[0]?.name ?? '', reports[0]?.runs[1]?.name ?? '']
  if (reports.length > 1) {
    const all = overallOf(reports, ours)
    const theirs = overallOf(reports, peers)
    check('all incidents: 98.5 % of what the oracle answers in time', all.ofOracle >= 0.985, percent(all.ofOracle))
    check('all incidents: at most half of the misses of the peers’ policy', all.misses <= theirs.misses / 2, `${all.misses} of ${all.possible}, theirs ${theirs.misses}`)
  }
  for (const report of reports) {
    const [run, peer] = report.runs
    if (run === undefined) continue
    const { scenario } = report
    if (scenario === overload) {
      check(`${scenario}: 90 % of the oracle, weighted by priority`, run.weightedOfOracle >= 0.9, percent(run.weightedOfOracle))
      if (run.goodput !== null) check(`${scenario}: goodput 85 % of capacity`, run.goodput >= 0.85, percent(run.goodput))
    } else check(`${scenario}: 97 % of the oracle`, run.ofOracle >= 0.97, percent(run.ofOracle))
    check(`${scenario}: 99 % of the emergencies that the oracle answers`, run.emergencyOfOracle >= 0.99, percent(run.emergencyOfOracle))
    const { attemptsPerOperation, hedgesPerOperation } = run.figures.all
    const most = scenario === calm ? 1.02 : 1.35
    check(`${scenario}: at most ${most} attempts per operation`, attemptsPerOperation <= most, attemptsPerOperation.toFixed(3))
    if (scenario === calm) check(`${scenario}: hedges under 1 %, no trips, no shedding`, hedgesPerOperation < 0.01 && run.extra?.trips === 0 && run.extra.shed === 0, `${percent(hedgesPerOperation)}, ${run.extra?.trips ?? 0} trips, ${run.extra?.shed ?? 0} shed`)
    if (peer !== undefined) check(`${scenario}: not below the peers’ policy`, run.ofOracle >= peer.ofOracle || overlaps(run, peer), `${percent(run.ofOracle)}, theirs ${percent(peer.ofOracle)}`)
    if (report.alerts !== undefined) check(`${scenario}: operators are told once, of the cause, and nothing else`, report.alerts.faults.length === 0, report.alerts.faults.join('; ') || `${report.alerts.pages} pages`)
    if (scenario === slowTail) {
      check(`${scenario}: at most 6 % extra attempts`, attemptsPerOperation <= 1.06, percent(attemptsPerOperation - 1))
      if (report.unhedged !== undefined) check(`${scenario}: p99 at most half of that without hedging`, run.figures.all.p99Ms <= report.unhedged.all.p99Ms / 2, `${milliseconds(run.figures.all.p99Ms)} ms, without ${milliseconds(report.unhedged.all.p99Ms)} ms`)
    }
    const hindsight = run.extra?.hindsight ?? null
    if (hindsight !== null && hindsight.decisions > 0) {
      const judged = hindsight.judged / hindsight.decisions
      const agreed = hindsight.judged === 0 ? 0 : hindsight.agreed / hindsight.judged
      check(`${scenario}: hindsight judges 60 % of the decisions`, judged >= 0.6, percent(judged))
      check(`${scenario}: 95 % of its verdicts are true`, agreed >= 0.95, percent(agreed))
    }
    check(`${scenario}: no wrong answer, nothing lost`, run.figures.all.wrong === 0 && (run.extra?.lost ?? 0) === 0, `${run.figures.all.wrong} wrong, ${run.extra?.lost ?? 0} lost`)
  }
  return checks
}

/** Within the noise of the samples: neither is shown to be better. */
function overlaps(run: IncidentRun, peer: IncidentRun): boolean {
  return run.figures.all.inTime.high >= peer.figures.all.inTime.low && peer.figures.all.inTime.high >= run.figures.all.inTime.low && run.figures.all.inTime.share >= peer.figures.all.inTime.low
}

/** What was missed, line by line. */
export function goalText(reports: readonly IncidentReport[]): string {
  const checks = checkGoals(reports)
  const missed = checks.filter(({ reached }) => !reached)
  return missed.length === 0 ? `\nAll ${checks.length} goals are reached.\n` : `\nGoals that were missed, of ${checks.length}:\n${missed.map(({ goal, figure }) => `  ${goal}: ${figure}\n`).join('')}`
}
