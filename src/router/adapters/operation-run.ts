/**
 * One operation on its way: feeds events to the attempt machine, carries out its actions on the paths, the clock and the
 * observer, and makes the result. It decides nothing but whether the operation is let in at all.
 *
 * Everything is synchronous: an event of a stream costs a check and a call, no promise and no object. An observer that throws
 * loses that call; it is reported to `onInternalError`.
 */
import type { ConverseStreamEvent } from '../../operation/converse.ts'
import { priorityRank, type Route } from '../../operation/matrix.ts'
import type { Operation } from '../../operation/operation.ts'
import type { AttemptSpend } from '../../operation/path.ts'
import type { OperationResult } from '../../operation/result.ts'
import type { CancelReason, OperationObserver, RunningOperation } from '../../operation/runner.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import { createMachine, step } from '../../routing/attempt-machine.ts'
import type { MachineAction, MachineEvent, MachineState } from '../../routing/machine-protocol.ts'
import { inEmergencyMode, isShedFirst } from '../../routing/claim.ts'
import type { Conditions, Topology } from '../../routing/conditions.ts'
import { planRoute } from '../../routing/decide-route.ts'
import type { FinalProblem } from '../../routing/final-problem.ts'
import type { CancelSchedule } from '../../runtime/clock.ts'
import { endedDecision, judgedOperation, whyNotJudged } from '../ended-decision.ts'
import type { RouterSettings } from '../hybrid-router.ts'
import { problemOf, recordOf, resultOf } from '../operation-result.ts'
import { AttemptRun, type AttemptOwner } from './attempt-run.ts'
import type { RouterState, RunningEntry } from './router-state.ts'

/** What a refused caller is told to wait, in ms: long enough for a burst to pass, short enough to be worth it. */
const overloadRetryAfterMs = 1_000
/** ms. A maintenance may end early: nobody is sent away for longer. */
const longestMaintenanceRetryMs = 60_000
/** In emergency mode low and medium operations are refused beyond this share of the places. */
const emergencyModePlaces = 0.5

export class OperationRun implements RunningOperation, AttemptOwner, RunningEntry {
  readonly #shared: RouterState
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
  #leftRoom = false
  /** Its place among those who wait for room. */
  readonly rank: number
  untilMs = Number.POSITIVE_INFINITY
  place = -1

  constructor(shared: RouterState, operation: Operation, observer: OperationObserver) {
    const { parts } = shared
    this.#shared = shared
    this.operation = operation
    this.#observer = observer
    this.#settings = parts.settings()
    this.#takenAtMs = parts.clock.monotonicMs()
    this.#topology = parts.topology(operation)
    this.rank = operation.type === 'emergency' ? -1 : priorityRank(operation.priority)
    this.#conditions = shared.conditions(this.#topology, this.#settings, this.#takenAtMs)
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

  mayUse(route: Route): boolean {
    return this.#state.run.plan.routes.includes(route)
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
    this.#shared.settle()
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
    if (event.type === 'attempt_failed' || event.type === 'timer' || event.type === 'room') {
      this.#conditions = shared.conditions(this.#topology, this.#settings, nowMs)
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
      case 'await_room':
        this.#awaitRoom(action.untilMs)
        return
      case 'leave_room':
        this.#shared.room.remove(this)
        this.#leftRoom = true
        return
      case 'finish':
        this.#finish(action.status, action.winner, action.problem)
    }
  }

  #start(action: Extract<MachineAction, { readonly type: 'start_attempt' }>): void {
    const { number, route, target, reason, deadlineMs } = action
    const { operation } = this
    const nowMs = this.#shared.nowMs()
    if (this.#leftRoom) this.#shared.room.departed(nowMs)
    this.#leftRoom = false
    const attempt = new AttemptRun(this.#shared, this, number, route, target, this.#shared.states.onStarted(route, target, nowMs))
    this.#attempts.push(attempt)
    this.#publish({ type: 'attempt_started', atMs: this.#shared.parts.clock.nowMs(), operation, number, route, target, reason })
    attempt.start(deadlineMs)
  }

  /** Refused at once where waiting makes no sense; the machine hears of it after the step that is under way. */
  #awaitRoom(untilMs: number): void {
    const shared = this.#shared
    const nowMs = shared.nowMs()
    shared.states.onCrowded(nowMs)
    this.untilMs = untilMs
    if (isShedFirst(this.operation.priority) && inEmergencyMode(this.#settings.overrides, nowMs)) {
      this.feed({ type: 'shed', retryAfterMs: shared.room.retryAfterMs() })
      return
    }
    const admission = shared.room.enter(this, nowMs)
    if (admission.kind === 'refused') this.feed({ type: 'shed', retryAfterMs: admission.retryAfterMs })
    if (admission.kind === 'displaced') admission.other.feed({ type: 'shed', retryAfterMs: admission.retryAfterMs })
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
    const result = this.#makeResult(status, winning, problem, this.#shared.isoTime(clock.nowMs()))
    this.#result = result
    this.#shared.ended(this)
    this.#publish({ type: 'operation_ended', atMs: clock.nowMs(), operation: this.operation, result })
    this.#judge(result)
    this.#tell(() => this.#observer.onResult(result))
  }

  #judge(result: OperationResult): void {
    const { ledger, parts } = this.#shared
    const { operation } = this
    const judged = judgedOperation(operation, result, this.#takenAtMs)
    const ended = endedDecision(operation, result, this.#state.run.plan.decision)
    const { optimal, regretMs } = ledger.onEnded(ended, judged, parts.clock.monotonicMs(), whyNotJudged(result))
    this.#publish({ type: 'decision_judged', atMs: parts.clock.nowMs(), operation, optimal, regretMs })
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
      createdAt: this.#shared.isoTime(this.operation.createdAtMs),
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
    const overtaken = attempt.outcome === 'cancelled' && attempt.overdue
    this.#publish({ type: 'attempt_ended', atMs: clock.nowMs(), operation: this.operation, record, outputTokens, overtaken })
  }

  #refusal(): FinalProblem | null {
    const { running, closed, room } = this.#shared
    const { operation } = this
    if (closed) return { code: 'maintenance', detail: 'The service is stopping.', retryAfterMs: overloadRetryAfterMs }
    const { inFlightOperations, reservedForEmergencies, overrides } = this.#settings
    if (operation.type === 'emergency') return running.size < inFlightOperations ? null : this.#noPlace()
    const { maintenance } = overrides
    if (maintenance !== null && this.#takenAtMs < maintenance.untilMs) {
      const leftMs = Math.min(longestMaintenanceRetryMs, maintenance.untilMs - this.#takenAtMs)
      return { code: 'maintenance', detail: 'An operator has begun a maintenance; emergencies are answered.', retryAfterMs: leftMs }
    }
    const places = inFlightOperations - reservedForEmergencies
    if (running.size >= emergencyModePlaces * places && isShedFirst(operation.priority) && inEmergencyMode(overrides, this.#takenAtMs)) {
      return { code: 'overloaded', detail: 'An operator has declared an emergency: medium and low operations give way.', retryAfterMs: overloadRetryAfterMs }
    }
    if (running.size < places) return null
    // Whoever only waits gives way to what matters more.
    const other = room.displace(this.rank)
    if (other === null) return this.#noPlace()
    other.feed({ type: 'shed', retryAfterMs: room.retryAfterMs() })
    return null
  }

  #noPlace(): FinalProblem {
    return { code: 'overloaded', detail: `${this.#shared.running.size} operations are in flight.`, retryAfterMs: overloadRetryAfterMs }
  }

  #refuse(problem: FinalProblem): void {
    const { clock } = this.#shared.parts
    this.#result = this.#makeResult('failed', null, problem, this.#shared.isoTime(clock.nowMs()))
    const result = this.#result
    this.#publish({ type: 'operation_refused', atMs: clock.nowMs(), code: problem.code, correlationId: this.operation.correlationId })
    this.#tell(() => this.#observer.onResult(result))
  }

  #publish(event: SystemEvent): void {
    this.#shared.publish(event)
  }

  #tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#shared.parts.onInternalError(error)
    }
  }
}
