/**
 * The levers that are done once, by another part of the service (the routing's proposals, the direct client, the Alert
 * Manager): what it says is the result, and audited. They leave nothing in force that would have to be undone.
 */
import { canonicalComponent } from '../../health/component-names.ts'
import type { AlertSeverity } from '../../operation/alert-facts.ts'
import type { JsonObject, JsonValue } from '../../operation/converse.ts'
import { OperationError } from '../../operation/problem.ts'
import type { OptimizationMode } from '../../routing/propose-thresholds.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Ids } from '../../runtime/ids.ts'
import { isoTime } from '../../runtime/iso-time.ts'
import type { Effect } from '../in-force.ts'
import type { LeverAnswer, LeverRequest } from '../lever-answer.ts'
import type { AlertOutcome, AlertScope, LeverPorts } from '../lever-ports.ts'
import { leverTable } from '../lever-table.ts'
import { leverLimits } from '../limits.ts'
import type { Change, LeverBody, LeverPlan } from '../plan-lever.ts'
import type { LeverTrail } from './lever-trail.ts'

export interface AskedLeversParts {
  readonly clock: Clock
  readonly ids: Ids
  readonly ports: LeverPorts
  readonly trail: LeverTrail
  readonly flags: () => Effect['flags']
  /** Members of the configuration as a lever that sets them would. */
  readonly planMembers: (members: Readonly<Record<string, JsonValue>>) => LeverPlan
  readonly setMembers: (request: LeverRequest, plan: LeverPlan, result: JsonValue) => Promise<LeverAnswer>
  readonly isStored: () => boolean
}

export interface AskedLevers {
  carryOut(request: LeverRequest, plan: LeverPlan): Promise<LeverAnswer>
}

export function createAskedLevers(parts: AskedLeversParts): AskedLevers {
  const { clock, ids, ports, trail } = parts

  const told = async (request: LeverRequest, plan: Extract<LeverPlan, { kind: 'change' }>, result: JsonValue, outcome?: AlertOutcome, untilMs: number | null = null): Promise<LeverAnswer> => {
    const { lever, body, by } = request
    const answer = {
      lever,
      component: plan.component,
      changed: outcome === undefined ? [] : outcome.changed.map((what): Change => ({ what, before: 'active', after: lever === 'suppress-alerts' ? 'suppressed' : 'resolved' })),
      until: untilMs === null ? null : isoTime(untilMs),
      by,
      reason: body.reason ?? null,
      notApplied: outcome === undefined ? [] : outcome.notApplied.map(({ what }) => what),
      warnings: body.duration !== undefined && lever !== 'suppress-alerts' ? ['The duration has nothing to end here.'] : [],
      undo: leverTable[lever].undone,
      result,
    } as const
    if (body.dryRun === true) return { ...answer, status: 'dry_run', auditId: null, audit: 'none', stored: parts.isStored() }
    const id = ids.next('aud')
    const { written } = trail.record({ id, request, plan: { ...plan, changes: answer.changed }, untilMs, after: result })
    const done = await trail.settledInTime(written)
    return { ...answer, status: 'applied', auditId: id, audit: done ? 'written' : 'waiting', stored: true }
  }

  const carryOut = async (request: LeverRequest, plan: LeverPlan): Promise<LeverAnswer> => {
    if (plan.kind === 'refused') throw new OperationError(plan.code, plan.detail)
    const { lever, body, by } = request
    const isDry = body.dryRun === true
    const scope = scopeOf(body)
    switch (lever) {
      case 'optimize': {
        const proposal = ports.propose(body['targetEfficiency'] as number | undefined, (body['optimizationMode'] as OptimizationMode | undefined) ?? 'balanced')
        const applies = body['apply'] === true && Object.keys(proposal.members).length > 0
        const allowed = parts.flags().ENABLE_PERFORMANCE_OPTIMIZATION
        if (applies && !allowed) throw new OperationError('conflict', 'The flag ENABLE_PERFORMANCE_OPTIMIZATION is off: proposals are shown and not applied.')
        const proposed = parts.planMembers(proposal.members)
        const result = { proposal: proposal.members, basis: proposal.basis, applied: applies && !isDry }
        if (applies) return parts.setMembers(request, proposed, result)
        return parts.setMembers({ ...request, body: { ...body, dryRun: true } }, proposed, result)
      }
      case 'test-bedrock': {
        if (isDry) return told(request, plan, { targets: ports.bedrockTargets(), note: costNote })
        return told(request, plan, { targets: await ports.testBedrock(leverLimits.probeMs), note: costNote })
      }
      case 'suppress-alerts': {
        if (body.duration === undefined) throw new OperationError('invalid_request', 'duration: is required: alerts are silent for a time, never for good.', { errors: [{ path: 'duration', message: 'is required: alerts are silent for a time, never for good.' }] })
        const matching = ports.alerts.list(scope).map(({ id }) => id)
        if (isDry) return told(request, plan, { matching })
        const durationMs = Math.round(body.duration * 1_000)
        const outcome = await ports.alerts.suppress({ ...scope, durationMs, reason: body.reason ?? null }, by)
        return told(request, plan, { ...resultOf(outcome), scope: scope as JsonObject }, outcome, clock.nowMs() + durationMs)
      }
      case 'resolve-alerts': {
        if (scope.severity === undefined && scope.component === undefined) throw new OperationError('invalid_request', 'component: is required, or severity.', { errors: [{ path: 'component', message: 'is required, or severity.' }] })
        const matching = ports.alerts.list(scope).map(({ id }) => id)
        if (isDry) return told(request, plan, { matching })
        const outcome = await ports.alerts.bulkResolve(scope, by)
        return told(request, plan, resultOf(outcome), outcome)
      }
      default: {
        const severity = (body['severity'] as AlertSeverity | undefined) ?? 'low'
        if (isDry) return told(request, plan, { severity })
        const receivers = await ports.alerts.test(severity, by)
        return told(request, plan, { severity, receivers: receivers.map(({ notifier, delivered, reason }) => ({ notifier, delivered, reason })) })
      }
    }
  }

  return { carryOut }
}

const costNote = 'A signed request for the list of models: it costs no tokens, and says nothing of the capacity of a model.'

function scopeOf(body: LeverBody): AlertScope {
  const named = typeof body['component'] === 'string' ? canonicalComponent(body['component']) : null
  const severity = body['severity']
  return { ...(Array.isArray(severity) ? { severity: severity as readonly AlertSeverity[] } : {}), ...(named === null ? {} : { component: named }) }
}

function resultOf(outcome: AlertOutcome): JsonObject {
  return { changed: outcome.changed, notApplied: outcome.notApplied.map(({ what, why }) => ({ what, why })) }
}
