/**
 * Which attempt comes next: an untried candidate of an allowed route, else one that must be waited for (it asked us to, it
 * has no room, or it is tried again after a backoff).
 *
 * Untried candidates go before retries of the same target, because a retry meets the same fault more often than not. One that
 * rests, and one that was tried before, cost a retry of the process-wide budget; one that is well costs nothing, since trips
 * of breakers bound how often that happens. An emergency does not wait for what others have used up, and spends what the
 * budget keeps for it.
 *
 * Must not know: what is sent or spoken; it reads the run and the view and answers with a pick.
 * Source: public contract, part 3, and the house design ("Retry budget").
 */
import type { Fault } from '../operation/fault.ts'
import type { Route } from '../operation/matrix.ts'
import type { StepFacts } from './attempt-rules.ts'
import { candidateNamed, goesBefore, isReady, tierOf, tiers } from './candidate-order.ts'
import type { Candidate, Conditions } from './conditions.ts'
import { endsAtMs, lastOn, type Run } from './attempt-run.ts'
import { slowness } from './target-record.ts'

export type Pick =
  | { readonly kind: 'start'; readonly route: Route; readonly target: string }
  /** Not before the instant. */
  | { readonly kind: 'wait'; readonly route: Route; readonly target: string; readonly atMs: number }
  /** When some target has room; what has just refused is not asked again before the instant. */
  | { readonly kind: 'room'; readonly againFromMs: number }

/** After a failure: whatever may still answer in time. */
export function pickNext(run: Run, facts: StepFacts, firstRoute: Route, lost: Fault): Pick | null {
  const { nowMs } = facts
  const { operation, plan } = run
  const latestStartMs = endsAtMs(run) - run.rules.limits.leastTimeShare * operation.hardTimeoutMs
  if (nowMs > latestStartMs) return null
  const untried = bestUntried(run, facts, firstRoute)
  if (untried !== null) {
    const { route, candidate } = untried
    const tier = tierOf(candidate, nowMs, plan.claim)
    const isEmergency = operation.type === 'emergency'
    if (tier <= tiers.slow || (isEmergency && tier !== tiers.full) || (tier === tiers.resting && spendRetry(run))) return { kind: 'start', route, target: candidate.id }
    // A caller who has seen text already does not queue again.
    if (tier === tiers.full) return run.firstContentAtMs === null ? { kind: 'room', againFromMs: nowMs + backoffMs(run, lost, facts) } : { kind: 'start', route, target: candidate.id }
    if (tier === tiers.throttled) {
      const retry = soonestRetry(run, facts)
      if (retry === null || candidate.throttledUntilMs <= retry.atMs) {
        return candidate.throttledUntilMs <= latestStartMs ? { kind: 'wait', route, target: candidate.id, atMs: candidate.throttledUntilMs } : null
      }
    }
  }
  const retry = soonestRetry(run, facts)
  if (retry === null || retry.atMs > latestStartMs) return null
  if (run.firstContentAtMs === null && !run.rules.policy.isWorthStarting(run, retry.route, retry.target, retry.atMs, facts)) return null
  if (!spendRetry(run)) return null
  // What was refused for want of room goes when there is room again, and not after a guessed time.
  return lost.kind === 'throttled' && lost.retryAfterMs === undefined && run.firstContentAtMs === null ? { kind: 'room', againFromMs: retry.atMs } : retry
}

/**
 * Where there is room now: untried candidates first, the decision's route before the other.
 * @param anywhere whether there is room or not
 * @param surely only where it would nearly surely be in time
 * @param againFromMs what has just refused is not asked again before
 */
export function pickRoom(run: Run, facts: StepFacts, anywhere: boolean, surely: boolean, againFromMs: number): { readonly route: Route; readonly target: string } | null {
  const { nowMs, conditions } = facts
  const { claim } = run.plan
  let again: Candidate | null = null
  let againRoute: Route = 'direct'
  for (const route of run.plan.routes) {
    let best: Candidate | null = null
    for (const candidate of conditions[route].candidates) {
      if (!anywhere && (!isReady(candidate, nowMs, claim) || nowMs > latestThereMs(run, facts, route, candidate.id, surely))) continue
      const last = lastOn(run, route, candidate.id)
      if (last === undefined) {
        if (best === null || goesBefore(candidate, best, nowMs, claim)) best = candidate
      } else if (last.outcome !== null && nowMs >= againFromMs && (again === null || candidate.throttledShare < again.throttledShare)) {
        // Of those that have refused, the one that refuses the least; where it still works on it, twice the same helps nobody.
        again = candidate
        againRoute = route
      }
    }
    if (best !== null) return refusingLess(run, facts, route, best)
  }
  return again === null ? null : refusingLess(run, facts, againRoute, again)
}

/** Where it would be late it leaves the place to others; an emergency takes what there is. */
function latestThereMs(run: Run, facts: StepFacts, route: Route, target: string, surely: boolean): number {
  return run.operation.type === 'emergency' ? Number.POSITIVE_INFINITY : run.rules.policy.latestStartThereMs(run, route, target, surely, facts)
}

/** Room where most is refused is no room: an emergency, which no limit holds, goes where less is, be it full. */
function refusingLess(run: Run, facts: StepFacts, route: Route, picked: Candidate): { readonly route: Route; readonly target: string } {
  let target = picked
  if (run.operation.type === 'emergency' && picked.throttledShare > slowness.throttledShare) {
    for (const candidate of facts.conditions[route].candidates) {
      const isFree = candidate.usable && candidate.throttledUntilMs <= facts.nowMs && lastOn(run, route, candidate.id)?.outcome !== null
      if (isFree && candidate.throttledShare < clearlyLess * target.throttledShare) target = candidate
    }
  }
  return { route, target: target.id }
}

/** Shares of throttles are those of about ten attempts: a difference below this is chance. */
const clearlyLess = 0.7

/** An emergency takes what is there and is not refused when nothing is: its attempts are bounded by their number. */
function spendRetry(run: Run): boolean {
  const isEmergency = run.operation.type === 'emergency'
  return run.rules.retryBudget.spend(isEmergency ? 0 : run.rules.limits.retriesKeptForEmergencies) || isEmergency
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
      if (inRoute !== null && (best === null || band(run, inRoute, nowMs) < band(run, best, nowMs))) {
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
    if (best === null || goesBefore(candidate, best, nowMs, run.plan.claim)) best = candidate
  }
  return best
}

/** Across routes only health counts: a slow target of the wanted route goes before a quick one of the other. */
function band(run: Run, candidate: Candidate, nowMs: number): number {
  return Math.max(tiers.slow, tierOf(candidate, nowMs, run.plan.claim))
}

/** The soonest that a target which failed in a way that may pass can be tried again: full jitter, `Retry-After` obeyed. */
function soonestRetry(run: Run, facts: StepFacts): Extract<Pick, { readonly kind: 'wait' }> | null {
  const { limits } = run.rules
  if (run.retries >= limits.sameTargetRetries && run.operation.type !== 'emergency') return null
  let soonest: Extract<Pick, { readonly kind: 'wait' }> | null = null
  let soonestRefuses = 0
  for (const attempt of run.attempts) {
    const fault = attempt.fault
    if (fault === null || !mayPass(run, fault) || lastOn(run, attempt.route, attempt.target) !== attempt) continue
    const candidate = candidateNamed(facts.conditions[attempt.route], attempt.target)
    const atMs = Math.max(facts.nowMs + backoffMs(run, fault, facts), attempt.endedAtMs + (fault.retryAfterMs ?? 0), candidate?.throttledUntilMs ?? 0)
    const refuses = candidate?.throttledShare ?? 0
    // Several of one instant: the one that refuses the least.
    if (soonest !== null && (atMs > soonest.atMs || (atMs === soonest.atMs && refuses >= soonestRefuses))) continue
    soonest = { kind: 'wait', route: attempt.route, target: attempt.target, atMs }
    soonestRefuses = refuses
  }
  return soonest
}

/**
 * An emergency has no other credentials to go to. Those that were refused are renewed at once (`direct/adapters/credential-keeper.ts`), and
 * what makes them good again later is not seen here; to give up after that costs more answers than attempts (decision 035).
 */
function mayPass(run: Run, fault: Fault): boolean {
  return fault.retryable || (fault.kind === 'auth' && run.operation.type === 'emergency')
}

/** Full jitter over a span that doubles with each retry, and never outgrows the requirement. */
function backoffMs(run: Run, fault: Fault, facts: StepFacts): number {
  const { backoffBaseMs, throttledBackoffBaseMs, backoffShare, backoffCapMs } = run.rules.limits
  if (run.operation.type === 'emergency' && run.firstContentAtMs === null) return spreadMs(run, fault, facts)
  const mostMs = backoffShare * run.operation.latencyRequirementMs
  const baseMs = Math.min(fault.kind === 'throttled' ? throttledBackoffBaseMs : backoffBaseMs, mostMs / 2)
  return facts.random * Math.min(backoffCapMs, mostMs, baseMs * 2 ** run.retries)
}

/**
 * Only the number of its attempts bounds an emergency: those that are left are spread over the time in which an answer would
 * still be in time, so that an outage that ends within it is survived. The spaces become shorter: who begins early is in
 * time even after a long one, and what begins last decides. A part of each is jitter.
 */
function spreadMs(run: Run, fault: Fault, facts: StepFacts): number {
  const { limits, policy } = run.rules
  const left = Math.max(1, limits.attempts - run.attempts.length)
  const isThrottle = fault.kind === 'throttled'
  const latestMs = isThrottle ? policy.latestStartMs(run, facts) : policy.latestRetryMs(run, facts)
  const spanMs = Math.max(0, (latestMs > facts.nowMs ? latestMs : run.deadlineMs) - facts.nowMs)
  const spaces = isThrottle ? throttleSpaces : outageSpaces
  return spanMs * Math.min(1, (spaces.least + spaces.jitter * facts.random) / left)
}

/** Of an even space. What throttles has room again soon; after an outage the last attempts matter, so that they are closer to each other. */
const throttleSpaces = Object.freeze({ least: 0.5, jitter: 0.5 })
const outageSpaces = Object.freeze({ least: 1.3, jitter: 0.4 })
