/**
 * From events to series: the one place that says what is counted when. Every metric of the runbook that comes from traffic
 * is a reading of these series (`readings.ts`).
 *
 *   operations          operation, route, status        every operation that ended, once
 *   operation_flags     operation, flag                 sla_met, fallback, hedged
 *   operation_problems  operation, code                 what callers were told that did not get an answer
 *   operation_latency   operation, route                ms until what the operation is judged by
 *   first_token         operation, route                ms
 *   attempts            route, target, outcome
 *   attempt_faults      route, target, kind
 *   refusals            code                            refused before they became operations' attempts
 *   tokens              route, direction
 *   cost                operation, route                in the price table's currency
 *   decisions           route, reason
 *   judgements          verdict                         optimal, not_optimal, unknown: hindsight on each decision
 *   regret                                              ms that another route would have saved
 *   breaker_changes     route, target, change           tripped, recovered
 *   health_checks       component, outcome              ok, failed
 *   health_changes      component, level                the level that was reached
 *   alerts              severity, transition            raised, acknowledged, resolved, escalated
 *   alert_response      severity                        ms from raised to acknowledged
 *   notifications       notifier, outcome               failed
 *   reloads             outcome                         loaded, rejected
 *   login_failures
 *
 * It counts on the path of every operation: keys are cached, and an operation costs a few microseconds in all.
 */
import { severityOf } from '../operation/alert-facts.ts'
import type { OperationResult } from '../operation/result.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { SeriesKeys } from './series-keys.ts'
import type { Tally } from './tally.ts'

export class EventCounter {
  readonly #operations = new SeriesKeys('operations', 'operation', 'route', 'status')
  readonly #flags = new SeriesKeys('operation_flags', 'operation', 'flag')
  readonly #problems = new SeriesKeys('operation_problems', 'operation', 'code')
  readonly #latency = new SeriesKeys('operation_latency', 'operation', 'route')
  readonly #firstToken = new SeriesKeys('first_token', 'operation', 'route')
  readonly #attempts = new SeriesKeys('attempts', 'route', 'target', 'outcome')
  readonly #faults = new SeriesKeys('attempt_faults', 'route', 'target', 'kind')
  readonly #tokens = new SeriesKeys('tokens', 'route', 'direction')
  readonly #cost = new SeriesKeys('cost', 'operation', 'route')
  readonly #judgements = new SeriesKeys('judgements', 'verdict')
  readonly #decisions = new SeriesKeys('decisions', 'route', 'reason')

  count(tally: Tally, event: SystemEvent): void {
    switch (event.type) {
      case 'operation_ended':
        this.#operationEnded(tally, event.result)
        return
      case 'attempt_ended': {
        const { route, target, outcome, error } = event.record
        tally.countKey(this.#attempts.key(route, target, outcome))
        if (error !== undefined) tally.countKey(this.#faults.key(route, target, error.kind))
        return
      }
      case 'routing_decision':
        tally.countKey(this.#decisions.key(event.decision.route ?? 'none', event.decision.reason))
        return
      case 'decision_judged':
        tally.countKey(this.#judgements.key(event.optimal === null ? 'unknown' : event.optimal ? 'optimal' : 'not_optimal'))
        if (event.regretMs !== null) tally.observeKey('regret', event.regretMs)
        return
      case 'breaker_tripped':
        tally.count('breaker_changes', { route: event.route, target: event.target, change: 'tripped' })
        return
      case 'breaker_recovered':
        tally.count('breaker_changes', { route: event.route, target: event.target, change: 'recovered' })
        return
      case 'operation_refused':
        tally.count('refusals', { code: event.code })
        return
      case 'authentication_failed':
        tally.count('login_failures', {})
        return
      case 'config_reloaded':
        tally.count('reloads', { outcome: 'loaded' })
        return
      case 'config_rejected':
        tally.count('reloads', { outcome: 'rejected' })
        return
      case 'alert_raised':
        tally.count('alerts', { severity: severityOf(event.alert.priority), transition: 'raised' })
        return
      case 'alert_acknowledged':
        tally.count('alerts', { severity: severityOf(event.alert.priority), transition: 'acknowledged' })
        tally.observe('alert_response', { severity: severityOf(event.alert.priority) }, event.responseMs)
        return
      case 'alert_resolved':
        tally.count('alerts', { severity: severityOf(event.alert.priority), transition: 'resolved' })
        return
      case 'alert_escalated':
        tally.count('alerts', { severity: severityOf(event.alert.priority), transition: 'escalated' })
        return
      case 'notification_failed':
        tally.count('notifications', { notifier: event.notifier, outcome: 'failed' })
        return
      case 'health_checked':
        tally.count('health_checks', { component: event.component, outcome: event.ok ? 'ok' : 'failed' })
        return
      case 'health_changed':
        tally.count('health_changes', { component: event.component, level: event.to })
        return
      default:
        return
    }
  }

  #operationEnded(tally: Tally, result: OperationResult): void {
    const { operation, latency } = result
    const route = result.route ?? 'none'
    tally.countKey(this.#operations.key(operation, route, result.status))
    if (result.slaMet) tally.countKey(this.#flags.key(operation, 'sla_met'))
    // Where the first choice was never configured nothing fell back: the rate is about paths that fail.
    if (result.fallbackUsed && result.decision?.reason !== 'primary_not_configured') tally.countKey(this.#flags.key(operation, 'fallback'))
    if (result.hedged) tally.countKey(this.#flags.key(operation, 'hedged'))
    if (result.error !== undefined) tally.countKey(this.#problems.key(operation, result.error.code))
    // At the hard timeout an operation enters the latency figures with that time, under the route that was decided for it.
    if (result.status === 'succeeded' || result.error?.code === 'deadline_exceeded') {
      const judgedMs = latency.basis === 'first_content' ? (latency.timeToFirstTokenMs ?? latency.totalMs) : latency.totalMs
      tally.observeKey(this.#latency.key(operation, result.route ?? result.decision?.route ?? 'none'), judgedMs)
    }
    if (latency.timeToFirstTokenMs !== null) tally.observeKey(this.#firstToken.key(operation, route), latency.timeToFirstTokenMs)
    if (result.usage !== null) {
      tally.countKey(this.#tokens.key(route, 'input'), result.usage.inputTokens)
      tally.countKey(this.#tokens.key(route, 'output'), result.usage.outputTokens)
    }
    if (result.cost.estimated > 0) tally.countKey(this.#cost.key(operation, route), result.cost.estimated)
  }
}
