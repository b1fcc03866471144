/**
 * Everything that happens, as typed events on the one in-process stream (`runtime/event-stream.ts`). Metrics, logs, alerts,
 * audit, estimates and hindsight read it. Events hold no prompt, no answer and no secret. A component that has something to
 * tell adds a member here.
 */
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
    }
  | { readonly type: 'operation_ended'; readonly atMs: number; readonly operation: Operation; readonly result: OperationResult }
  | { readonly type: 'operation_refused'; readonly atMs: number; readonly code: string; readonly correlationId: string }
  | { readonly type: 'authentication_failed'; readonly atMs: number; readonly remoteAddress: string; readonly correlationId: string }
  | { readonly type: 'config_reloaded'; readonly atMs: number; readonly changed: readonly string[]; readonly needsRestart: readonly string[] }
  | { readonly type: 'config_rejected'; readonly atMs: number; readonly errors: readonly FieldError[] }
