/**
 * The operators' levers and what is in force: one route per row of the table of levers (`levers/lever-table.ts`), each with
 * its own body, all for admins alone; `GET /admin/status`, the feature flags, the support mode, and the history of the
 * configuration. Thin: what a lever does is decided in `src/levers/`.
 */
import type { FastifyInstance } from 'fastify'
import { Compile, type Validator } from 'typebox/compile'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { OperationsLog } from '../audit/operations-log.ts'
import { featureFlagNames, featureFlags } from '../levers/feature-flags.ts'
import { slots } from '../levers/in-force.ts'
import { leverBodySchema, leverNames, leverTable, type LeverDefinition, type LeverName } from '../levers/lever-table.ts'
import type { Levers } from '../levers/levers.ts'
import { supportAbsent, type LeverBody } from '../levers/plan-lever.ts'
import type { Route } from '../operation/matrix.ts'
import { adminAccess, send, whoOf } from './admin-reply.ts'
import { registerAdminAlerts, type AlertPort } from './admin-alerts.ts'
import { registerAudit } from './admin-audit.ts'
import { readAdminQuery, toAdminCursor } from './admin-query.ts'
import { registerOperationsLog } from './admin-operations-log.ts'
import { fieldErrors, invalidRequest } from './validation-errors.ts'
import type { Clock } from '../runtime/clock.ts'

export interface AdminParts {
  readonly levers: Levers
  readonly audit: AuditTrail
  readonly operationsLog: OperationsLog
  readonly alerts: AlertPort
}

export function registerAdmin(app: FastifyInstance, parts: AdminParts & { readonly clock: Clock; readonly systemStatus: () => string }): void {
  const { levers, audit } = parts
  for (const name of leverNames) registerLever(app, name, levers)

  app.get('/admin/status', adminAccess, (_request, reply) => {
    const { modes, supportMode } = levers.effect()
    send(reply, {
      timestamp: new Date(parts.clock.nowMs()).toISOString(),
      overrides: levers.overridesInForce(),
      modes: { emergency: modes.emergency, maintenance: modes.maintenance, breakers: breakersWord(modes.breakersOff), support: supportMode ? 'active' : 'inactive' },
      flags: levers.effect().flags,
      resets: levers.resets(),
      stored: levers.stored(),
      audit: { waiting: audit.waiting() },
    })
  })

  app.get('/admin/feature-flags', adminAccess, (_request, reply) => {
    const { flags } = levers.effect()
    const overrides = levers.overridesInForce()
    const entries = featureFlagNames.map((name) => {
      const override = overrides.find(({ what }) => what === slots.flag(name))
      const { by = null, reason = null, since = null, until = null } = override ?? {}
      return [name, { enabled: flags[name], default: featureFlags[name].default, meaning: featureFlags[name].meaning, by, reason, since, until }] as const
    })
    send(reply, { flags: Object.fromEntries(entries) })
  })

  app.get('/admin/support/status', adminAccess, (_request, reply) => {
    const { supportMode, flags } = levers.effect()
    const override = levers.overridesInForce().find(({ what }) => what === slots.support)
    const { by = null, reason = null, since = null, until = null } = override ?? {}
    send(reply, {
      mode: supportMode ? 'active' : 'inactive',
      flag: { name: 'ENABLE_BEDROCK_SUPPORT_MODE', enabled: flags.ENABLE_BEDROCK_SUPPORT_MODE },
      by, reason, since, until,
      available: false,
      message: supportAbsent,
      parts: { 'infrastructure-auditor': 'absent', 'meta-monitor': 'absent', 'implementation-support': 'absent' },
    })
  })

  app.get('/admin/config/history', adminAccess, async (request, reply) => {
    const query = readAdminQuery(request.query, [])
    query.check()
    const page = await levers.history(query.limit, query.after === undefined ? undefined : Number(query.after))
    return send(reply, { changes: page.records, nextCursor: page.before === undefined ? null : toAdminCursor(String(page.before)) })
  })

  registerAudit(app, audit)
  registerOperationsLog(app, parts.operationsLog)
  registerAdminAlerts(app, parts)
}

function registerLever(app: FastifyInstance, name: LeverName, levers: Levers): void {
  const { method, path, pathMember }: LeverDefinition = leverTable[name]
  const schema = leverBodySchema(name)
  // Compiled when it is first used: a start does not pay for thirty levers.
  let validator: Validator | undefined
  app.route<{ Params: Readonly<Record<string, string>> }>({
    method,
    url: path,
    ...adminAccess,
    async handler(request, reply) {
      const given = request.body ?? {}
      validator ??= Compile(schema)
      if (!validator.Check(given)) throw invalidRequest(fieldErrors('body', schema, given, validator.Errors(given)))
      const body = (pathMember === undefined ? given : { ...given, [pathMember]: request.params[pathMember] ?? '' }) as LeverBody
      return send(reply, await levers.pull({ lever: name, body, by: whoOf(request), correlationId: request.exchange.correlationId }))
    },
  })
}

/** `on`, `off`, or whose are off. */
function breakersWord({ direct, mcp }: Readonly<Record<Route, boolean>>): string {
  if (direct && mcp) return 'off'
  if (direct) return 'direct-bedrock-client off'
  return mcp ? 'mcp-router off' : 'on'
}
