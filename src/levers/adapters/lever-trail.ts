/**
 * The one place where a pulled lever is told: to the log at once, and to the audit trail, which may have to wait for the
 * store. An answer waits for it no longer than an operator would notice.
 */
import type { AuditTrail } from '../../audit/audit-trail.ts'
import type { JsonValue } from '../../operation/converse.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { EventStream } from '../../runtime/event-stream.ts'
import type { LeverRequest } from '../lever-answer.ts'
import { leverLimits } from '../limits.ts'
import type { LeverPlan } from '../plan-lever.ts'

export interface PulledLever {
  readonly id: string
  readonly request: LeverRequest
  readonly plan: Extract<LeverPlan, { kind: 'change' }>
  readonly untilMs: number | null
  readonly membersBefore?: Readonly<Record<string, JsonValue>>
  readonly after?: JsonValue
}

export interface LeverTrail {
  record(pulled: PulledLever): ReturnType<AuditTrail['append']>
  /** True when it was settled before an operator would notice a wait. */
  settledInTime(work: Promise<unknown>): Promise<boolean>
}

export function createLeverTrail({ clock, events, audit }: { readonly clock: Clock; readonly events: EventStream<SystemEvent>; readonly audit: AuditTrail }): LeverTrail {
  return {
    record(pulled) {
      const { id, request, plan, untilMs } = pulled
      const { lever, body, by, correlationId } = request
      const reason = body.reason ?? null
      const before = Object.fromEntries(plan.changes.map((change) => [change.what, change.before]))
      const after = Object.fromEntries(plan.changes.map((change) => [change.what, change.after]))
      events.publish({ type: 'lever_pulled', atMs: clock.nowMs(), lever, component: plan.component, who: by, automatic: false, reason, untilMs, auditId: id, correlationId, changed: plan.changes })
      return audit.append({
        id,
        kind: plan.configuration ? 'configuration' : 'lever',
        who: by,
        what: lever,
        component: plan.component,
        reason,
        before: plan.configuration ? { ...before, members: pulled.membersBefore ?? {} } : before,
        after: pulled.after ?? after,
        ...(untilMs === null ? {} : { untilMs }),
        correlationId,
      })
    },

    settledInTime: (work) =>
      new Promise((resolve, reject) => {
        const cancel = clock.schedule(clock.monotonicMs() + leverLimits.storeWaitMs, () => resolve(false))
        work.then(
          () => {
            cancel()
            resolve(true)
          },
          (error: unknown) => {
            cancel()
            reject(error instanceof Error ? error : new Error(String(error)))
          },
        )
      }),
  }
}
