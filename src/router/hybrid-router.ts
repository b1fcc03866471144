/**
 * The Hybrid Router: carries out what the core decides. It starts and cancels attempts on the two paths, feeds their events
 * to the attempt machine, passes the speaking attempt's events on, keeps the live view, and makes the result.
 *
 * It decides nothing but who is let in: with all places taken an operation is refused at once (`overloaded`), and some
 * places are kept for emergencies. An observer may be called before `run` returns. Everything is synchronous: an event of a
 * stream costs a check and a call, no promise and no object.
 *
 * A path that throws, ends twice or speaks after its end does no harm; an observer that throws loses that call. Both are
 * reported to `onInternalError`. Source: house design, "How an operation flows".
 */
import type { ConverseStreamEvent } from '../operation/converse.ts'
import type { PriceTable } from '../operation/cost.ts'
import type { RoutingDecision } from '../operation/decision.ts'
import type { Matrix } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptSpend, Path } from '../operation/path.ts'
import type { OperationResult } from '../operation/result.ts'
import type { CancelReason, OperationObserver, OperationRunner, RunningOperation } from '../operation/runner.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { AttemptBudget } from '../routing/attempt-budget.ts'
import { createMachine, step, type MachineAction, type MachineEvent, type MachineState } from '../routing/attempt-machine.ts'
import { createShareRescue, defaultAttemptLimits, type AttemptLimits, type AttemptRules, type RescuePolicy } from '../routing/attempt-rules.ts'
import type { Conditions, Overrides } from '../routing/conditions.ts'
import { decideRoute, planRoute } from '../routing/decide-route.ts'
import type { FinalProblem } from '../routing/final-problem.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Random } from '../runtime/random.ts'
import { AttemptRun, type AttemptMeans, type AttemptOwner } from './adapters/attempt-run.ts'
import { createLiveView, type Topology } from './live-view.ts'
import { problemOf, recordOf, resultOf } from './operation-result.ts'

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
  /** After this share of the requirement an attempt with nothing to show is helped, 0 to 1. */
  readonly rescueShare: number
  /** Retries of the same target per operation, over the whole process, 0 to 1. */
  readonly retryShare: number
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
  /** The view as it is now, for an operation of this kind: health and `explain` read it. */
  conditions(operation: Operation): Conditions
  /** Resolves when nothing runs; what runs is left to end by itself. */
  drain(): Promise<void>
  /** Cancels everything that runs, and refuses what comes. */
  close(): void
}

/** What a refused caller is told to wait, in ms: long enough for a burst to pass, short enough to be worth it. */
const overloadRetryAfterMs = 1_000
/** Retries that a quiet process has saved up: enough for a burst of failures on one target. */
const retryBurst = 10

export function createHybridRouter(parts: HybridRouterParts): HybridRouter {
  const shared = new Shared(parts)
  return {
    run(operation, observer) {
      const run = new OperationRun(shared, operation, observer)
      run.begin()
      return run
    },
    decide(operation): RoutingDecision {
      const { matrix, overrides } = parts.settings()
      const nowMs = parts.clock.monotonicMs()
      return decideRoute(operation, matrix, shared.view.conditions(parts.topology(operation), overrides, nowMs), nowMs)
    },
    conditions: (operation) => shared.view.conditions(parts.topology(operation), parts.settings().overrides, parts.clock.monotonicMs()),
    inFlight: () => shared.running.size,
    drain: () => shared.drain(),
    close() {
      shared.closed = true
      for (const run of shared.running) run.cancel('shutdown')
    },
  }
}

/** What all operations of one router share. */
class Shared {
  readonly parts: HybridRouterParts
  readonly view = createLiveView()
  readonly means: AttemptMeans
  readonly running = new Set<OperationRun>()
  closed = false
  #rules: AttemptRules | null = null
  #rescueShare = Number.NaN
  #retryShare = Number.NaN
  #retryBudget = new AttemptBudget(0, 0)
  #policy: RescuePolicy = createShareRescue(0)
  #idle: (() => void)[] = []

  constructor(parts: HybridRouterParts) {
    this.parts = parts
    this.means = { paths: parts.paths, clock: parts.clock, view: this.view, onInternalError: (error) => parts.onInternalError(error) }
  }

  /** Made anew only when the settings that they depend on have changed. */
  rules(settings: RouterSettings): AttemptRules {
    if (this.#rules === null || settings.rescueShare !== this.#rescueShare || settings.retryShare !== this.#retryShare) {
      if (settings.retryShare !== this.#retryShare) this.#retryBudget = new AttemptBudget(settings.retryShare, retryBurst)
      if (settings.rescueShare !== this.#rescueShare) this.#policy = createShareRescue(settings.rescueShare)
      this.#rescueShare = settings.rescueShare
      this.#retryShare = settings.retryShare
      this.#rules = { policy: this.#policy, retryBudget: this.#retryBudget, limits: this.parts.limits ?? defaultAttemptLimits }
    }
    return this.#rules
  }

  began(run: OperationRun): void {
    this.running.add(run)
    this.#retryBudget.earn()
  }

  ended(run: OperationRun): void {
    this.running.delete(run)
    if (this.running.size > 0 || this.#idle.length === 0) return
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }

  drain(): Promise<void> {
    if (this.running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }
}

class OperationRun implements RunningOperation, AttemptOwner {
  readonly #shared: Shared
  readonly operation: Operation
  readonly #observer: OperationObserver
  readonly #settings: RouterSettings
  readonly #takenAtMs: number
  readonly #topology: Topology
  readonly #attempts: AttemptRun[] = []
  readonly #actions: MachineAction[] = []
  /** Events that arrive while a step is carried out: a path may answer within `start` or `cancel`. */
  readonly #pending: MachineEvent[] = []
  #stepping = false
  #conditions: Conditions
  #state: MachineState
  #speaker: AttemptRun | null = null
  #result: OperationResult | null = null
  #cancelTimer: CancelSchedule | null = null
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(shared: Shared, operation: Operation, observer: OperationObserver) {
    const { parts } = shared
    this.#shared = shared
    this.operation = operation
    this.#observer = observer
    this.#settings = parts.settings()
    this.#takenAtMs = parts.clock.monotonicMs()
    this.#topology = parts.topology(operation)
    this.#conditions = shared.view.conditions(this.#topology, this.#settings.overrides, this.#takenAtMs)
    const plan = planRoute(operation, this.#settings.matrix, this.#conditions, this.#takenAtMs)
    this.#state = createMachine(operation, plan, shared.rules(this.#settings))
  }

  begin(): void {
    const { operation } = this
    const refusal = this.#refusal()
    if (refusal !== null) {
      this.#refuse(refusal)
      return
    }
    this.#shared.began(this)
    const { decision } = this.#state.run.plan
    this.#publish({ type: 'routing_decision', atMs: this.#shared.parts.clock.nowMs(), operation, decision })
    this.#tell(() => this.#observer.onDecision(decision))
    this.feed({ type: 'admitted' })
  }

  snapshot(): OperationResult {
    return this.#result ?? this.#makeResult('running', null, null, null)
  }

  cancel(reason: CancelReason): void {
    if (this.#result === null) this.feed({ type: 'cancel', reason })
  }

  feed(event: MachineEvent): void {
    if (this.#stepping) {
      this.#pending.push(event)
      return
    }
    this.#stepping = true
    this.#step(event)
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) this.#step(next)
    this.#stepping = false
  }

  /** An event of the attempt that speaks. */
  deliver(event: ConverseStreamEvent): void {
    try {
      this.#observer.onEvent(event)
    } catch (error) {
      this.#shared.parts.onInternalError(error)
    }
  }

  firstContent(number: number, afterMs: number): void {
    const { operation } = this
    this.#publish({ type: 'attempt_first_content', atMs: this.#shared.parts.clock.nowMs(), operation, number, afterMs })
    this.feed({ type: 'first_content', number })
  }

  #step(event: MachineEvent): void {
    const shared = this.#shared
    const nowMs = shared.parts.clock.monotonicMs()
    // Only what may choose a target looks at the world again.
    if (event.type === 'attempt_failed' || event.type === 'timer') {
      this.#conditions = shared.view.conditions(this.#topology, this.#settings.overrides, nowMs)
    }
    const actions = this.#actions
    this.#state = step(this.#state, event, { nowMs, random: shared.parts.random.next(), conditions: this.#conditions }, actions)
    if (event.type === 'attempt_succeeded' || event.type === 'attempt_failed' || event.type === 'attempt_cancelled') this.#announceEnd(event.number)
    for (const action of actions) this.#carryOut(action)
    actions.length = 0
  }

  #carryOut(action: MachineAction): void {
    switch (action.type) {
      case 'start_attempt':
        this.#start(action)
        return
      case 'cancel_attempt':
        this.#attempts[action.number - 1]?.cancel(action.overdue || this.#state.run.attempts[action.number - 1]?.outcome === 'timed_out')
        this.#announceEnd(action.number)
        return
      case 'speak':
        this.#speaker = this.#attempts[action.number - 1] ?? null
        this.#speaker?.speak()
        return
      case 'notify_attempt': {
        const { number, route, target, reason, restart } = action
        this.#tell(() => this.#observer.onAttempt({ number, route, target, reason, restart }))
        return
      }
      case 'wake_at':
        this.#wakeAt(action.atMs)
        return
      case 'finish':
        this.#finish(action.status, action.winner, action.problem)
    }
  }

  #start(action: Extract<MachineAction, { readonly type: 'start_attempt' }>): void {
    const { number, route, target, reason, deadlineMs } = action
    const { operation } = this
    const attempt = new AttemptRun(this.#shared.means, this, number, route, target)
    this.#attempts.push(attempt)
    this.#shared.view.onStarted(route, target)
    this.#publish({ type: 'attempt_started', atMs: this.#shared.parts.clock.nowMs(), operation, number, route, target, reason })
    attempt.start(deadlineMs)
  }

  /** The one timer. An earlier one is left to fire: the machine then names the next instant again. */
  #wakeAt(atMs: number): void {
    if (this.#cancelTimer !== null && this.#timerAtMs <= atMs) return
    this.#cancelTimer?.()
    this.#timerAtMs = atMs
    this.#cancelTimer = this.#shared.parts.clock.schedule(atMs, this.#onTimer)
  }

  readonly #onTimer = (): void => {
    this.#cancelTimer = null
    this.#timerAtMs = Number.POSITIVE_INFINITY
    if (this.#speaker !== null) this.feed({ type: 'progress', number: this.#speaker.number, atMs: this.#speaker.lastEventAtMs })
    this.feed({ type: 'timer' })
  }

  #finish(status: 'succeeded' | 'failed' | 'cancelled', winner: number | null, problem: FinalProblem | null): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    const winning = winner === null ? null : (this.#attempts[winner - 1] ?? null)
    const { clock } = this.#shared.parts
    const result = this.#makeResult(status, winning, problem, isoTime(clock.nowMs()))
    this.#result = result
    this.#shared.ended(this)
    this.#publish({ type: 'operation_ended', atMs: clock.nowMs(), operation: this.operation, result })
    this.#tell(() => this.#observer.onResult(result))
  }

  #makeResult(status: OperationResult['status'], winner: AttemptRun | null, problem: FinalProblem | null, completedAt: string | null): OperationResult {
    const { run } = this.#state
    const spends: AttemptSpend[] = []
    for (const attempt of this.#attempts) if (attempt.spend !== null) spends.push(attempt.spend)
    return resultOf({
      run,
      status,
      winner: winner === null ? null : (run.attempts[winner.number - 1] ?? null),
      answer: winner?.answer ?? null,
      problem: problem === null ? null : problemOf(this.operation, problem),
      spends,
      attemptQueuedMs: winner?.queuedMs ?? Math.max(0, ...this.#attempts.map((attempt) => attempt.queuedMs)),
      prices: this.#settings.prices,
      takenAtMs: this.#takenAtMs,
      nowMs: this.#shared.parts.clock.monotonicMs(),
      createdAt: isoTime(this.operation.createdAtMs),
      completedAt,
    })
  }

  #announceEnd(number: number): void {
    const attempt = this.#state.run.attempts[number - 1]
    const running = this.#attempts[number - 1]
    if (attempt === undefined || attempt.outcome === null || running === undefined || running.announced) return
    running.announced = true
    const { clock } = this.#shared.parts
    const record = recordOf(this.#state.run, attempt, attempt.endedAtMs)
    const outputTokens = running.spend?.usage.outputTokens ?? 0
    this.#publish({ type: 'attempt_ended', atMs: clock.nowMs(), operation: this.operation, record, outputTokens })
  }

  #refusal(): FinalProblem | null {
    const { running, closed } = this.#shared
    if (closed) return { code: 'maintenance', detail: 'The service is stopping.', retryAfterMs: overloadRetryAfterMs }
    const { inFlightOperations, reservedForEmergencies } = this.#settings
    const places = this.operation.type === 'emergency' ? inFlightOperations : inFlightOperations - reservedForEmergencies
    if (running.size < places) return null
    return { code: 'overloaded', detail: `${running.size} operations are in flight.`, retryAfterMs: overloadRetryAfterMs }
  }

  #refuse(problem: FinalProblem): void {
    const { clock } = this.#shared.parts
    this.#result = this.#makeResult('failed', null, problem, isoTime(clock.nowMs()))
    const result = this.#result
    this.#publish({ type: 'operation_refused', atMs: clock.nowMs(), code: problem.code, correlationId: this.operation.correlationId })
    this.#tell(() => this.#observer.onResult(result))
  }

  #publish(event: SystemEvent): void {
    this.#shared.parts.events.publish(event)
  }

  #tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#shared.parts.onInternalError(error)
    }
  }
}

function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString()
}
