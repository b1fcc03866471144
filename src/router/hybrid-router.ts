/**
 * The Hybrid Router: carries out what the core decides. It starts and cancels attempts on the two paths, feeds their events
 * to the attempt machine, passes the speaking attempt's events on, keeps the live view, and makes the result.
 *
 * It decides nothing but who is let in: with all places taken an operation is refused at once (`overloaded`), unless one that
 * only waits for room matters less; some places are kept for emergencies. An observer may be called before `run` returns.
 *
 * For operators and readers: `breakers`, `resetBreakers`, `enableBreakers`, `decisions` (with their verdicts),
 * `efficiency` and `proposeThresholds`. A path that throws, ends twice or speaks after its end does no harm.
 * Source: house design, "How an operation flows".
 */
import type { PriceTable } from '../operation/cost.ts'
import type { RoutingDecision } from '../operation/decision.ts'
import type { Matrix, Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { Path } from '../operation/path.ts'
import type { OperationRunner } from '../operation/runner.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { AttemptLimits } from '../routing/attempt-rules.ts'
import { thresholdOf, type ChanceSettings } from '../routing/chance-policy.ts'
import type { Conditions, Overrides, Topology } from '../routing/conditions.ts'
import { decideRoute } from '../routing/decide-route.ts'
import type { DecisionRecord, Efficiencies } from '../routing/decision-ledger.ts'
import { proposeThresholds, type OptimizationWish, type ThresholdProposal } from '../routing/propose-thresholds.ts'
import type { BreakerChoice, BreakerSnapshot, TargetStateSettings } from '../routing/target-states.ts'
import type { Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Random } from '../runtime/random.ts'
import { OperationRun } from './adapters/operation-run.ts'
import { RouterState } from './adapters/router-state.ts'

/** A snapshot: an operation keeps the one it began with. */
export interface RouterSettings {
  readonly matrix: Matrix
  /** Their ends are on the monotonic clock. */
  readonly overrides: Overrides
  readonly prices: PriceTable
  /** Operations that run at once. */
  readonly inFlightOperations: number
  /** Of these, the places that only emergencies may take. */
  readonly reservedForEmergencies: number
  /** Operations that may wait at once until a target has room; read at the start. */
  readonly waitingPlaces: number
  /** Decisions that can be read back; read at the start. */
  readonly retainedDecisions: number
  /** When an attempt is helped before it has failed. The same object as long as nothing changed. */
  readonly chance: ChanceSettings
  /** Retries per operation, over the whole process, 0 to 1. */
  readonly retryShare: number
  /** Breakers, limiters and estimates. The same object as long as nothing changed. */
  readonly targets: TargetStateSettings
}

export interface HybridRouterParts {
  readonly paths: { readonly direct?: Path; readonly mcp?: Path }
  readonly clock: Clock
  readonly random: Random
  readonly events: EventStream<SystemEvent>
  settings(): RouterSettings
  /** What is configured for the operation: its targets by the model it asks for, its servers by its type. */
  topology(operation: Operation): Topology
  /** A path or an observer broke its promise: for the log. */
  onInternalError(error: unknown): void
  /** The machine's limits; the defaults are what the service runs with. */
  readonly limits?: AttemptLimits
}

export interface HybridRouter extends OperationRunner {
  inFlight(): number
  /** Operations that wait until a target has room. */
  waiting(): number
  /** The view as it is now, for an operation of this kind: health and `explain` read it. */
  conditions(operation: Operation): Conditions
  /** Breaker and limiter of every target and server that was used. */
  breakers(): readonly BreakerSnapshot[]
  /** Closes breakers, of one route, one target or all; answers how many were not closed. */
  resetBreakers(which?: BreakerChoice): number
  enableBreakers(enabled: boolean, which?: BreakerChoice): void
  /** The Health Checker found a target or server down, or well again: others are tried before one that is down. */
  setDown(route: Route, target: string, down: boolean): void
  /** The last decisions with their verdicts, newest first. */
  decisions(limit: number): readonly DecisionRecord[]
  /** How many decisions were right, by hindsight, over the last `windowMs` (an hour at most). */
  efficiency(windowMs: number): Efficiencies
  /** What other thresholds would have done with the last decisions, and which serves the wish best. */
  proposeThresholds(wish: OptimizationWish): ThresholdProposal
  /** Resolves when nothing runs; what runs is left to end by itself. */
  drain(): Promise<void>
  /** Cancels everything that runs, and refuses what comes. */
  close(): void
}

export function createHybridRouter(parts: HybridRouterParts): HybridRouter {
  const shared = new RouterState(parts)
  return {
    run(operation, observer) {
      const run = new OperationRun(shared, operation, observer)
      run.begin()
      return run
    },
    decide(operation): RoutingDecision {
      return decideRoute(operation, parts.settings().matrix, shared.conditionsFor(operation), shared.nowMs())
    },
    conditions: (operation) => shared.conditionsFor(operation),
    inFlight: () => shared.running.size,
    waiting: () => shared.room.size,
    breakers: () => shared.states.breakers(shared.nowMs()),
    resetBreakers: (which) => shared.states.resetBreakers(which),
    enableBreakers: (enabled, which) => shared.states.enableBreakers(enabled, which),
    setDown: (route, target, down) => shared.states.setDown(route, target, down),
    decisions: (limit) => shared.ledger.recent(limit, shared.nowMs()),
    efficiency: (windowMs) => shared.ledger.efficiency(windowMs, shared.nowMs()),
    proposeThresholds(wish) {
      const { matrix, chance, retainedDecisions } = parts.settings()
      const threshold = thresholdOf(chance.rescueThreshold, chance.aggressiveness)
      return proposeThresholds(shared.ledger.recent(retainedDecisions, shared.nowMs()), matrix, threshold, chance.rescueShare, wish)
    },
    drain: () => shared.drain(),
    close() {
      shared.closed = true
      for (const run of shared.running.members()) run.feed({ type: 'cancel', reason: 'shutdown' })
    },
  }
}
