/**
 * Everything that happens, as typed events on the one in-process stream (`runtime/event-stream.ts`). Metrics, logs, alerts,
 * audit, estimates and hindsight read it. Events hold no prompt, no answer and no secret. A component that has something to
 * tell adds a member here.
 */
import type { AlertFacts } from './alert-facts.ts'
import type { JsonValue } from './converse.ts'
import type { RoutingDecision } from './decision.ts'
import type { Operation } from './operation.ts'
import type { AttemptReason, AttemptRecord, OperationResult } from './result.ts'
import type { Route } from './matrix.ts'
import type { FieldError } from './problem.ts'

export type SystemEvent =
  | { readonly type: 'operation_admitted'; readonly atMs: number; readonly operation: Operation }
  | { readonly type: 'routing_decision'; readonly atMs: number; readonly operation: Operation; readonly decision: RoutingDecision }
  | {
      readonly type: 'attempt_started'
      readonly atMs: number
      readonly operation: Operation
      readonly number: number
      readonly route: Route
      readonly target: string
      readonly reason: AttemptReason
    }
  | { readonly type: 'attempt_first_content'; readonly atMs: number; readonly operation: Operation; readonly number: number; readonly afterMs: number }
  | {
      readonly type: 'attempt_ended'
      readonly atMs: number
      readonly operation: Operation
      readonly record: AttemptRecord
      readonly outputTokens: number
      /** Cancelled, because the help that was started for it was quicker: it says something about the target. */
      readonly overtaken: boolean
    }
  | { readonly type: 'operation_ended'; readonly atMs: number; readonly operation: Operation; readonly result: OperationResult }
  /** An operation's decision in hindsight; `optimal` is null where it could not be judged. */
  | { readonly type: 'decision_judged'; readonly atMs: number; readonly operation: Operation; readonly optimal: boolean | null; readonly regretMs: number | null }
  | { readonly type: 'breaker_tripped'; readonly atMs: number; readonly route: Route; readonly target: string }
  | { readonly type: 'breaker_recovered'; readonly atMs: number; readonly route: Route; readonly target: string }
  | { readonly type: 'operation_refused'; readonly atMs: number; readonly code: string; readonly correlationId: string }
  /** `reason` is of a closed list (`auth/principal.ts`); `remoteAddress` is the client's, behind a trusted proxy too. */
  | { readonly type: 'authentication_failed'; readonly atMs: number; readonly remoteAddress: string; readonly reason: string; readonly correlationId: string }
  /** Once, when it begins; what the address sends while it lasts is refused without an event. */
  | { readonly type: 'address_locked_out'; readonly atMs: number; readonly remoteAddress: string; readonly failures: number; readonly lockMs: number; readonly correlationId: string }
  | { readonly type: 'config_reloaded'; readonly atMs: number; readonly changed: readonly string[]; readonly needsRestart: readonly string[] }
  | { readonly type: 'config_rejected'; readonly atMs: number; readonly errors: readonly FieldError[] }
  | { readonly type: 'alert_raised'; readonly atMs: number; readonly alert: AlertFacts }
  | { readonly type: 'alert_acknowledged'; readonly atMs: number; readonly alert: AlertFacts; readonly by: string; readonly responseMs: number }
  | { readonly type: 'alert_resolved'; readonly atMs: number; readonly alert: AlertFacts; readonly by: string; readonly reason: string }
  | { readonly type: 'alert_escalated'; readonly atMs: number; readonly alert: AlertFacts; readonly level: number; readonly to: string }
  | { readonly type: 'alerts_suppressed'; readonly atMs: number; readonly by: string; readonly untilMs: number; readonly scope: string }
  | { readonly type: 'notification_failed'; readonly atMs: number; readonly notifier: string; readonly notificationId: string; readonly reason: string }
  /** One probe, or one stretch of traffic that spared it. */
  | { readonly type: 'health_checked'; readonly atMs: number; readonly component: string; readonly subject: string; readonly ok: boolean; readonly durationMs: number | null }
  | { readonly type: 'health_changed'; readonly atMs: number; readonly component: string; readonly from: string; readonly to: string; readonly reason: string }
  | {
      readonly type: 'lever_pulled'
      readonly atMs: number
      readonly lever: string
      readonly component: string
      readonly who: string
      /** An automatic action of the system, not a person. */
      readonly automatic: boolean
      readonly reason: string | null
      readonly untilMs: number | null
      readonly auditId: string
      readonly correlationId: string | null
      /** What it changed, for the log: the audit trail may be out of reach. */
      readonly changed: readonly { readonly what: string; readonly before: JsonValue; readonly after: JsonValue }[]
    }
  | { readonly type: 'lever_ended'; readonly atMs: number; readonly lever: string; readonly component: string; readonly auditId: string }
  /** The end of the audit trail, so that a log kept elsewhere shows whether it was cut. */
  | { readonly type: 'audit_head'; readonly atMs: number; readonly sequence: number; readonly hash: string }
  | { readonly type: 'audit_unwritten'; readonly atMs: number; readonly waiting: number; readonly reason: string }
