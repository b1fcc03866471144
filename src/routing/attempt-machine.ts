/**
 * The life of one operation as a state machine without I/O: events in, actions out. Production runs it on sockets and the
 * real clock, the simulator and the property tests run the same code on a virtual one.
 *
 * It decides: which attempt is started when and where, which are cancelled, which one speaks to the caller, and how it all
 * ends. The rules (public contract, part 3): requirement and hard timeout run from the arrival and cover everything; the
 * first valid answer wins, for streams the first content, and the others are cancelled; after content a stream is bounded by
 * silence and length, and starts anew elsewhere when it breaks; what must not be repeated and was sent is left alone.
 *
 * Must not know: sockets, clocks, who listens. `run` inside the state is owned by the machine and reused from step to step,
 * so that a step costs little; the same events with the same facts give the same actions.
 *
 * One timer exists per operation: `wake_at` replaces the one before, `finish` ends it. A `progress` event needs to be fed only
 * just before a `timer`: silence is looked at there and nowhere else.
 *
 * Where no target has room, `await_room` asks the shell to tell `room` when an attempt has ended somewhere, in the order of
 * priority and deadline, or `shed` when the operation must give way; `leave_room` takes that back.
 */
import assert from 'node:assert/strict'
import { failsEverywhere, type Fault } from '../operation/fault.ts'
import type { Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptOutcome, AttemptReason } from '../operation/result.ts'
import type { CancelReason } from '../operation/runner.ts'
import { endsAtMs, isBound, lastOn, newRun, runningAttempt, type Attempt, type Run } from './attempt-run.ts'
import type { AttemptRules, StepFacts } from './attempt-rules.ts'
import { tierOf, tiers } from './candidate-order.ts'
import type { Plan } from './decide-route.ts'
import { faultTable } from './fault-table.ts'
import { deadlineProblem, exhaustedProblem, hopelessProblem, overloadedProblem, stoppedProblem, throttledBeforeStart, type FinalProblem } from './final-problem.ts'
import { pickNext, pickRoom } from './next-attempt.ts'
import { otherRoute, type Candidate } from './conditions.ts'

export type MachineEvent =
  | { readonly type: 'admitted' }
  | { readonly type: 'attempt_sent'; readonly number: number }
  | { readonly type: 'first_content'; readonly number: number }
  /** The last instant at which the attempt was heard of. */
  | { readonly type: 'progress'; readonly number: number; readonly atMs: number }
  | { readonly type: 'attempt_succeeded'; readonly number: number }
  | { readonly type: 'attempt_failed'; readonly number: number; readonly fault: Fault }
  /** It ended without being asked to and without a fault. */
  | { readonly type: 'attempt_cancelled'; readonly number: number }
  | { readonly type: 'timer' }
  /** Some target may have room. */
  | { readonly type: 'room' }
  /** It gives way to what matters more. */
  | { readonly type: 'shed'; readonly retryAfterMs: number }
  | { readonly type: 'cancel'; readonly reason: CancelReason }

export type MachineAction =
  | {
      readonly type: 'start_attempt'
      readonly number: number
      readonly route: Route
      readonly target: string
      readonly reason: AttemptReason
      readonly deadlineMs: number
    }
  /** `overdue`: help had been started for it, so that losing says something about its target. */
  | { readonly type: 'cancel_attempt'; readonly number: number; readonly overdue: boolean }
  /** What this attempt said and says goes to the caller. */
  | { readonly type: 'speak'; readonly number: number }
  | {
      readonly type: 'notify_attempt'
      readonly number: number
      readonly route: Route
      readonly target: string
      readonly reason: Exclude<AttemptReason, 'first'>
      readonly restart: boolean
    }
  | { readonly type: 'wake_at'; readonly atMs: number }
  | { readonly type: 'await_room'; readonly untilMs: number }
  | { readonly type: 'leave_room' }
  | { readonly type: 'finish'; readonly status: MachineStatus; readonly winner: number | null; readonly problem: FinalProblem | null }

export type MachineStatus = 'succeeded' | 'failed' | 'cancelled'

export type MachineState =
  /** Nothing has reached the caller. */
  | { readonly phase: 'working'; readonly run: Run }
  /** The speaker's events reach the caller. */
  | { readonly phase: 'speaking'; readonly run: Run; readonly speaker: number }
  /** The caller has text of an attempt that is lost; a new one is on its way. */
  | { readonly phase: 'restarting'; readonly run: Run }
  | { readonly phase: 'ended'; readonly run: Run; readonly status: MachineStatus; readonly winner: number | null }

export function createMachine(operation: Operation, plan: Plan, rules: AttemptRules): MachineState {
  return { phase: 'working', run: newRun(operation, plan, rules) }
}

/** Appends to `actions` what is to be done, in this order, and answers the next state. Late and repeated events change nothing. */
export function step(state: MachineState, event: MachineEvent, facts: StepFacts, actions: MachineAction[]): MachineState {
  if (state.phase === 'ended') return state
  const next = transition(state, event, facts, actions)
  if (next.phase !== 'ended') rearm(next, actions)
  return next
}

type Live = Exclude<MachineState, { readonly phase: 'ended' }>

function transition(state: Live, event: MachineEvent, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  const { nowMs } = facts
  switch (event.type) {
    case 'admitted':
      if (run.admitted) return state
      run.admitted = true
      return startFirst(state, facts, actions)
    case 'attempt_sent': {
      const attempt = runningAttempt(run, event.number)
      if (attempt !== undefined) attempt.sent = true
      return state
    }
    case 'progress':
      if (state.phase === 'speaking' && event.number === state.speaker) run.lastProgressAtMs = Math.max(run.lastProgressAtMs, event.atMs)
      return state
    case 'first_content': {
      const attempt = runningAttempt(run, event.number)
      if (attempt === undefined || !run.streaming || state.phase === 'speaking') return state
      if (nowMs >= endsAtMs(run)) return finishAtDeadline(run, nowMs, actions)
      return speak(run, attempt, nowMs, actions)
    }
    case 'attempt_succeeded': {
      const attempt = runningAttempt(run, event.number)
      if (attempt === undefined) return state
      if (nowMs >= endsAtMs(run)) return finishAtDeadline(run, nowMs, actions)
      if (run.streaming && state.phase !== 'speaking') speak(run, attempt, nowMs, actions)
      settle(run, attempt, 'succeeded', null, nowMs)
      return finish(run, 'succeeded', attempt.number, null, nowMs, actions)
    }
    case 'attempt_failed':
      return failed(state, event.number, event.fault, facts, actions)
    case 'attempt_cancelled':
      return failed(state, event.number, endedByItself, facts, actions)
    case 'timer':
      run.wakeAtMs = Number.POSITIVE_INFINITY
      return onTimer(state, facts, actions)
    case 'room':
      return onRoom(state, facts, actions)
    case 'shed':
      if (run.room === null) return state
      leaveRoom(run, actions)
      if (run.running > 0) return state
      return finish(run, 'failed', null, overloadedProblem(run, nowMs, event.retryAfterMs), nowMs, actions)
    case 'cancel':
      return finish(run, 'cancelled', null, event.reason === 'shutdown' ? stoppedProblem(run) : null, nowMs, actions)
  }
}

const endedByItself: Fault = Object.freeze({ kind: 'network', retryable: true, message: 'The attempt ended without an answer' })

/** The decision's target. An emergency does not wait for a throttle that others have caused; all others do while it fits. */
function startFirst(state: Live, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  const { route, target } = run.plan.decision
  if (facts.nowMs >= run.deadlineMs) return finishAtDeadline(run, facts.nowMs, actions)
  if (route === null || target === null) return finish(run, 'failed', null, exhaustedProblem(run, facts.nowMs), facts.nowMs, actions)
  const candidate = candidateOf(facts, route, target)
  const isEmergency = run.operation.type === 'emergency'
  if (candidate === undefined || (isEmergency && tierOf(candidate, facts.nowMs, run.plan.claim) !== tiers.full)) {
    start(run, route, target, 'first', facts, actions)
    return state
  }
  const { throttledUntilMs } = candidate
  switch (tierOf(candidate, facts.nowMs, run.plan.claim)) {
    case tiers.ready:
    case tiers.slow:
    case tiers.resting:
      if (!run.rules.policy.isWorthStarting(run, route, target, facts.nowMs, facts)) return finish(run, 'failed', null, hopelessProblem(run, facts.nowMs), facts.nowMs, actions)
      start(run, route, target, 'first', facts, actions)
      return state
    case tiers.full:
      return awaitRoom(state, 'first', 0, facts, actions)
    case tiers.throttled:
      if (throttledUntilMs >= run.deadlineMs - run.rules.limits.leastTimeShare * run.operation.hardTimeoutMs) {
        return finish(run, 'failed', null, throttledBeforeStart(throttledUntilMs - facts.nowMs), facts.nowMs, actions)
      }
      run.waitedFirst = true
      run.waiting = { untilMs: throttledUntilMs, route, target, reason: 'first' }
      return state
  }
}

function candidateOf(facts: StepFacts, route: Route, target: string): Candidate | undefined {
  for (const candidate of facts.conditions[route].candidates) if (candidate.id === target) return candidate
  return undefined
}

/** Where nothing has room it waits, as long as it could still be in time; an emergency first of all, and only for a moment. */
function awaitRoom(state: Live, reason: AttemptReason, againFromMs: number, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  const { nowMs } = facts
  const untilMs = run.operation.type === 'emergency' ? run.deadlineMs : Math.min(run.deadlineMs, run.rules.policy.latestStartMs(run, facts))
  if (nowMs >= untilMs) {
    if (run.running > 0) return state
    return finish(run, 'failed', null, overloadedProblem(run, nowMs, null), nowMs, actions)
  }
  if (run.attempts.length === 0) run.waitedFirst = true
  if (run.room === null) actions.push({ type: 'await_room', untilMs })
  const regardlessFromMs = run.operation.type === 'emergency' ? nowMs + emergencyWaitShare * run.operation.latencyRequirementMs : Number.POSITIVE_INFINITY
  run.room = { untilMs, lookAtMs: nextLookMs(run, againFromMs, regardlessFromMs, facts), againFromMs, regardlessFromMs, reason }
  return state
}

/** The next instant at which time alone may make room: nothing ends then that would tell of it. */
function nextLookMs(run: Run, againFromMs: number, regardlessFromMs: number, facts: StepFacts): number {
  const { nowMs } = facts
  let soonestMs = regardlessFromMs > nowMs ? regardlessFromMs : Number.POSITIVE_INFINITY
  if (againFromMs > nowMs && againFromMs < soonestMs) soonestMs = againFromMs
  for (const route of run.plan.routes) {
    for (const { throttledUntilMs } of facts.conditions[route].candidates) {
      if (throttledUntilMs > nowMs && throttledUntilMs < soonestMs) soonestMs = throttledUntilMs
    }
  }
  return soonestMs
}

/** The share of its requirement for which an emergency is the first in line; then it is sent anyway: a limit is an estimate. */
const emergencyWaitShare = 0.25

function onRoom(state: Live, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  const { room } = run
  if (room === null) return state
  const overdue = facts.nowMs >= room.regardlessFromMs
  const pick = isBound(run) || run.attempts.length >= run.rules.limits.attempts ? null : pickRoom(run, facts, overdue, room.againFromMs)
  if (pick === null) {
    run.room = { ...room, lookAtMs: nextLookMs(run, room.againFromMs, room.regardlessFromMs, facts) }
    return state
  }
  if (!run.rules.policy.isWorthStarting(run, pick.route, pick.target, facts.nowMs, facts)) {
    if (run.running > 0) return state
    return finish(run, 'failed', null, hopelessProblem(run, facts.nowMs), facts.nowMs, actions)
  }
  leaveRoom(run, actions)
  const reason = room.reason === 'first' ? 'first' : reasonFor(run, pick.route, 'retry')
  if (lastOn(run, pick.route, pick.target) !== undefined) run.retries += 1
  startAlone(run, pick.route, pick.target, reason, facts, actions)
  return state
}

function leaveRoom(run: Run, actions: MachineAction[]): void {
  if (run.room === null) return
  run.room = null
  actions.push({ type: 'leave_room' })
}

function start(run: Run, route: Route, target: string, reason: AttemptReason, facts: StepFacts, actions: MachineAction[]): void {
  const number = run.attempts.length + 1
  const { operation, rules } = run
  const attempt: Attempt = {
    number,
    route,
    target,
    reason,
    startedAtMs: facts.nowMs,
    repeatable: operation.repeatable && facts.conditions[route].repeatable,
    sent: false,
    outcome: null,
    endedAtMs: facts.nowMs,
    fault: null,
    checkAtMs: Number.POSITIVE_INFINITY,
    overdue: false,
  }
  const restart = run.firstContentAtMs !== null
  if (!restart) attempt.checkAtMs = rules.policy.checkAtMs(run, attempt, facts)
  run.attempts.push(attempt)
  run.running += 1
  run.waiting = null
  if (reason !== 'first') actions.push({ type: 'notify_attempt', number, route, target, reason, restart })
  const deadlineMs = restart ? Math.min(endsAtMs(run), facts.nowMs + operation.streamSilenceMs) : run.deadlineMs
  actions.push({ type: 'start_attempt', number, route, target, reason, deadlineMs })
}

/** First content: it wins, whoever else runs is cancelled. */
function speak(run: Run, attempt: Attempt, nowMs: number, actions: MachineAction[]): MachineState {
  run.firstContentAtMs ??= nowMs
  run.lastProgressAtMs = nowMs
  run.waiting = null
  leaveRoom(run, actions)
  cancelOthers(run, attempt, nowMs, actions)
  actions.push({ type: 'speak', number: attempt.number })
  return { phase: 'speaking', run, speaker: attempt.number }
}

function failed(state: Live, number: number, fault: Fault, facts: StepFacts, actions: MachineAction[]): MachineState {
  const attempt = runningAttempt(state.run, number)
  if (attempt === undefined) return state
  settle(state.run, attempt, outcomeOf(fault), fault, facts.nowMs)
  if (facts.nowMs >= endsAtMs(state.run)) return finishAtDeadline(state.run, facts.nowMs, actions)
  return goOn(state, attempt, fault, facts, actions)
}

/** The contract's word: `rejected` was refused before it was sent. */
function outcomeOf(fault: Fault): AttemptOutcome {
  if (fault.rejected === true) return 'rejected'
  if (fault.kind === 'timeout') return 'timed_out'
  return fault.kind === 'throttled' ? 'throttled' : 'failed'
}

/** After an attempt was lost: another one, a wait, the attempts that still run, or the end. */
function goOn(state: Live, lost: Attempt, fault: Fault, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  const { nowMs } = facts
  if (failsEverywhere(fault)) return finish(run, 'failed', null, exhaustedProblem(run, nowMs), nowMs, actions)
  const going: Live = state.phase === 'speaking' ? { phase: 'restarting', run } : state
  if (run.waiting !== null || run.room !== null || hopeful(run)) return going
  if (!isBound(run) && run.attempts.length < run.rules.limits.attempts) {
    const firstRoute = faultTable[fault.kind].next === 'route' ? otherRoute(lost.route) : lost.route
    const pick = pickNext(run, facts, firstRoute, fault)
    if (pick?.kind === 'room') return awaitRoom(going, 'retry', pick.againFromMs, facts, actions)
    if (pick !== null) {
      const reason = reasonFor(run, pick.route, 'retry')
      if (lastOn(run, pick.route, pick.target) !== undefined) run.retries += 1
      if (pick.kind === 'start' || pick.atMs <= nowMs) startAlone(run, pick.route, pick.target, reason, facts, actions)
      else run.waiting = { untilMs: pick.atMs, route: pick.route, target: pick.target, reason }
      return going
    }
  }
  if (run.running > 0) return going
  return finish(run, 'failed', null, exhaustedProblem(run, nowMs), nowMs, actions)
}

function reasonFor(run: Run, route: Route, sameRoute: 'retry' | 'hedge'): AttemptReason {
  if (run.firstContentAtMs !== null) return 'restart'
  return route === run.plan.decision.route ? sameRoute : 'fallback'
}

/** An attempt runs that is not late: what else there is can wait for it. */
function hopeful(run: Run): boolean {
  if (run.running === 0) return false
  for (const attempt of run.attempts) if (attempt.outcome === null && !attempt.overdue) return true
  return false
}

/**
 * Starts one more. What must not be repeated and is not on its way yet is taken back first: were it sent after all, the work
 * would be done twice.
 */
function startAlone(run: Run, route: Route, target: string, reason: AttemptReason, facts: StepFacts, actions: MachineAction[]): void {
  for (const attempt of run.attempts) if (attempt.outcome === null && !attempt.repeatable) cancelAttempt(run, attempt, 'cancelled', facts.nowMs, actions)
  start(run, route, target, reason, facts, actions)
}

function onTimer(state: Live, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  const { nowMs } = facts
  if (nowMs >= endsAtMs(run)) return finishAtDeadline(run, nowMs, actions)
  const { waiting, room } = run
  if (waiting !== null && nowMs >= waiting.untilMs) {
    run.waiting = null
    if (!isBound(run)) {
      // Everybody who waited for the same instant is here now: they do not all start at once.
      const candidate = candidateOf(facts, waiting.route, waiting.target)
      const full = candidate !== undefined && tierOf(candidate, nowMs, run.plan.claim) === tiers.full
      if (full && state.phase === 'working') return awaitRoom(state, waiting.reason, 0, facts, actions)
      startAlone(run, waiting.route, waiting.target, waiting.reason, facts, actions)
    }
  }
  if (room !== null && nowMs >= room.untilMs) {
    leaveRoom(run, actions)
    if (run.running === 0) return finish(run, 'failed', null, overloadedProblem(run, nowMs, null), nowMs, actions)
  } else if (room !== null && nowMs >= room.lookAtMs) {
    const next = onRoom(state, facts, actions)
    if (next.phase === 'ended') return next
  }
  switch (state.phase) {
    case 'working':
      checkPending(run, facts, actions)
      return state
    case 'speaking': {
      const speaker = runningAttempt(run, state.speaker)
      if (speaker === undefined || nowMs < run.lastProgressAtMs + run.operation.streamSilenceMs) return state
      return stalled(state, speaker, facts, actions)
    }
    case 'restarting': {
      const silent = run.attempts.find((attempt) => attempt.outcome === null && nowMs >= attempt.startedAtMs + run.operation.streamSilenceMs)
      return silent === undefined ? state : stalled(state, silent, facts, actions)
    }
  }
}

/** Asks the policy about every attempt whose time has come. */
function checkPending(run: Run, facts: StepFacts, actions: MachineAction[]): void {
  const { nowMs } = facts
  const { policy, limits } = run.rules
  // Attempts that are started here are looked at later.
  const count = run.attempts.length
  for (let index = 0; index < count; index += 1) {
    const attempt = run.attempts[index]
    if (attempt === undefined || attempt.outcome !== null || nowMs < attempt.checkAtMs) continue
    if (run.waiting !== null || run.room !== null || run.running >= limits.concurrent || run.attempts.length >= limits.attempts || isBound(run)) {
      // No help is possible: whatever is waited for comes without it.
      attempt.checkAtMs = Number.POSITIVE_INFINITY
      continue
    }
    const verdict = policy.onCheck(run, attempt, facts)
    if (!verdict.help) {
      // A policy that names no later instant is done with this attempt: the machine must not spin.
      attempt.checkAtMs = verdict.checkAgainAtMs > nowMs ? verdict.checkAgainAtMs : Number.POSITIVE_INFINITY
      continue
    }
    attempt.checkAtMs = Number.POSITIVE_INFINITY
    attempt.overdue = true
    startAlone(run, verdict.route, verdict.target, reasonFor(run, verdict.route, 'hedge'), facts, actions)
  }
}

function stalled(state: Live, attempt: Attempt, facts: StepFacts, actions: MachineAction[]): MachineState {
  const fault: Fault = { kind: 'timeout', retryable: true, message: `Silent for ${state.run.operation.streamSilenceMs} ms` }
  cancelAttempt(state.run, attempt, 'timed_out', facts.nowMs, actions)
  attempt.fault = fault
  return goOn(state, attempt, fault, facts, actions)
}

function settle(run: Run, attempt: Attempt, outcome: AttemptOutcome, fault: Fault | null, nowMs: number): void {
  assert(attempt.outcome === null, 'an attempt ends once')
  attempt.outcome = outcome
  attempt.fault = fault
  attempt.endedAtMs = nowMs
  run.running -= 1
}

function cancelAttempt(run: Run, attempt: Attempt, outcome: AttemptOutcome, nowMs: number, actions: MachineAction[]): void {
  settle(run, attempt, outcome, null, nowMs)
  actions.push({ type: 'cancel_attempt', number: attempt.number, overdue: attempt.overdue })
}

function cancelOthers(run: Run, winner: Attempt | null, nowMs: number, actions: MachineAction[], outcome: AttemptOutcome = 'cancelled'): void {
  if (run.running === 0) return
  for (const attempt of run.attempts) if (attempt.outcome === null && attempt !== winner) cancelAttempt(run, attempt, outcome, nowMs, actions)
}

function finishAtDeadline(run: Run, nowMs: number, actions: MachineAction[]): MachineState {
  const problem = deadlineProblem(run, nowMs)
  cancelOthers(run, null, nowMs, actions, 'timed_out')
  return finish(run, 'failed', null, problem, nowMs, actions)
}

function finish(run: Run, status: MachineStatus, winner: number | null, problem: FinalProblem | null, nowMs: number, actions: MachineAction[]): MachineState {
  cancelOthers(run, null, nowMs, actions)
  run.waiting = null
  leaveRoom(run, actions)
  run.wakeAtMs = Number.POSITIVE_INFINITY
  actions.push({ type: 'finish', status, winner, problem })
  return { phase: 'ended', run, status, winner }
}

/** The next instant at which time alone changes something. */
function rearm(state: Live, actions: MachineAction[]): void {
  const { run } = state
  let atMs = endsAtMs(run)
  if (run.waiting !== null && run.waiting.untilMs < atMs) atMs = run.waiting.untilMs
  if (run.room !== null) atMs = Math.min(atMs, run.room.untilMs, run.room.lookAtMs)
  switch (state.phase) {
    case 'working':
      for (const attempt of run.attempts) if (attempt.outcome === null && attempt.checkAtMs < atMs) atMs = attempt.checkAtMs
      break
    case 'speaking':
      atMs = Math.min(atMs, run.lastProgressAtMs + run.operation.streamSilenceMs)
      break
    case 'restarting':
      for (const attempt of run.attempts) if (attempt.outcome === null) atMs = Math.min(atMs, attempt.startedAtMs + run.operation.streamSilenceMs)
      break
  }
  if (atMs === run.wakeAtMs) return
  run.wakeAtMs = atMs
  actions.push({ type: 'wake_at', atMs })
}
