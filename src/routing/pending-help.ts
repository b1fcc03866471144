/**
 * The part of the attempt machine that gives help before a failure: it asks the policy about every attempt whose time has
 * come, and starts what the policy names.
 *
 * Must not know: when help is due and who gives it (`chance-policy.ts`). Source: public contract, part 3.
 */
import { reasonFor, startAlone } from './attempt-moves.ts'
import type { StepFacts } from './attempt-rules.ts'
import { isBound, type Run } from './attempt-run.ts'
import type { MachineAction } from './machine-protocol.ts'

/** ms. A timer that is later than this has waited for the process; and in how long a turn of the event loop has passed. */
const lateMs = 5
const nextTurnMs = 1

/** Asks the policy about every attempt whose time has come. */
export function checkPending(run: Run, facts: StepFacts, actions: MachineAction[]): void {
  const { nowMs } = facts
  const { policy, limits } = run.rules
  // Attempts that are started here are looked at later.
  const count = run.attempts.length
  for (let index = 0; index < count; index += 1) {
    const attempt = run.attempts[index]
    if (attempt === undefined || attempt.outcome !== null || nowMs < attempt.checkAtMs) continue
    if (run.waiting !== null || run.room !== null || run.running >= limits.concurrent || run.attempts.length >= limits.attempts || isBound(run)) {
      // No help is possible: whatever is waited for comes without it.
      attempt.checkAtMs = Number.POSITIVE_INFINITY
      continue
    }
    if (nowMs - attempt.checkAtMs > lateMs && !attempt.late) {
      // The process was busy, and answers that came in meanwhile have not been read: they are, before the next timer.
      attempt.late = true
      attempt.checkAtMs = nowMs + nextTurnMs
      continue
    }
    const verdict = policy.onCheck(run, attempt, facts)
    if (!verdict.help) {
      // A policy that names no later instant is done with this attempt: the machine must not spin.
      attempt.checkAtMs = verdict.checkAgainAtMs > nowMs ? verdict.checkAgainAtMs : Number.POSITIVE_INFINITY
      continue
    }
    attempt.checkAtMs = Number.POSITIVE_INFINITY
    attempt.overdue = true
    startAlone(run, verdict.route, verdict.target, reasonFor(run, verdict.route, 'hedge'), facts, actions)
    const helper = run.attempts.at(-1)
    if (helper !== undefined && verdict.kind === 'hedge') helper.hedging = true
  }
}

/** An attempt runs that is not late: what else there is can wait for it. */
export function hopeful(run: Run): boolean {
  if (run.running === 0) return false
  for (const attempt of run.attempts) if (attempt.outcome === null && !attempt.overdue) return true
  return false
}
