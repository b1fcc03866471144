/**
 * What the attempt machine is told and what it answers: its events, its actions, and the states between them. Whoever runs
 * the machine needs no more than this (`attempt-machine.ts` says what each means for the operation).
 *
 * Must not know: how a state is reached. Source: public contract, part 3.
 */
import type { Fault } from '../operation/fault.ts'
import type { Route } from '../operation/matrix.ts'
import type { AttemptReason } from '../operation/result.ts'
import type { CancelReason } from '../operation/runner.ts'
import type { Run } from './attempt-run.ts'
import type { FinalProblem } from './final-problem.ts'

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
  /** Some target may have room; `surely`: take it only where that is nearly surely in time, since others of its class wait who may have more time left. */
  | { readonly type: 'room'; readonly surely: boolean }
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

/** Every state from which something may still happen. */
export type Live = Exclude<MachineState, { readonly phase: 'ended' }>
