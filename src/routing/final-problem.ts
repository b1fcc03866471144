/**
 * What the caller is told when no attempt answered: one problem made of all attempts' faults.
 *
 * A fault of the request is the caller's and keeps its words (`invalid_request`). When every attempt was throttled it is
 * `upstream_throttled` with the soonest `Retry-After`; what may pass is a retryable `upstream_error`; what an operator must
 * mend (expired credentials, no model access) is not retryable, and the detail says it. An operation that must not be
 * repeated and may have been carried out is `outcome_unknown` whatever else is true: any other code would invite a repeat.
 *
 * Fault messages were written by the classifiers to be shown. Source: public contract, parts 3 and 8.
 */
import { failsEverywhere, type FaultKind } from '../operation/fault.ts'
import type { ProblemCode } from '../operation/problem.ts'
import { endsAtMs, isOutcomeUnknown, type Attempt, type Run } from './attempt-run.ts'

export interface FinalProblem {
  readonly code: ProblemCode
  readonly detail: string
  readonly retryable?: boolean
  readonly retryAfterMs?: number
}

/** ms that a caller is asked to wait where no upstream named a time: quotas and rests move in seconds. */
const usualRetryAfterMs = 1_000

/** Attempts that a detail names; more would hide the first causes. */
const attemptsInDetail = 4

const kindInWords: Readonly<Record<FaultKind, string>> = {
  throttled: 'throttled',
  overloaded: 'no capacity',
  timeout: 'no answer in time',
  auth: 'credentials missing, wrong or expired',
  access: 'access denied',
  not_found: 'model, tool or server not found',
  validation: 'request refused',
  quota: 'quota used up',
  model_error: 'the model failed',
  network: 'connection failed',
  protocol: 'malformed answer',
}

/** Nothing else may be tried. */
export function exhaustedProblem(run: Run, nowMs: number): FinalProblem {
  if (isOutcomeUnknown(run)) return unknownOutcome(run)
  const faulty = run.attempts.filter((attempt) => attempt.fault !== null)
  const wrong = faulty.find((attempt) => attempt.fault !== null && failsEverywhere(attempt.fault))
  if (wrong?.fault) return { code: 'invalid_request', detail: wrong.fault.message }
  if (nowMs > endsAtMs(run) - run.rules.limits.leastTimeShare * run.operation.hardTimeoutMs) return deadlineProblem(run, nowMs)
  if (faulty.length === 0) return { code: 'no_route_available', detail: 'No allowed route has a target that can be used.', retryAfterMs: usualRetryAfterMs }
  const detail = `Every attempt failed: ${inWords(run.attempts, nowMs)}.`
  const retryAfterMs = soonestReturnMs(faulty, nowMs)
  const after = retryAfterMs === null ? {} : { retryAfterMs }
  if (faulty.every((attempt) => attempt.fault?.kind === 'throttled')) return { code: 'upstream_throttled', detail, retryAfterMs: retryAfterMs ?? usualRetryAfterMs }
  // Nothing left this process: it is we who have no room, and the caller may come again.
  if (faulty.every((attempt) => attempt.fault?.rejected === true && attempt.fault.kind === 'overloaded')) return { code: 'overloaded', detail, retryAfterMs: retryAfterMs ?? usualRetryAfterMs }
  return { code: 'upstream_error', detail, retryable: mayPass(run, faulty), ...after }
}

/** All targets asked to be left alone for longer than the operation can wait. */
export function throttledBeforeStart(retryAfterMs: number): FinalProblem {
  return { code: 'upstream_throttled', detail: 'Every target asked not to be called until after the hard timeout.', retryAfterMs }
}

/** Nowhere was room for it in time, or it gave way to what matters more. */
export function overloadedProblem(run: Run, nowMs: number, retryAfterMs: number | null): FinalProblem {
  if (isOutcomeUnknown(run)) return unknownOutcome(run)
  const after = run.attempts.length === 0 ? '' : ` after ${inWords(run.attempts, nowMs)}`
  const detail = `No target had room for it within its requirement: it waited ${Math.round(nowMs - run.arrivedAtMs)} ms${after}.`
  return { code: 'overloaded', detail, retryAfterMs: retryAfterMs ?? usualRetryAfterMs }
}

/** By what was measured, no allowed target can answer in time any more. */
export function hopelessProblem(run: Run, nowMs: number): FinalProblem {
  const leftMs = Math.max(0, run.deadlineMs - nowMs)
  const where = run.attempts.length === 0 ? 'nothing was sent' : inWords(run.attempts, nowMs)
  return { code: 'deadline_exceeded', detail: `Of the hard timeout ${Math.round(leftMs)} ms are left, in which its target has not been seen to answer; ${where}.` }
}

export function deadlineProblem(run: Run, nowMs: number): FinalProblem {
  if (isOutcomeUnknown(run)) return unknownOutcome(run)
  const { operation } = run
  if (run.firstContentAtMs !== null) {
    return { code: 'deadline_exceeded', detail: `The stream went on for longer than ${operation.streamMaxMs} ms.` }
  }
  const spent = run.attempts.length === 0 ? 'no attempt was started' : inWords(run.attempts, nowMs)
  const runningMs = timeRunningMs(run, nowMs)
  const besideMs = Math.max(0, nowMs - run.arrivedAtMs - runningMs)
  return {
    code: 'deadline_exceeded',
    detail: `No answer within ${Math.round(operation.hardTimeoutMs)} ms: ${spent}; ${Math.round(besideMs)} ms before and between attempts.`,
  }
}

export function stoppedProblem(run: Run): FinalProblem {
  if (isOutcomeUnknown(run)) return unknownOutcome(run)
  return { code: 'maintenance', detail: 'The service stopped before the operation had ended.', retryAfterMs: usualRetryAfterMs }
}

function unknownOutcome(run: Run): FinalProblem {
  const sent = run.attempts.find((attempt) => attempt.sent && !attempt.repeatable)
  const where = sent === undefined ? '' : ` to ${sent.route}/${sent.target}`
  return { code: 'outcome_unknown', detail: `The operation was sent${where} and must not be repeated; whether it was carried out is not known.` }
}

/** Not where the operation was carried out and must not be repeated: what may pass would then be done twice. */
function mayPass(run: Run, faulty: readonly Attempt[]): boolean {
  if (run.attempts.some((attempt) => attempt.sent && !attempt.repeatable && attempt.fault?.kind === 'model_error')) return false
  return faulty.some((attempt) => attempt.fault?.retryable === true)
}

function soonestReturnMs(faulty: readonly Attempt[], nowMs: number): number | null {
  let soonestMs: number | null = null
  for (const { fault, endedAtMs } of faulty) {
    if (fault?.retryAfterMs === undefined) continue
    const leftMs = Math.max(0, endedAtMs + fault.retryAfterMs - nowMs)
    if (soonestMs === null || leftMs < soonestMs) soonestMs = leftMs
  }
  return soonestMs
}

function inWords(attempts: readonly Attempt[], nowMs: number): string {
  const shown = attempts.slice(0, attemptsInDetail).map((attempt) => {
    const endMs = attempt.outcome === null ? nowMs : attempt.endedAtMs
    const outcome = attempt.fault === null ? (attempt.outcome ?? 'running') : `${kindInWords[attempt.fault.kind]}: ${attempt.fault.message}`
    return `${attempt.route}/${attempt.target} after ${Math.round(endMs - attempt.startedAtMs)} ms (${outcome.replace(/\.$/, '')})`
  })
  const more = attempts.length - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}

/** The union of the attempts' times, which start in order. */
function timeRunningMs(run: Run, nowMs: number): number {
  let coveredMs = 0
  let untilMs = run.arrivedAtMs
  for (const attempt of run.attempts) {
    const endMs = attempt.outcome === null ? nowMs : attempt.endedAtMs
    if (endMs <= untilMs) continue
    coveredMs += endMs - Math.max(untilMs, attempt.startedAtMs)
    untilMs = endMs
  }
  return coveredMs
}
