/**
 * What the attempt machine is told besides events: its limits, the budget of retries, and the planning that rests on
 * estimates (`RescuePolicy`): when an attempt is helped before it has failed, and what is not worth starting any more.
 *
 * The policy that the service runs with is `chance-policy.ts`; `neverRescue` here is the one that helps nobody early and
 * doubts nothing.
 */
import type { Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptBudget } from './attempt-budget.ts'
import type { Conditions } from './conditions.ts'
import type { Plan } from './decide-route.ts'

/** What is true at the instant of a step. `random` is uniform in [0, 1). */
export interface StepFacts {
  readonly nowMs: number
  readonly random: number
  readonly conditions: Conditions
}

/** What a policy sees of an operation that has nothing to show yet. */
export interface PendingWork {
  readonly operation: Operation
  readonly plan: Plan
  readonly streaming: boolean
  readonly arrivedAtMs: number
  /** The end of the requirement and of the hard timeout. */
  readonly requiredByMs: number
  readonly deadlineMs: number
  readonly priorityRank: number
  readonly attempts: readonly PendingAttempt[]
}

export interface PendingAttempt {
  readonly route: Route
  readonly target: string
  readonly startedAtMs: number
  readonly repeatable: boolean
  /** Null while it runs. */
  readonly outcome: string | null
}

/** `help`: start one there, now; its budget is paid. */
export type RescueVerdict =
  | { readonly help: true; readonly kind: 'rescue' | 'hedge'; readonly route: Route; readonly target: string }
  | { readonly help: false; readonly checkAgainAtMs: number }

export interface RescuePolicy {
  /** When an attempt that has nothing to show is looked at; Infinity for never. */
  checkAtMs(work: PendingWork, attempt: PendingAttempt, facts: StepFacts): number
  /** Asked only when help could be started: what it names is started. */
  onCheck(work: PendingWork, attempt: PendingAttempt, facts: StepFacts): RescueVerdict
  /** Once for every hedge. @param won it answered first */
  onHedgeEnded(won: boolean): void
  /** Whether an attempt there that starts at the instant may still answer by the hard timeout. */
  isWorthStarting(work: PendingWork, route: Route, target: string, atMs: number, facts: StepFacts): boolean
  /** Until when waiting for room makes sense: later, the requirement would probably be missed wherever it went. */
  latestStartMs(work: PendingWork, facts: StepFacts): number
  /** The same for one target; `surely`: until when it would nearly surely be met there. */
  latestStartThereMs(work: PendingWork, route: Route, target: string, surely: boolean, facts: StepFacts): number
  /** The last instant at which an attempt would more likely than not be in time, wherever it went, be its target well or not. */
  latestRetryMs(work: PendingWork, facts: StepFacts): number
}

export interface AttemptRules {
  readonly policy: RescuePolicy
  /** For repeats of the same target and for attempts on targets that rest. */
  readonly retryBudget: AttemptBudget
  readonly limits: AttemptLimits
}

export interface AttemptLimits {
  /** Attempts of one operation, whatever their reason. */
  readonly attempts: number
  /** Attempts that run at once. */
  readonly concurrent: number
  /** Retries on targets that were tried before; an emergency is bounded by `attempts` alone. */
  readonly sameTargetRetries: number
  /** ms: the first backoff before full jitter; it doubles with each retry. */
  readonly backoffBaseMs: number
  readonly throttledBackoffBaseMs: number
  readonly backoffCapMs: number
  /** No backoff is more than this share of the requirement, and the first no more than half of that. */
  readonly backoffShare: number
  /** The least share of the hard timeout that must be left for an attempt to be worth its start. */
  readonly leastTimeShare: number
  /** Retries that are kept for emergencies: what others save up they may not spend. */
  readonly retriesKeptForEmergencies: number
}

/**
 * attempts: eight targets are the most that is measured; a longer list of failures is an outage that more attempts feed.
 * concurrent: the second attempt brings nearly all of the gain (Dean and Barroso, "The Tail at Scale", 2013).
 * sameTargetRetries: as the AWS SDK's standard mode (three tries in all).
 * backoff: the bases of the AWS SDK's standard mode, 50 ms for transient errors and 1 s for throttling; the cap and the
 *   share keep a retry within requirements of seconds, and of parts of them.
 * leastTimeShare: with less than a fiftieth of the hard timeout left no path has ever answered.
 * retriesKeptForEmergencies: half of what a quiet process has saved up.
 */
export const defaultAttemptLimits: AttemptLimits = Object.freeze({
  attempts: 8,
  concurrent: 2,
  sameTargetRetries: 2,
  backoffBaseMs: 50,
  throttledBackoffBaseMs: 1_000,
  backoffCapMs: 5_000,
  backoffShare: 0.2,
  leastTimeShare: 0.02,
  retriesKeptForEmergencies: 5,
})

export const neverRescue: RescuePolicy = Object.freeze({
  checkAtMs: () => Number.POSITIVE_INFINITY,
  onCheck: () => ({ help: false as const, checkAgainAtMs: Number.POSITIVE_INFINITY }),
  onHedgeEnded: () => undefined,
  isWorthStarting: () => true,
  latestStartMs: (work: PendingWork) => work.requiredByMs,
  latestStartThereMs: (work: PendingWork) => work.requiredByMs,
  latestRetryMs: (work: PendingWork) => work.requiredByMs,
})
