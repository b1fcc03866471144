/**
 * Which attempt comes next: an untried candidate of an allowed route, else one that must be waited for (it asked us to, or
 * it is tried again after a backoff).
 *
 * Untried candidates go before retries of the same target, because a retry meets the same fault more often than not. Resting
 * candidates go before waiting: a probe that may succeed now is worth more than a wait for one that just failed. An emergency
 * does not wait for a throttle that others have caused.
 *
 * Must not know: what is sent or spoken; it reads the run and the view and answers with a pick.
 * Source: public contract, part 3, and the house design ("Retry budget").
 */
import type { Route } from '../operation/matrix.ts'
import { goesBefore, tierOf, tiers } from './candidate-order.ts'
import type { Candidate, Conditions } from './conditions.ts'
import { endsAtMs, lastOn, type Attempt, type Run } from './attempt-run.ts'

export interface Pick {
  readonly route: Route
  readonly target: string
  /** Now, or when it may be started. */
  readonly atMs: number
}

/** What is true at the instant of a step. `random` is uniform in [0, 1). */
export interface StepFacts {
  readonly nowMs: number
  readonly random: number
  readonly conditions: Conditions
}

/** An untried candidate that can be started now and does not rest. */
export function pickReady(run: Run, facts: StepFacts, firstRoute: Route): Pick | null {
  const found = bestUntried(run, facts, firstRoute)
  return found !== null && tierOf(found.candidate, facts.nowMs) <= tiers.slow ? { route: found.route, target: found.candidate.id, atMs: facts.nowMs } : null
}

/** After a failure: whatever may still answer in time. */
export function pickNext(run: Run, facts: StepFacts, firstRoute: Route): Pick | null {
  const { nowMs } = facts
  const latestStartMs = endsAtMs(run) - run.rules.limits.leastTimeShare * run.operation.hardTimeoutMs
  if (nowMs > latestStartMs) return null
  const untried = bestUntried(run, facts, firstRoute)
  if (untried !== null) {
    const { route, candidate } = untried
    const startable = tierOf(candidate, nowMs) !== tiers.throttled || run.operation.type === 'emergency'
    if (startable) return { route, target: candidate.id, atMs: nowMs }
    const retry = soonestRetry(run, facts)
    if (retry === null || candidate.throttledUntilMs <= retry.atMs) {
      return candidate.throttledUntilMs <= latestStartMs ? { route, target: candidate.id, atMs: candidate.throttledUntilMs } : null
    }
  }
  const retry = soonestRetry(run, facts)
  if (retry === null || retry.atMs > latestStartMs) return null
  return run.rules.retryBudget.spend() ? retry : null
}

function bestUntried(run: Run, facts: StepFacts, firstRoute: Route): { readonly route: Route; readonly candidate: Candidate } | null {
  const { nowMs, conditions } = facts
  let best: Candidate | null = null
  let bestRoute: Route = firstRoute
  for (let turn = 0; turn < 2; turn += 1) {
    // The wanted route first, then the others that the plan allows.
    for (const route of run.plan.routes) {
      if ((route === firstRoute) !== (turn === 0)) continue
      const inRoute = bestUntriedOf(run, conditions, route, nowMs)
      if (inRoute !== null && (best === null || band(inRoute, nowMs) < band(best, nowMs))) {
        best = inRoute
        bestRoute = route
      }
    }
  }
  return best === null ? null : { route: bestRoute, candidate: best }
}

function bestUntriedOf(run: Run, conditions: Conditions, route: Route, nowMs: number): Candidate | null {
  let best: Candidate | null = null
  for (const candidate of conditions[route].candidates) {
    if (lastOn(run, route, candidate.id) !== undefined) continue
    if (best === null || goesBefore(candidate, best, nowMs)) best = candidate
  }
  return best
}

/** Across routes only health counts: a slow target of the wanted route goes before a quick one of the other. */
function band(candidate: Candidate, nowMs: number): number {
  return Math.max(tiers.slow, tierOf(candidate, nowMs))
}

/** The soonest that a target which failed in a way that may pass can be tried again: full jitter, `Retry-After` obeyed. */
function soonestRetry(run: Run, facts: StepFacts): Pick | null {
  const { limits } = run.rules
  if (run.retries >= limits.sameTargetRetries) return null
  let soonest: Pick | null = null
  for (const attempt of run.attempts) {
    const fault = attempt.fault
    if (fault === null || !fault.retryable || lastOn(run, attempt.route, attempt.target) !== attempt) continue
    const baseMs = fault.kind === 'throttled' ? limits.throttledBackoffBaseMs : limits.backoffBaseMs
    const backoffMs = facts.random * Math.min(limits.backoffCapMs, baseMs * 2 ** run.retries)
    const atMs = Math.max(facts.nowMs + backoffMs, attempt.endedAtMs + (fault.retryAfterMs ?? 0), throttledUntil(facts.conditions, attempt))
    if (soonest === null || atMs < soonest.atMs) soonest = { route: attempt.route, target: attempt.target, atMs }
  }
  return soonest
}

function throttledUntil(conditions: Conditions, attempt: Attempt): number {
  for (const candidate of conditions[attempt.route].candidates) if (candidate.id === attempt.target) return candidate.throttledUntilMs
  return 0
}
