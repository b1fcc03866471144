/**
 * Plays a scenario on a virtual clock: the Hybrid Router itself, the very code that serves, on simulated paths; or the peers'
 * policy on the same. The same scenario, seed and settings give the same figures, to the last digit.
 *
 * Of what the router publishes only trips and verdicts are read here.
 */
import type { Matrix } from '../operation/matrix.ts'
import type { OperationResult } from '../operation/result.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { createHybridRouter, type RouterSettings } from '../router/hybrid-router.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { Scoreboard, type Outcome, type RunFigures } from './figures.ts'
import { HindsightTruth, type HindsightFigures } from './hindsight-truth.ts'
import { createPeerRunner } from './peer-policy.ts'
import type { Scenario } from './scenario.ts'
import { createSimulatedPath } from './simulated-path.ts'
import { deaf, Stage, topologyOf } from './stage.ts'
import type { WorkItem } from './workload.ts'

export interface SimulationParts {
  readonly scenario: Scenario
  readonly seed: number
  /** In the order of arrival. */
  readonly work: Iterable<WorkItem>
  /** Told of every operation at its end. */
  onOutcome?(outcome: Outcome): void
}

export interface SimulationFigures extends RunFigures {
  readonly trips: number
  /** Refused for want of room. */
  readonly shed: number
  /** Never ended, which would be a mistake of ours. */
  readonly lost: number
  readonly hindsight: HindsightFigures
}

export function simulateRouter(parts: SimulationParts, settings: RouterSettings): SimulationFigures {
  const { scenario, seed } = parts
  const stage = new Stage(scenario, seed, settings.matrix)
  const board = new Scoreboard()
  const truth = new HindsightTruth(scenario, seed, settings.matrix)
  let trips = 0
  let shed = 0
  const events: EventStream<SystemEvent> = {
    publish(event) {
      if (event.type === 'breaker_tripped') trips += 1
      else if (event.type === 'decision_judged') truth.onVerdict(stage.liveOf(event.operation).item, event.optimal)
    },
    subscribe: () => () => undefined,
  }
  const topology = { direct: topologyOf(scenario, 'direct'), mcp: topologyOf(scenario, 'mcp') }
  const paths = { direct: createSimulatedPath('direct', stage), mcp: createSimulatedPath('mcp', stage) }
  const router = createHybridRouter({
    paths,
    clock: stage.clock,
    random: createSeededRandom(seed + 1),
    events,
    settings: () => settings,
    topology: () => topology,
    onInternalError(error) {
      throw error
    },
  })
  stage.play(parts.work, (operation, item, done) => {
    truth.onArrival(item, ({ route, id }) => paths[route].isFull(id))
    router.run(operation, {
      ...deaf,
      onResult(result) {
        const outcome = outcomeOf(item, result, operation.hardTimeoutMs, stage)
        if (result.error?.code === 'overloaded') shed += 1
        truth.onEnd(item, result)
        board.add(outcome)
        parts.onOutcome?.(outcome)
        done()
      },
    })
  })
  return { ...board.figures(), trips, shed, lost: stage.running, hindsight: truth.figures() }
}

export function simulatePeers(parts: SimulationParts, matrix: Matrix): RunFigures {
  const { scenario, seed } = parts
  const stage = new Stage(scenario, seed, matrix)
  const board = new Scoreboard()
  const runner = createPeerRunner({
    paths: { direct: createSimulatedPath('direct', stage), mcp: createSimulatedPath('mcp', stage) },
    targets: { direct: topologyOf(scenario, 'direct').targets, mcp: topologyOf(scenario, 'mcp').targets },
    matrix,
    clock: stage.clock,
    random: createSeededRandom(seed + 1),
    scale: scenario.scale,
  })
  stage.play(parts.work, (operation, item, done) => {
    runner.run(operation, ({ answered, latencyMs, attempts, servedMs }) => {
      const inTime = answered && latencyMs <= operation.latencyRequirementMs
      const outcome: Outcome = { index: item.index, type: item.type, answered, inTime, latencyMs: answered ? latencyMs : operation.hardTimeoutMs, attempts, hedges: 0, servedMs: stage.servedInTime(servedMs), wrong: false }
      board.add(outcome)
      parts.onOutcome?.(outcome)
      done()
    })
  })
  return board.figures()
}

/** As the figures count it. What failed counts with its hard timeout, by which it would have been given up. */
function outcomeOf(item: WorkItem, result: OperationResult, hardTimeoutMs: number, stage: Stage): Outcome {
  const answered = result.status === 'succeeded'
  const { basis, totalMs, timeToFirstTokenMs } = result.latency
  const judgedMs = basis === 'first_content' ? (timeToFirstTokenMs ?? totalMs) : totalMs
  let hedges = 0
  let servedMs = 0
  for (const { reason, outcome, durationMs } of result.attempts) {
    if (reason === 'hedge') hedges += 1
    if (outcome === 'succeeded') servedMs = stage.servedInTime(durationMs)
  }
  return {
    index: item.index,
    type: item.type,
    answered,
    inTime: answered && result.slaMet,
    latencyMs: answered ? judgedMs : result.error?.code === 'overloaded' ? null : hardTimeoutMs,
    attempts: result.attempts.length,
    hedges,
    servedMs,
    wrong: answered && (result.output === null || result.output.text === ''),
  }
}
