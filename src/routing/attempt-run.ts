/**
 * The record that one operation's attempt machine owns: its attempts and its instants. The machine reuses it from step to
 * step, so that a step allocates little; nobody else writes to it.
 */
import { priorityRank, type Route } from '../operation/matrix.ts'
import type { Fault } from '../operation/fault.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptOutcome, AttemptReason } from '../operation/result.ts'
import type { AttemptRules, PendingWork } from './attempt-rules.ts'
import type { Plan } from './decide-route.ts'
import { faultTable } from './fault-table.ts'

export interface Attempt {
  readonly number: number
  readonly route: Route
  readonly target: string
  readonly reason: AttemptReason
  readonly startedAtMs: number
  /** False: once it was sent, nothing else may be. */
  readonly repeatable: boolean
  sent: boolean
  /** Null while it runs. */
  outcome: AttemptOutcome | null
  endedAtMs: number
  fault: Fault | null
  /** When the policy looks at it; Infinity once help was started, or never. */
  checkAtMs: number
  /** The look at it came late once: what had arrived meanwhile was let in first. */
  late: boolean
  /** It is a hedge of which the policy does not know yet how it ended. */
  hedging: boolean
  /** Help was wanted for it: it no longer holds others back. */
  overdue: boolean
}

export interface Waiting {
  readonly untilMs: number
  readonly route: Route
  readonly target: string
  readonly reason: AttemptReason
}

/** It waits until a target has room for it. */
export interface RoomWait {
  /** The latest start that makes sense. */
  readonly untilMs: number
  /** A throttle that ends by itself tells nobody: it looks again then. */
  readonly lookAtMs: number
  /** What refused it is asked again from then on. */
  readonly againFromMs: number
  /** From then on it is started whether there is room or not; Infinity for all but emergencies. */
  readonly regardlessFromMs: number
  readonly reason: AttemptReason
}

export interface Run extends PendingWork {
  readonly operation: Operation
  readonly plan: Plan
  readonly rules: AttemptRules
  readonly streaming: boolean
  readonly attempts: Attempt[]
  admitted: boolean
  running: number
  retries: number
  waiting: Waiting | null
  room: RoomWait | null
  /** Its first attempt had to wait until the target would take it. */
  waitedFirst: boolean
  /** The instant of the one timer that the shell holds for this operation; Infinity for none. */
  wakeAtMs: number
  /** Null until the caller got something. */
  firstContentAtMs: number | null
  lastProgressAtMs: number
}

export function newRun(operation: Operation, plan: Plan, rules: AttemptRules): Run {
  return {
    operation,
    plan,
    rules,
    streaming: operation.mode === 'stream',
    arrivedAtMs: operation.arrivedAtMs,
    requiredByMs: operation.arrivedAtMs + operation.latencyRequirementMs,
    deadlineMs: operation.arrivedAtMs + operation.hardTimeoutMs,
    priorityRank: priorityRank(operation.priority),
    attempts: [],
    admitted: false,
    running: 0,
    retries: 0,
    waiting: null,
    room: null,
    waitedFirst: false,
    wakeAtMs: Number.POSITIVE_INFINITY,
    firstContentAtMs: null,
    lastProgressAtMs: 0,
  }
}

export function runningAttempt(run: Run, number: number): Attempt | undefined {
  const attempt = run.attempts[number - 1]
  return attempt?.outcome === null ? attempt : undefined
}

export function lastOn(run: Run, route: Route, target: string): Attempt | undefined {
  for (let index = run.attempts.length - 1; index >= 0; index -= 1) {
    const attempt = run.attempts[index]
    if (attempt !== undefined && attempt.target === target && attempt.route === route) return attempt
  }
  return undefined
}

/** The instant that ends everything: the hard timeout until the caller has content, then the longest stream. */
export function endsAtMs(run: Run): number {
  return run.firstContentAtMs === null ? run.deadlineMs : run.firstContentAtMs + run.operation.streamMaxMs
}

/** It was sent, must not be repeated, and was not refused: nothing else may be started. */
export function bindsOthers(attempt: Attempt): boolean {
  if (attempt.repeatable || !attempt.sent) return false
  return attempt.fault === null || faultTable[attempt.fault.kind].afterSending !== 'refused'
}

export function isBound(run: Run): boolean {
  for (const attempt of run.attempts) if (bindsOthers(attempt)) return true
  return false
}

/** Something that must not be repeated may or may not have been carried out. */
export function isOutcomeUnknown(run: Run): boolean {
  for (const attempt of run.attempts) {
    if (bindsOthers(attempt) && (attempt.fault === null || faultTable[attempt.fault.kind].afterSending === 'unknown')) return true
  }
  return false
}
