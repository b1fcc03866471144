/**
 * The moves of which every transition of the attempt machine is made: an attempt starts, is settled, is cancelled; the
 * operation leaves the waiting room, or ends. Each changes the run and appends the actions that carry the change out, so
 * that the two never differ.
 *
 * Must not know: why a move is made. Source: public contract, part 3.
 */
import assert from 'node:assert/strict'
import type { Fault } from '../operation/fault.ts'
import type { Route } from '../operation/matrix.ts'
import type { AttemptOutcome, AttemptReason } from '../operation/result.ts'
import type { StepFacts } from './attempt-rules.ts'
import { endsAtMs, type Attempt, type Run } from './attempt-run.ts'
import { deadlineProblem, type FinalProblem } from './final-problem.ts'
import type { MachineAction, MachineState, MachineStatus } from './machine-protocol.ts'

/** One more attempt, whose first look is asked of the policy; one that restarts a stream is bounded by silence instead. */
export function start(run: Run, route: Route, target: string, reason: AttemptReason, facts: StepFacts, actions: MachineAction[]): void {
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
    late: false,
    hedging: false,
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

/**
 * Starts one more. What must not be repeated and is not on its way yet is taken back first: were it sent after all, the work
 * would be done twice.
 */
export function startAlone(run: Run, route: Route, target: string, reason: AttemptReason, facts: StepFacts, actions: MachineAction[]): void {
  for (const attempt of run.attempts) if (attempt.outcome === null && !attempt.repeatable) cancelAttempt(run, attempt, 'cancelled', facts.nowMs, actions)
  start(run, route, target, reason, facts, actions)
}

/** The contract's word for an attempt that is not the first. @param sameRoute what it is called on the decision's own route */
export function reasonFor(run: Run, route: Route, sameRoute: 'retry' | 'hedge'): AttemptReason {
  if (run.firstContentAtMs !== null) return 'restart'
  return route === run.plan.decision.route ? sameRoute : 'fallback'
}

/** It ends, by what was heard of it. */
export function settle(run: Run, attempt: Attempt, outcome: AttemptOutcome, fault: Fault | null, nowMs: number): void {
  assert(attempt.outcome === null, 'an attempt ends once')
  attempt.outcome = outcome
  attempt.fault = fault
  attempt.endedAtMs = nowMs
  run.running -= 1
}

/** It ends because we want it to. */
export function cancelAttempt(run: Run, attempt: Attempt, outcome: AttemptOutcome, nowMs: number, actions: MachineAction[]): void {
  settle(run, attempt, outcome, null, nowMs)
  actions.push({ type: 'cancel_attempt', number: attempt.number, overdue: attempt.overdue })
}

/** All that run but the winner. */
export function cancelOthers(run: Run, winner: Attempt | null, nowMs: number, actions: MachineAction[], outcome: AttemptOutcome = 'cancelled'): void {
  if (run.running === 0) return
  for (const attempt of run.attempts) if (attempt.outcome === null && attempt !== winner) cancelAttempt(run, attempt, outcome, nowMs, actions)
}

/** The policy learns whether a hedge was worth its price. */
export function tellHedges(run: Run, winner: number | null): void {
  if (run.attempts.length === 1) return
  for (const attempt of run.attempts) {
    if (!attempt.hedging) continue
    attempt.hedging = false
    run.rules.policy.onHedgeEnded(attempt.number === winner)
  }
}

/** It no longer waits for room, if it did. */
export function leaveRoom(run: Run, actions: MachineAction[]): void {
  if (run.room === null) return
  run.room = null
  actions.push({ type: 'leave_room' })
}

/** Its time is over: what runs has timed out. */
export function finishAtDeadline(run: Run, nowMs: number, actions: MachineAction[]): MachineState {
  const problem = deadlineProblem(run, nowMs)
  cancelOthers(run, null, nowMs, actions, 'timed_out')
  return finish(run, 'failed', null, problem, nowMs, actions)
}

/** The one end of every operation. */
export function finish(run: Run, status: MachineStatus, winner: number | null, problem: FinalProblem | null, nowMs: number, actions: MachineAction[]): MachineState {
  cancelOthers(run, null, nowMs, actions)
  tellHedges(run, winner)
  run.waiting = null
  leaveRoom(run, actions)
  run.wakeAtMs = Number.POSITIVE_INFINITY
  actions.push({ type: 'finish', status, winner, problem })
  return { phase: 'ended', run, status, winner }
}
