/**
 * From events to series: the one place that says what is counted when. Every metric of the runbook that comes from traffic
 * is a reading of these series (`readings.ts`).
 *
 *   operations          operation, route, status        every operation that ended, once
 *   operation_flags     operation, flag                 sla_met, fallback, hedged
 *   operation_latency   operation, route                ms until what the operation is judged by
 *   first_token         operation, route                ms
 *   attempts            route, target, outcome
 *   attempt_faults      route, target, kind
 *   refusals            code                            refused before they became operations' attempts
 *   tokens              route, direction
 *   cost                operation                       in the price table's currency
 *   decisions           route, reason
 */
import type { SystemEvent } from '../operation/system-event.ts'
import type { Tally } from './tally.ts'

export function recordEvent(tally: Tally, event: SystemEvent): void {
  switch (event.type) {
    case 'operation_ended': {
      const { result } = event
      const route = result.route ?? 'none'
      const operation = result.operation
      tally.count('operations', { operation, route, status: result.status })
      if (result.slaMet) tally.count('operation_flags', { operation, flag: 'sla_met' })
      if (result.fallbackUsed) tally.count('operation_flags', { operation, flag: 'fallback' })
      if (result.hedged) tally.count('operation_flags', { operation, flag: 'hedged' })
      if (result.status === 'succeeded' || result.error?.code === 'deadline_exceeded') {
        const judgedMs = result.latency.basis === 'first_content' ? (result.latency.timeToFirstTokenMs ?? result.latency.totalMs) : result.latency.totalMs
        tally.observe('operation_latency', { operation, route: result.route ?? event.result.decision?.route ?? 'none' }, judgedMs)
      }
      if (result.latency.timeToFirstTokenMs !== null) tally.observe('first_token', { operation, route }, result.latency.timeToFirstTokenMs)
      if (result.usage !== null) {
        tally.count('tokens', { route, direction: 'input' }, result.usage.inputTokens)
        tally.count('tokens', { route, direction: 'output' }, result.usage.outputTokens)
      }
      if (result.cost.estimated > 0) tally.count('cost', { operation }, result.cost.estimated)
      return
    }
    case 'attempt_ended': {
      const { route, target, outcome, error } = event.record
      tally.count('attempts', { route, target, outcome })
      if (error !== undefined) tally.count('attempt_faults', { route, target, kind: error.kind })
      return
    }
    case 'routing_decision':
      tally.count('decisions', { route: event.decision.route ?? 'none', reason: event.decision.reason })
      return
    case 'operation_refused':
      tally.count('refusals', { code: event.code })
      return
    default:
      return
  }
}
