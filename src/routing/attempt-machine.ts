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
import { failsEverywhere, type Fault } from '../operation/fault.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptOutcome } from '../operation/result.ts'
import { cancelAttempt, cancelOthers, finish, finishAtDeadline, leaveRoom, reasonFor, settle, start, startAlone, tellHedges } from './attempt-moves.ts'
import type { AttemptRules, StepFacts } from './attempt-rules.ts'
import { endsAtMs, isBound, lastOn, newRun, runningAttempt, type Attempt, type Run } from './attempt-run.ts'
import { candidateNamed, tierOf, tiers } from './candidate-order.ts'
import { otherRoute } from './conditions.ts'
import type { Plan } from './decide-route.ts'
import { faultTable } from './fault-table.ts'
import { exhaustedProblem, hopelessProblem, stoppedProblem, throttledBeforeStart } from './final-problem.ts'
import type { Live, MachineAction, MachineEvent, MachineState } from './machine-protocol.ts'
import { pickNext } from './next-attempt.ts'
import { checkPending, hopeful } from './pending-help.ts'
import { awaitRoom, giveUpRoom, onRoom, onRoomTimer } from './room-wait.ts'

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
      return onRoom(state, event.surely, facts, actions)
    case 'shed':
      return giveUpRoom(state, event.retryAfterMs, facts, actions)
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
  const candidate = candidateNamed(facts.conditions[route], target)
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

/** First content: it wins, whoever else runs is cancelled. */
function speak(run: Run, attempt: Attempt, nowMs: number, actions: MachineAction[]): MachineState {
  run.firstContentAtMs ??= nowMs
  run.lastProgressAtMs = nowMs
  run.waiting = null
  leaveRoom(run, actions)
  cancelOthers(run, attempt, nowMs, actions)
  tellHedges(run, attempt.number)
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

function onTimer(state: Live, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  const { nowMs } = facts
  if (nowMs >= endsAtMs(run)) return finishAtDeadline(run, nowMs, actions)
  const { waiting, room } = run
  if (waiting !== null && nowMs >= waiting.untilMs) {
    run.waiting = null
    if (!isBound(run)) {
      // Everybody who waited for the same instant is here now: they do not all start at once.
      const candidate = candidateNamed(facts.conditions[waiting.route], waiting.target)
      const full = candidate !== undefined && tierOf(candidate, nowMs, run.plan.claim) === tiers.full
      if (full && state.phase === 'working') return awaitRoom(state, waiting.reason, 0, facts, actions)
      startAlone(run, waiting.route, waiting.target, waiting.reason, facts, actions)
    }
  }
  if (room !== null) {
    const next = onRoomTimer(state, facts, actions)
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

function stalled(state: Live, attempt: Attempt, facts: StepFacts, actions: MachineAction[]): MachineState {
  const fault: Fault = { kind: 'timeout', retryable: true, message: `Silent for ${state.run.operation.streamSilenceMs} ms` }
  cancelAttempt(state.run, attempt, 'timed_out', facts.nowMs, actions)
  attempt.fault = fault
  return goOn(state, attempt, fault, facts, actions)
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
