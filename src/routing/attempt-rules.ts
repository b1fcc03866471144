/**
 * What the attempt machine is told besides events: its limits and the two decisions that others make for it, when an attempt
 * is helped before it has failed (`RescuePolicy`) and whether the process can afford one more retry (`RetryBudget`).
 *
 * The policy here is the simplest that works: a fixed share of the requirement. It knows no latencies; one that does takes
 * its place behind the same two methods.
 */
import type { Route } from '../operation/matrix.ts'

/** What a policy sees of an operation that has nothing to show yet. */
export interface PendingWork {
  readonly arrivedAtMs: number
  /** The end of the requirement and of the hard timeout. */
  readonly requiredByMs: number
  readonly deadlineMs: number
  readonly priorityRank: number
}

export interface PendingAttempt {
  readonly route: Route
  readonly target: string
  readonly startedAtMs: number
  readonly sent: boolean
}

/** `route`: the other route first; `target`: another target of the same route first. */
export type HelpFrom = 'route' | 'target'

export type RescueVerdict = { readonly help: true; readonly from: HelpFrom } | { readonly help: false; readonly checkAgainAtMs: number }

export interface RescuePolicy {
  /** When an attempt that has nothing to show is looked at; Infinity for never. */
  checkAtMs(work: PendingWork, attempt: PendingAttempt): number
  onCheck(work: PendingWork, attempt: PendingAttempt, nowMs: number): RescueVerdict
}

export interface RetryBudget {
  /** Takes one retry of the same target, or says that the process has used up its share (`AttemptBudget`). */
  spend(): boolean
}

export interface AttemptRules {
  readonly policy: RescuePolicy
  readonly retryBudget: RetryBudget
  readonly limits: AttemptLimits
}

export interface AttemptLimits {
  /** Attempts of one operation, whatever their reason. */
  readonly attempts: number
  /** Attempts that run at once. */
  readonly concurrent: number
  /** Retries on targets that were tried before. */
  readonly sameTargetRetries: number
  /** ms: the first backoff before full jitter; it doubles with each retry. */
  readonly backoffBaseMs: number
  readonly throttledBackoffBaseMs: number
  readonly backoffCapMs: number
  /** The least share of the hard timeout that must be left for an attempt to be worth its start. */
  readonly leastTimeShare: number
}

/**
 * attempts: eight targets are the most that is measured; a longer list of failures is an outage that more attempts feed.
 * concurrent: the second attempt brings nearly all of the gain (Dean and Barroso, "The Tail at Scale", 2013).
 * sameTargetRetries: as the AWS SDK's standard mode (three tries in all).
 * backoff: the bases of the AWS SDK's standard mode, 50 ms for transient errors and 1 s for throttling; the cap keeps a
 *   retry within requirements of seconds.
 * leastTimeShare: with less than a fiftieth of the hard timeout left no path has ever answered.
 */
export const defaultAttemptLimits: AttemptLimits = Object.freeze({
  attempts: 8,
  concurrent: 2,
  sameTargetRetries: 2,
  backoffBaseMs: 50,
  throttledBackoffBaseMs: 1_000,
  backoffCapMs: 5_000,
  leastTimeShare: 0.02,
})

/** The share of the requirement after which an attempt with nothing to show is helped: half is left for the helper. */
export const defaultRescueShare = 0.5

/**
 * Helps from the other route, which shares the least with what hangs, once the attempt has used `share` of what was left of
 * the requirement when it started (of the hard timeout, where the requirement had passed).
 */
export function createShareRescue(share: number): RescuePolicy {
  return {
    checkAtMs(work, attempt) {
      const untilMs = attempt.startedAtMs < work.requiredByMs ? work.requiredByMs : work.deadlineMs
      return attempt.startedAtMs + share * (untilMs - attempt.startedAtMs)
    },
    onCheck: () => helpFromOtherRoute,
  }
}

const helpFromOtherRoute: RescueVerdict = Object.freeze({ help: true, from: 'route' })
