/**
 * A drill: an incident on real processes. The service meets it, then the peers' policy meets the same incident on a ground of
 * its own, a process with the AWS emulator and the MCP servers; what an oracle could have done is computed offline. The
 * operations, their times and the windows of the faults are the same for all; luck at single requests is drawn by the
 * processes.
 *
 * Some operations are sent before, while nothing is wrong, so that connections are open and the code is warm, as in a
 * service that has run for longer than a drill. They do not count.
 */
import type { Matrix } from '../operation/matrix.ts'
import { sleep, type Clock } from '../runtime/clock.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { Fates } from '../simulate/fate.ts'
import { Scoreboard, servedBefore, type Outcome } from '../simulate/figures.ts'
import { incidentRun, oracleFigures, type IncidentReport, type IncidentRun } from '../simulate/incident-report.ts'
import { foresee } from '../simulate/oracle.ts'
import type { Scenario } from '../simulate/scenario.ts'
import { generateWork, type WorkItem } from '../simulate/workload.ts'
import { watchEventLoop } from './adapters/event-loop.ts'
import { startGroundProcess } from './adapters/ground-child.ts'
import { labelOf, type Contestant, type DrillAddresses, type DrillAnswer, type DrillItem } from './contestant.ts'

export interface DrillParts {
  readonly scenario: Scenario
  readonly seed: number
  /** Scaled as the scenario is. */
  readonly matrix: Matrix
  readonly clock: Clock
  /** Each is started on a ground of its own; the first is the service. */
  readonly contestants: readonly ((addresses: DrillAddresses) => Promise<Contestant>)[]
}

/** Sent before the drill. */
const warmUps = 60
/** ms between two of them, and after the last. */
const warmUpEveryMs = 15
const restMs = 300

export async function runDrill(parts: DrillParts): Promise<IncidentReport> {
  const { scenario, seed, matrix } = parts
  const work = [...generateWork(scenario, createSeededRandom(seed))]
  const oracle = oracleFigures(work, foresee(scenario, matrix, new Fates(scenario, seed), work))
  const runs: IncidentRun[] = []
  for (const start of parts.contestants) runs.push(await meet(parts, work, start, oracle))
  return { scenario: scenario.name, title: scenario.title, seed, scale: scenario.scale, durationMs: scenario.durationMs, oracle, runs }
}

async function meet(parts: DrillParts, work: readonly WorkItem[], start: DrillParts['contestants'][number], oracle: IncidentReport['oracle']): Promise<IncidentRun> {
  const { scenario, clock, matrix } = parts
  const ground = await startGroundProcess(scenario, parts.seed)
  let contestant: Contestant | undefined
  try {
    contestant = await start(ground.addresses)
    await warmUp(contestant, work, clock)
    await ground.begin()
    const delayMs = watchEventLoop()
    const { board, shed, lost } = await play(contestant, work, matrix, clock, scenario.durationMs)
    const trips = contestant.trips()
    const extra = trips === null ? null : { trips, shed, lost, hindsight: null }
    return { ...incidentRun(contestant.name, scenario, matrix, board.figures(), oracle, extra), disturbanceMs: delayMs() }
  } finally {
    await contestant?.close()
    await ground.close()
  }
}

async function warmUp(contestant: Contestant, work: readonly WorkItem[], clock: Clock): Promise<void> {
  const sent: Promise<unknown>[] = []
  for (const item of work.slice(0, warmUps)) {
    sent.push(contestant.submit({ ...item, label: `warm-${item.index}` }))
    await sleep(clock, warmUpEveryMs)
  }
  await Promise.allSettled(sent)
  await sleep(clock, restMs)
}

async function play(contestant: Contestant, work: readonly WorkItem[], matrix: Matrix, clock: Clock, durationMs: number): Promise<{ readonly board: Scoreboard; readonly shed: number; readonly lost: number }> {
  const board = new Scoreboard()
  let shed = 0
  let lost = 0
  const beganAtMs = clock.monotonicMs()
  const one = async (item: DrillItem): Promise<void> => {
    try {
      const answer = await contestant.submit(item)
      if (answer.refused) shed += 1
      board.add(outcomeOf(item, { ...answer, servedMs: servedBefore(durationMs, clock.monotonicMs() - beganAtMs, answer.servedMs) }, matrix))
    } catch {
      // Nobody told what became of it: that is what "lost" means, and it is reported.
      lost += 1
      board.add(outcomeOf(item, nothing, matrix))
    }
  }
  await Promise.all(
    work.map(
      (item) =>
        new Promise<void>((resolve, reject) => {
          clock.schedule(beganAtMs + item.atMs, () => void one({ ...item, label: labelOf(item) }).then(resolve, reject))
        }),
    ),
  )
  return { board, shed, lost }
}

const nothing: DrillAnswer = { answered: false, latencyMs: 0, attempts: 0, hedges: 0, servedMs: 0, refused: false, wrong: false }

function outcomeOf(item: WorkItem, answer: DrillAnswer, matrix: Matrix): Outcome {
  const { latencyMs: requirementMs, hardTimeoutMs } = matrix[item.type]
  const { answered, latencyMs, attempts, hedges, servedMs, refused, wrong } = answer
  return {
    index: item.index,
    type: item.type,
    answered,
    inTime: answered && !wrong && latencyMs <= requirementMs,
    latencyMs: answered ? latencyMs : refused ? null : hardTimeoutMs,
    attempts,
    hedges,
    servedMs,
    wrong,
  }
}
