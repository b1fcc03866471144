/**
 * From events to log lines: which events are worth a line, under which name the runbook filters for it, how urgent it is,
 * and what it says. A line holds figures, ids and words of closed lists: never a prompt, an answer or a secret, because no
 * event holds one.
 */
import type { ProblemCode } from '../operation/problem.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { alertLine } from './alert-line.ts'

/** The runbook's, section "Monitoring", and those of the configuration and of changes of health. */
export const logEventNames = ['ROUTING_DECISION', 'ERROR', 'PERFORMANCE_WARNING', 'ALERT', 'CIRCUIT_BREAKER', 'SECURITY', 'PII_DETECTED', 'CONFIGURATION', 'HEALTH', 'LEVER', 'AUDIT'] as const
export type LogEventName = (typeof logEventNames)[number]

export type LogUrgency = 'error' | 'warn' | 'info' | 'debug'

export interface LogLine {
  readonly urgency: LogUrgency
  readonly event: LogEventName
  /** The canonical name of the component that it is about. */
  readonly component: string
  readonly message: string
  readonly correlationId?: string
  readonly operationId?: string
  readonly fields: Readonly<Record<string, unknown>>
}

/**
 * How urgent it is that an operation ended without an answer. What the caller did wrong no operator can mend; what the
 * service refuses on purpose passes by itself, and its alerts are those of rates. What is an error somebody has to look at.
 */
export const problemUrgency: Readonly<Record<ProblemCode, LogUrgency>> = Object.freeze({
  invalid_request: 'info',
  unauthorized: 'info',
  forbidden: 'info',
  not_found: 'info',
  method_not_allowed: 'info',
  conflict: 'info',
  payload_too_large: 'info',
  uri_too_long: 'info',
  unsupported_media_type: 'info',
  policy_blocked: 'info',
  rate_limited: 'info',
  headers_too_large: 'info',
  upstream_throttled: 'warn',
  overloaded: 'warn',
  maintenance: 'warn',
  no_route_available: 'error',
  upstream_error: 'error',
  outcome_unknown: 'error',
  deadline_exceeded: 'error',
  internal_error: 'error',
})

/** The lines of one event; none for most. */
export function logLinesOf(event: SystemEvent): readonly LogLine[] {
  switch (event.type) {
    case 'operation_ended': {
      const { result } = event
      const about = { component: 'hybrid-router', correlationId: result.correlationId, operationId: result.id }
      const lines: LogLine[] = [
        {
          ...about,
          urgency: 'info',
          event: 'ROUTING_DECISION',
          message: `${result.operation} ${result.status}`,
          fields: {
            operation: result.operation,
            route: result.route,
            target: result.target,
            reason: result.decision?.reason ?? null,
            status: result.status,
            latencyMs: result.latency.totalMs,
            slaMet: result.slaMet,
            attempts: result.attempts.length,
            fallbackUsed: result.fallbackUsed,
          },
        },
      ]
      if (result.error !== undefined && (result.status === 'failed' || result.status === 'expired')) {
        lines.push({
          ...about,
          urgency: result.reason === 'caller_gone' ? 'info' : problemUrgency[result.error.code],
          event: 'ERROR',
          message: result.error.detail,
          fields: { operation: result.operation, code: result.error.code, faults: result.attempts.flatMap((attempt) => (attempt.error === undefined ? [] : [attempt.error.kind])) },
        })
      } else if (result.status === 'succeeded' && !result.slaMet) {
        lines.push({
          ...about,
          urgency: 'warn',
          event: 'PERFORMANCE_WARNING',
          message: `${result.operation} was answered after its requirement`,
          fields: { operation: result.operation, route: result.route, latencyMs: result.latency.totalMs, latencyRequirementMs: result.latencyRequirementMs },
        })
      }
      return lines
    }
    case 'authentication_failed':
      return [
        { urgency: 'warn', event: 'SECURITY', component: 'hybrid-router', message: 'a request was refused: no valid credentials', correlationId: event.correlationId, fields: { remoteAddress: event.remoteAddress, reason: event.reason } },
      ]
    case 'address_locked_out':
      return [
        {
          urgency: 'error',
          event: 'SECURITY',
          component: 'hybrid-router',
          message: 'an address is locked out after repeated wrong keys',
          correlationId: event.correlationId,
          fields: { remoteAddress: event.remoteAddress, failures: event.failures, lockMs: event.lockMs },
        },
      ]
    case 'breaker_tripped':
      return [{ urgency: 'warn', event: 'CIRCUIT_BREAKER', component: componentOf[event.route], message: `the breaker of ${event.target} opened`, fields: { route: event.route, target: event.target, change: 'tripped' } }]
    case 'breaker_recovered':
      return [{ urgency: 'info', event: 'CIRCUIT_BREAKER', component: componentOf[event.route], message: `the breaker of ${event.target} closed`, fields: { route: event.route, target: event.target, change: 'recovered' } }]
    case 'health_changed': {
      const isDown = event.to === 'critical' || event.to === 'unhealthy'
      return [{ urgency: isDown ? 'error' : event.to === 'degraded' ? 'warn' : 'info', event: 'HEALTH', component: event.component, message: `${event.component} is ${event.to}: ${event.reason}`, fields: { from: event.from, to: event.to } }]
    }
    case 'alert_raised':
    case 'alert_acknowledged':
    case 'alert_resolved':
    case 'alert_escalated':
    case 'alerts_suppressed':
    case 'notification_failed':
      return [alertLine(event)]
    case 'config_reloaded':
      return [{ urgency: 'info', event: 'CONFIGURATION', component: 'hybrid-router', message: 'the configuration was loaded again', fields: { changed: event.changed, needsRestart: event.needsRestart } }]
    case 'config_rejected':
      return [
        {
          urgency: 'error',
          event: 'CONFIGURATION',
          component: 'hybrid-router',
          message: 'the changed configuration is not valid; the old one stays in force',
          fields: { errors: event.errors },
        },
      ]
    case 'lever_pulled':
      // Everything that the audit record holds: where the trail cannot be written, this line is what there is.
      return [
        {
          urgency: 'warn',
          event: 'LEVER',
          component: event.component,
          message: `${event.who} pulled ${event.lever}`,
          ...(event.correlationId === null ? {} : { correlationId: event.correlationId }),
          fields: { lever: event.lever, who: event.who, automatic: event.automatic, reason: event.reason, untilMs: event.untilMs, auditId: event.auditId, changed: event.changed },
        },
      ]
    case 'lever_ended':
      return [{ urgency: 'warn', event: 'LEVER', component: event.component, message: `${event.lever} has ended with its duration`, fields: { lever: event.lever, auditId: event.auditId } }]
    case 'audit_head':
      return [{ urgency: 'info', event: 'AUDIT', component: 'hybrid-router', message: 'the end of the audit trail; /admin/audit/verify takes both figures', fields: { sequence: event.sequence, hash: event.hash } }]
    case 'audit_unwritten':
      return [{ urgency: 'error', event: 'AUDIT', component: 'hybrid-router', message: 'audit records wait because the store cannot be written', fields: { waiting: event.waiting, reason: event.reason } }]
    default:
      return []
  }
}

const componentOf = { direct: 'direct-bedrock-client', mcp: 'mcp-router' } as const
