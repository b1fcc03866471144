/**
 * The load scenarios of a round. Each puts jobs on the generator for one subject and turns the reports into figures; added
 * latency is the subject's percentile minus the same percentile of calls straight to the mock, measured beside it.
 */
import type { BenchRun } from './bench-run.ts'
import type { LoadJob, LoadReport } from './load/job.ts'
import { plans } from './plans.ts'
import type { ScenarioName } from './report/figures.ts'
import { directAnswerRequest, directStreamRequest } from './subjects/direct-call.ts'
import type { RunningSubject } from './subjects/subject.ts'

/** How long exchanges under way at the end of a window may take; the slowest subject needs a second. */
const drainMs = 10_000

type Figures = Readonly<Record<string, number>>
export interface Direct {
  readonly latency: LoadReport | null
  readonly paced: LoadReport | null
}

export const loadScenarios = ['throughput', 'latency', 'paced', 'burst'] as const satisfies readonly ScenarioName[]
type LoadScenario = (typeof loadScenarios)[number]

function jobFor(scenario: LoadScenario, subject: RunningSubject, durationMs: number): Omit<LoadJob, 'ownPids'> {
  const base = { port: subject.port, pid: subject.child.pid, durationMs, drainMs }
  switch (scenario) {
    case 'throughput':
      return { ...base, request: subject.answerRequest, arrivals: { kind: 'closed', concurrency: plans.connections }, eventsPerExchange: 1 }
    case 'latency':
      return { ...base, request: subject.answerRequest, arrivals: { kind: 'open', ratePerSecond: plans.requestsPerSecond }, eventsPerExchange: 1 }
    case 'paced':
      return { ...base, request: subject.streamRequest(plans.paced.stream), arrivals: { kind: 'open', ratePerSecond: plans.paced.startsPerSecond }, eventsPerExchange: plans.paced.stream.events }
    case 'burst':
      return { ...base, request: subject.streamRequest(plans.burst.stream), arrivals: { kind: 'closed', concurrency: plans.burst.concurrency }, eventsPerExchange: plans.burst.stream.events }
  }
}

/** Calls straight to the mock, for the scenarios that subtract them. */
export async function measureDirect(run: BenchRun, scenarios: readonly ScenarioName[]): Promise<Direct> {
  const base = { port: run.upstreamPort, pid: null, durationMs: run.options.seconds * 1000, drainMs }
  const latency = scenarios.includes('latency')
    ? await run.load({ ...base, request: directAnswerRequest(run.upstreamPort), arrivals: { kind: 'open', ratePerSecond: plans.requestsPerSecond }, eventsPerExchange: 1 })
    : null
  const paced = scenarios.includes('paced')
    ? await run.load({
        ...base,
        request: directStreamRequest(run.upstreamPort, plans.paced.stream),
        arrivals: { kind: 'open', ratePerSecond: plans.paced.startsPerSecond },
        eventsPerExchange: plans.paced.stream.events,
      })
    : null
  for (const report of [latency, paced]) {
    if (report !== null && report.failed > 0) throw new Error(`direct calls to the mock failed: ${report.failures.join('; ')}`)
  }
  return { latency, paced }
}

/** Not a number where the direct calls were the slower ones: then something else disturbed them, and nothing is known. */
function added(throughMs: number, directMs: number): number {
  return throughMs < directMs ? Number.NaN : throughMs - directMs
}

function figuresOf(scenario: LoadScenario, report: LoadReport, direct: Direct): Figures {
  const seconds = report.elapsedMs / 1000
  const cpuUs = report.cpuMs * 1000
  switch (scenario) {
    case 'throughput':
      return {
        requestsPerSecond: report.completedInWindow / seconds,
        cpuPerRequestUs: cpuUs / report.completedInWindow,
        p50Ms: report.latencyMs.p50,
        p99Ms: report.latencyMs.p99,
        corePercent: (100 * report.cpuMs) / report.elapsedMs,
        peakRssMiB: report.peakRssMiB,
      }
    case 'latency': {
      const directP50Ms = direct.latency?.latencyMs.p50 ?? Number.NaN
      const directP99Ms = direct.latency?.latencyMs.p99 ?? Number.NaN
      return { addedP50Ms: added(report.latencyMs.p50, directP50Ms), addedP99Ms: added(report.latencyMs.p99, directP99Ms), directP50Ms, directP99Ms }
    }
    case 'paced':
      return {
        addedFirstTokenP50Ms: added(report.firstContentMs.p50, direct.paced?.firstContentMs.p50 ?? Number.NaN),
        addedFirstTokenP99Ms: added(report.firstContentMs.p99, direct.paced?.firstContentMs.p99 ?? Number.NaN),
        cpuPerEventUs: cpuUs / report.eventsInWindow,
      }
    case 'burst':
      return { eventsPerSecond: report.eventsInWindow / seconds, cpuPerEventUs: cpuUs / report.eventsInWindow, corePercent: (100 * report.cpuMs) / report.elapsedMs, peakRssMiB: report.peakRssMiB }
  }
}

export async function measure(run: BenchRun, scenario: LoadScenario, subject: RunningSubject, round: number, direct: Direct): Promise<void> {
  const report = await run.load(jobFor(scenario, subject, run.options.seconds * 1000))
  run.record({ scenario, subject: subject.name, round, figures: figuresOf(scenario, report, direct), failed: report.failed, failures: report.failures })
}

/** Whole answers for the time asked for, then a third of it of each kind of stream: each is code of its own to compile. */
export async function warmUp(run: BenchRun, subject: RunningSubject, scenarios: readonly ScenarioName[]): Promise<void> {
  const allMs = run.options.warmUpSeconds * 1000
  await run.load(jobFor('throughput', subject, allMs))
  for (const scenario of ['paced', 'burst'] as const) {
    if (scenarios.includes(scenario)) await run.load(jobFor(scenario, subject, Math.max(1000, allMs / 3)))
  }
}
