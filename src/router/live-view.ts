/**
 * The live view: what the router has seen of every target, told by the events of its attempts, in the form that the core
 * reads (`routing/conditions.ts`). It decides nothing about operations; it says who rests, who is throttled and who is slow.
 *
 * A target rests for a short while after several failures in a row; to have been overtaken by the help that was started for
 * it counts as one of them, since a target that hangs never fails by itself. A `Retry-After` is obeyed up to a limit, so
 * that one wrong header does not close a target for a day. Slowness is forgotten when it was not measured lately: otherwise
 * the preferred target would never get back the traffic by which it could show that it is quick again.
 *
 * Pure: told what happened and when. Source: house design, "What the core knows of the world".
 */
import type { Fault } from '../operation/fault.ts'
import type { Route } from '../operation/matrix.ts'
import type { Candidate, Conditions, Overrides, RouteConditions, UnusableReason } from '../routing/conditions.ts'

/** What is configured for one operation. The composition root answers with the same object as long as it is the same. */
export interface RouteTopology {
  readonly carriesMoreThanText: boolean
  readonly repeatable: boolean
  /** In order of preference; empty when the route is not configured for the operation. */
  readonly targets: readonly string[]
}

export interface Topology {
  readonly direct: RouteTopology
  readonly mcp: RouteTopology
}

/**
 * failuresToRest: one failure is an accident, three in a row without a success between them are a state.
 * restMs: long enough to spare a broken target, short enough to notice within one requirement that it is back.
 * longestThrottleMs: AWS counts quotas per minute; what asks for longer is asked again after a minute.
 * slowFactor, samples: quantiles of language models differ by a factor of two between minutes; five samples smooth one outlier.
 * measuredWithinMs: as long as hindsight looks back is too long to avoid a target; half of it is enough.
 * smoothing: the weight of a new sample, about the last ten count.
 */
export const viewLimits = Object.freeze({
  failuresToRest: 3,
  restMs: 5_000,
  longestThrottleMs: 60_000,
  slowFactor: 2,
  slowSamples: 5,
  measuredWithinMs: 30_000,
  smoothing: 0.2,
})

interface TargetState extends Candidate {
  usable: boolean
  unusableReason: UnusableReason | null
  throttledUntilMs: number
  inFlight: number
  lastFailureMs: number
  slow: boolean
  failuresInRow: number
  latencyMs: number
  samples: number
  measuredAtMs: number
}

export interface LiveView {
  /** The view for one operation, true at `nowMs`; its candidates are the view's own records and change with it. */
  conditions(topology: Topology, overrides: Overrides, nowMs: number): Conditions
  onStarted(route: Route, target: string): void
  /** @param latencyMs to first content for streams, else to completion */
  onAnswered(route: Route, target: string, latencyMs: number, nowMs: number): void
  onFailed(route: Route, target: string, fault: Fault, nowMs: number): void
  /** @param overdue help had been started for it and was quicker, or the hard timeout struck */
  onCancelled(route: Route, target: string, overdue: boolean, nowMs: number): void
}

interface RouteView extends RouteConditions {
  readonly candidates: readonly TargetState[]
}

export function createLiveView(): LiveView {
  const targets: Readonly<Record<Route, Map<string, TargetState>>> = { direct: new Map(), mcp: new Map() }
  const views = new WeakMap<RouteTopology, RouteView>()

  const stateOf = (route: Route, target: string): TargetState => {
    const known = targets[route].get(target)
    if (known !== undefined) return known
    const fresh = newTarget(target)
    targets[route].set(target, fresh)
    return fresh
  }

  const viewOf = (route: Route, topology: RouteTopology, nowMs: number): RouteView => {
    let view = views.get(topology)
    if (view === undefined) {
      const { carriesMoreThanText, repeatable } = topology
      view = { carriesMoreThanText, repeatable, candidates: topology.targets.map((target) => stateOf(route, target)) }
      views.set(topology, view)
    }
    refresh(view.candidates, nowMs)
    return view
  }

  return {
    conditions: (topology, overrides, nowMs) => ({
      direct: viewOf('direct', topology.direct, nowMs),
      mcp: viewOf('mcp', topology.mcp, nowMs),
      overrides,
    }),
    onStarted(route, target) {
      stateOf(route, target).inFlight += 1
    },
    onAnswered(route, target, latencyMs, nowMs) {
      const state = stateOf(route, target)
      state.inFlight -= 1
      state.failuresInRow = 0
      measure(state, latencyMs, nowMs)
    },
    onFailed(route, target, fault, nowMs) {
      const state = stateOf(route, target)
      state.inFlight -= 1
      if (fault.kind === 'throttled') {
        const pauseMs = Math.min(viewLimits.longestThrottleMs, fault.retryAfterMs ?? 0)
        state.throttledUntilMs = Math.max(state.throttledUntilMs, nowMs + pauseMs)
      } else if (speaksAgainstTarget(fault)) {
        countFailure(state, nowMs)
      }
    },
    onCancelled(route, target, overdue, nowMs) {
      const state = stateOf(route, target)
      state.inFlight -= 1
      if (overdue) countFailure(state, nowMs)
    },
  }
}

function newTarget(id: string): TargetState {
  return {
    id,
    usable: true,
    unusableReason: null,
    throttledUntilMs: 0,
    inFlight: 0,
    lastFailureMs: Number.NEGATIVE_INFINITY,
    slow: false,
    failuresInRow: 0,
    latencyMs: 0,
    samples: 0,
    measuredAtMs: Number.NEGATIVE_INFINITY,
  }
}

/** What belongs to the request, and what we refused ourselves, says nothing of the target. */
function speaksAgainstTarget(fault: Fault): boolean {
  return fault.kind !== 'validation' && fault.kind !== 'model_error' && fault.rejected !== true
}

function countFailure(state: TargetState, nowMs: number): void {
  state.failuresInRow += 1
  state.lastFailureMs = nowMs
}

function measure(state: TargetState, latencyMs: number, nowMs: number): void {
  const stale = nowMs - state.measuredAtMs > viewLimits.measuredWithinMs
  state.latencyMs = stale ? latencyMs : state.latencyMs + viewLimits.smoothing * (latencyMs - state.latencyMs)
  state.samples = stale ? 1 : state.samples + 1
  state.measuredAtMs = nowMs
}

/** What time alone changes: rest ends, measurements grow old. */
function refresh(candidates: readonly TargetState[], nowMs: number): void {
  let bestMs = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const rests = candidate.failuresInRow >= viewLimits.failuresToRest && nowMs < candidate.lastFailureMs + viewLimits.restMs
    candidate.usable = !rests
    candidate.unusableReason = rests ? 'failing' : null
    if (!rests && isMeasured(candidate, nowMs) && candidate.latencyMs < bestMs) bestMs = candidate.latencyMs
  }
  for (const candidate of candidates) candidate.slow = isMeasured(candidate, nowMs) && candidate.latencyMs > viewLimits.slowFactor * bestMs
}

function isMeasured(candidate: TargetState, nowMs: number): boolean {
  return candidate.samples >= viewLimits.slowSamples && nowMs - candidate.measuredAtMs <= viewLimits.measuredWithinMs
}
