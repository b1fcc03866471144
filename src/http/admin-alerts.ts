/**
 * `/health/alerts`, and acknowledging and resolving one of them (public contract, part 6). A viewer reads, an operator
 * acknowledges, an admin resolves; both are audited with who did it. In bulk: the levers `suppress-alerts`, `resolve-alerts`.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { leverLimits } from '../levers/limits.ts'
import type { AlertOutcome } from '../levers/lever-ports.ts'
import { alertSeverities } from '../operation/alert-facts.ts'
import { OperationError } from '../operation/problem.ts'
import type { Clock } from '../runtime/clock.ts'
import { send, whoOf } from './admin-reply.ts'
import { readAdminQuery, readWord } from './admin-query.ts'
import { fieldErrors, invalidRequest } from './validation-errors.ts'

export const alertStatuses = ['firing', 'acknowledged', 'resolved'] as const

export interface ListedAlert {
  readonly id: string
  readonly component: string
  readonly status: string
}

/** What the routes need of the Alert Manager. */
export interface AlertPort {
  /** The active ones first, then those that are over, each newest first. */
  list(filter: { readonly statuses?: readonly (typeof alertStatuses)[number][]; readonly severity?: readonly (typeof alertSeverities)[number][]; readonly component?: string }): readonly ListedAlert[]
  get(id: string): ListedAlert | undefined
  acknowledge(id: string, who: string): Promise<AlertOutcome>
  resolve(id: string, who: string): Promise<AlertOutcome>
}

export const alertNoteSchema = Type.Object({ reason: Type.Optional(Type.String({ minLength: 1, maxLength: leverLimits.reasonCharacters, description: 'Why, for the audit trail.' })) }, { additionalProperties: false, description: 'Nothing is required.' })
const validator = Compile(alertNoteSchema)

export function registerAdminAlerts(app: FastifyInstance, parts: { readonly alerts: AlertPort; readonly audit: AuditTrail; readonly clock: Clock; readonly systemStatus: () => string }): void {
  const { alerts, audit, clock } = parts

  app.get('/health/alerts', { config: { access: 'viewer' } }, (request, reply) => {
    const query = readAdminQuery(request.query, ['status', 'severity', 'component'], null)
    const status = readWord(query, 'status', [...alertStatuses, 'all'])
    const severity = readWord(query, 'severity', alertSeverities)
    query.check()
    const { component } = query.texts
    const statuses = status === undefined ? undefined : status === 'all' ? alertStatuses : [status]
    const listed = alerts.list({ ...(statuses === undefined ? {} : { statuses }), ...(severity === undefined ? {} : { severity: [severity] }), ...(component === undefined ? {} : { component }) })
    send(reply, {
      status: parts.systemStatus(),
      timestamp: new Date(clock.nowMs()).toISOString(),
      data: { activeAlerts: listed.filter((alert) => alert.status !== 'resolved').length, alerts: listed },
    })
  })

  const act = async (request: FastifyRequest<{ Params: { id: string } }>, what: 'acknowledge-alert' | 'resolve-alert'): Promise<ListedAlert> => {
    const body: unknown = request.body ?? {}
    if (!validator.Check(body)) throw invalidRequest(fieldErrors('body', alertNoteSchema, body, validator.Errors(body)))
    const { id } = request.params
    const before = alerts.get(id)
    if (before === undefined) throw new OperationError('not_found', 'There is no alert with this id; GET /health/alerts lists them.')
    const who = whoOf(request)
    const { changed, notApplied } = await (what === 'acknowledge-alert' ? alerts.acknowledge(id, who) : alerts.resolve(id, who))
    if (changed.length === 0) throw new OperationError('conflict', `Nothing changed: ${notApplied[0]?.why ?? 'it is not active'}.`)
    audit.append({ kind: 'lever', who, what, component: before.component, reason: body.reason ?? null, before: { [id]: before.status }, after: { changed }, correlationId: request.exchange.correlationId })
    return alerts.get(id) ?? before
  }

  app.post<{ Params: { id: string } }>('/health/alerts/:id/acknowledge', { config: { access: 'operator' } }, async (request, reply) => send(reply, await act(request, 'acknowledge-alert')))
  app.post<{ Params: { id: string } }>('/health/alerts/:id/resolve', { config: { access: 'admin' } }, async (request, reply) => send(reply, await act(request, 'resolve-alert')))
}
