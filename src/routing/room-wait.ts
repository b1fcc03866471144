/**
 * The part of the attempt machine that waits for room: an operation for which no target has a place asks the shell to be
 * told of one, looks again when time alone may have made one, and gives up when it would be too late.
 *
 * Must not know: in which order the shell serves those who wait (`waiting-room.ts`). Source: house design, "Priority all the
 * way"; decision 035.
 */
import type { AttemptReason } from '../operation/result.ts'
import { finish, leaveRoom, reasonFor, startAlone } from './attempt-moves.ts'
import type { StepFacts } from './attempt-rules.ts'
import { isBound, lastOn, type Run } from './attempt-run.ts'
import { hopelessProblem, overloadedProblem } from './final-problem.ts'
import type { Live, MachineAction, MachineState } from './machine-protocol.ts'
import { pickRoom } from './next-attempt.ts'

/** The share of its requirement for which an emergency is the first in line; then it is sent anyway: a limit is an estimate. */
const emergencyWaitShare = 0.25

/** Where nothing has room it waits, as long as it could still be in time; an emergency first of all, and only for a moment. */
export function awaitRoom(state: Live, reason: AttemptReason, againFromMs: number, facts: StepFacts, actions: MachineAction[]): MachineState {
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

/** Somebody else has ended: if there is room for this one now, it starts there. */
export function onRoom(state: Live, surely: boolean, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  const { room } = run
  if (room === null) return state
  const overdue = facts.nowMs >= room.regardlessFromMs
  const pick = isBound(run) || run.attempts.length >= run.rules.limits.attempts ? null : pickRoom(run, facts, overdue, surely, room.againFromMs)
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

/** It must give way, or its time to wait is over: what runs goes on, and without that it ends. */
export function giveUpRoom(state: Live, retryAfterMs: number | null, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { run } = state
  if (run.room === null) return state
  leaveRoom(run, actions)
  if (run.running > 0) return state
  return finish(run, 'failed', null, overloadedProblem(run, facts.nowMs, retryAfterMs), facts.nowMs, actions)
}

/** What time alone changes for one that waits. */
export function onRoomTimer(state: Live, facts: StepFacts, actions: MachineAction[]): MachineState {
  const { room } = state.run
  if (room === null) return state
  if (facts.nowMs >= room.untilMs) return giveUpRoom(state, null, facts, actions)
  return facts.nowMs >= room.lookAtMs ? onRoom(state, false, facts, actions) : state
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
