/**
 * The port between what takes operations in (HTTP, the queue's worker, the drills) and what answers them (the Hybrid Router).
 */
import type { ConverseStreamEvent } from './converse.ts'
import type { RoutingDecision } from './decision.ts'
import type { Route } from './matrix.ts'
import type { Operation } from './operation.ts'
import type { AttemptReason, OperationResult } from './result.ts'

/** An attempt after the first: the contract's `attempt` event. */
export interface AttemptNotice {
  readonly number: number
  readonly route: Route
  readonly target: string
  readonly reason: Exclude<AttemptReason, 'first'>
  /** True when text was already delivered: what follows is the new text from its start. */
  readonly restart: boolean
}

export interface OperationObserver {
  onDecision(decision: RoutingDecision): void
  onAttempt(notice: AttemptNotice): void
  /** Events of the attempt that speaks to the caller; nothing is called before its first content. Streams only. */
  onEvent(event: ConverseStreamEvent): void
  /** Exactly once, after everything else. */
  onResult(result: OperationResult): void
}

/** Who ended it: the caller asked, the caller is gone, or the service stops. */
export type CancelReason = 'requested' | 'caller_gone' | 'shutdown'

export interface RunningOperation {
  /** The result as it stands: `running` until `onResult`. */
  snapshot(): OperationResult
  /** Ends it as `cancelled`, every attempt included. Nothing happens when it has already ended. */
  cancel(reason: CancelReason): void
}

export interface OperationRunner {
  run(operation: Operation, observer: OperationObserver): RunningOperation
  /** The decision that `run` would begin with, and nothing executed. */
  decide(operation: Operation): RoutingDecision
}
