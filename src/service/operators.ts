/**
 * The part of the composition root around operators: the audit trail, the levers, the operations log and the Alert Manager,
 * and what they need of the rest of the service.
 *
 * It is made in two steps, because levers decide with which configuration the components are built, and act on them once
 * they are there: `openOperators` before the components, `bind` after them.
 */
import { createAlertManager, type AlertManager } from '../alerts/alert-manager.ts'
import { openHeartbeat, openNotifiers } from '../alerts/adapters/open-notifiers.ts'
import { createSelfTests } from '../alerts/adapters/self-tests.ts'
import { alertSettings } from '../alerts/settings.ts'
import { obtainAuditKey, type KeyPlace } from '../audit/adapters/audit-key.ts'
import { createSeal } from '../audit/adapters/seal.ts'
import { createAuditTrail, type AuditTrail } from '../audit/audit-trail.ts'
import { createOperationsLog } from '../audit/operations-log.ts'
import { mcpSettings, directSettings } from './component-settings.ts'
import type { ConfigSource } from '../config/config-watcher.ts'
import type { Config } from '../config/schema.ts'
import type { DirectBedrockClient } from '../direct/direct-bedrock-client.ts'
import type { AdminParts } from '../http/admin.ts'
import { alertManagerComponent } from './health-subjects.ts'
import type { LeverPorts } from '../levers/lever-ports.ts'
import { createLevers, type Levers } from '../levers/levers.ts'
import { tuningOf } from '../levers/propose-tuning.ts'
import type { LogSink } from '../logs/adapters/json-lines.ts'
import type { McpRouter } from '../mcp/mcp-router.ts'
import type { RunningMonitoring } from './monitoring.ts'
import type { JsonObject } from '../operation/converse.ts'
import { routes } from '../operation/matrix.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { HybridRouter } from '../router/hybrid-router.ts'
import type { Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Ids } from '../runtime/ids.ts'
import type { Random } from '../runtime/random.ts'
import type { StateStore } from '../store/state-store.ts'

export interface OperatorsParts {
  /** As it was loaded; what operators set is laid over it. */
  readonly config: ConfigSource
  readonly state: StateStore
  readonly clock: Clock
  readonly random: Random
  readonly ids: Ids
  readonly events: EventStream<SystemEvent>
  readonly log: LogSink
  /** The name of this process among the instances on the store. */
  readonly instance: string
  readonly onInternalError: (error: unknown) => void
}

export interface OperatedComponents {
  readonly direct: DirectBedrockClient
  readonly mcp: McpRouter
  readonly router: HybridRouter
  readonly monitoring: RunningMonitoring
}

export interface Operators {
  /** The configuration in force. */
  readonly config: ConfigSource
  readonly levers: Levers
  readonly audit: AuditTrail
  /** Levers act on these from now on. */
  bind(components: OperatedComponents): { readonly admin: AdminParts; readonly alerts: AlertManager }
  /** Alerts are evaluated from now on. */
  begin(): Promise<void>
  stop(): Promise<void>
}

const dayMs = 86_400_000
/** ms. As long as the router keeps verdicts. */
const tuningWindowMs = 3_600_000

export async function openOperators(parts: OperatorsParts): Promise<Operators> {
  const { clock, ids, events, state } = parts
  const start = parts.config.current()
  const seal = createSeal(await obtainAuditKey(keyPlace(start), state))
  const audit = createAuditTrail({ state, clock, ids, events, seal, retentionMs: () => parts.config.current().audit.retentionDays * dayMs, onInternalError: parts.onInternalError })

  let components: OperatedComponents | undefined
  let alertManager: AlertManager | undefined
  const isBreakersOff = { direct: false, mcp: false }
  let told: Config | undefined
  const config: ConfigSource = { current: () => levers.layOver(parts.config.current()) }

  const apply = (): void => {
    if (components === undefined) return
    const { direct, mcp, router } = components
    const { breakersOff } = levers.effect().modes
    for (const route of routes) {
      if (breakersOff[route] === isBreakersOff[route]) continue
      isBreakersOff[route] = breakersOff[route]
      router.enableBreakers(!breakersOff[route], { route })
    }
    const current = config.current()
    if (current === told) return
    told = current
    direct.update(directSettings(current))
    mcp.update(mcpSettings(current))
  }

  const ports: LeverPorts = {
    resetBreakers(component) {
      const route = component === 'direct-bedrock-client' ? 'direct' : component === 'mcp-router' ? 'mcp' : undefined
      const closed = components?.router.resetBreakers(route === undefined ? {} : { route }) ?? 0
      return `${closed} were not closed`
    },
    onEffect: apply,
    async testBedrock(timeoutMs) {
      const { direct } = bound(components)
      return Promise.all(
        direct.targets.map(async ({ id, region, modelId }): Promise<JsonObject> => {
          const check = await direct.checkConnection(id, clock.monotonicMs() + timeoutMs)
          const about = { target: id, region, modelId, durationMs: Math.round(check.durationMs) }
          return check.ok ? { ...about, ok: true } : { ...about, ok: false, fault: check.fault.kind, message: check.fault.message }
        }),
      )
    },
    bedrockTargets: () => (components?.direct.targets ?? []).map(({ id }) => id),
    propose(targetEfficiency, mode) {
      const { router } = bound(components)
      const { routing } = config.current()
      const proposal = router.proposeThresholds({ mode, targetEfficiency: targetEfficiency ?? null })
      return tuningOf(proposal, routing.rescue.threshold, routing.fallbackAggressiveness, router.efficiency(tuningWindowMs).overall.optimalShare, { targetEfficiency, mode })
    },
    alerts: {
      list: (scope) => bound(alertManager).list(scope),
      suppress: (request, who) => bound(alertManager).suppress(request, who),
      bulkResolve: (scope, who) => bound(alertManager).bulkResolve(scope, who),
      test: (severity, who) => bound(alertManager).test(severity, who),
    },
  }
  const levers = createLevers({ state, shared: start.store.engine === 'redis', clock, ids, events, audit, config: () => parts.config.current(), ports, onInternalError: parts.onInternalError })
  await levers.start()

  const unsubscribe = events.subscribe((event) => {
    if (event.type === 'config_reloaded' && event.changed.length > 0) alertManager?.update(alertSettings(config.current().alerts))
  })

  return {
    config,
    levers,
    audit,
    bind(given) {
      components = given
      told = config.current()
      apply()
      const current = config.current()
      const { credentials } = current.direct
      const notifiers = openNotifiers(current.alerts.notify, {
        clock,
        deployment: current.alerts.deployment,
        credentials: credentials === null ? null : { accessKeyId: credentials.accessKeyId, secretAccessKey: credentials.secretAccessKey, ...(credentials.sessionToken === null ? {} : { sessionToken: credentials.sessionToken }) },
        droppedLines: () => parts.log.dropped?.() ?? 0,
        writeLine: (urgency, event, message, fields) => parts.log.write({ urgency, event, component: 'alert-manager', message, fields: { ...fields } }),
      })
      alertManager = createAlertManager({
        clock,
        ids,
        random: parts.random,
        store: state,
        instanceId: parts.instance,
        settings: alertSettings(current.alerts),
        readings: () => given.monitoring.alertReadings(),
        notifiers,
        heartbeat: openHeartbeat(current.alerts.heartbeat, clock),
        actions: levers,
        events,
      })
      const alerts = alertManager
      const component = alertManagerComponent(() => alerts.health(), clock, { tests: createSelfTests(clock, notifiers), intervalMs: () => config.current().alerts.selfTestIntervalMs })
      given.monitoring.extend({
        alerts: () => alerts.list() as unknown as readonly JsonObject[],
        activeAlerts: () => alerts.activeBySeverity(),
        overrides: () => levers.overridesInForce() as unknown as readonly JsonObject[],
        resets: () => levers.resets() as unknown as readonly JsonObject[],
        components: () => [component],
      })
      return { admin: { levers, audit, operationsLog: createOperationsLog({ state, clock, ids, audit }), alerts }, alerts }
    },
    begin: () => bound(alertManager).start(),
    async stop() {
      unsubscribe()
      await alertManager?.stop()
      await levers.close()
      await audit.close()
    },
  }
}

function keyPlace({ audit, store }: Config): KeyPlace {
  if (audit.key !== null) return { kind: 'configured', key: audit.key }
  switch (store.engine) {
    case 'sqlite':
      return { kind: 'file', path: `${store.path}.audit-key` }
    case 'redis':
      return { kind: 'store' }
    case 'memory':
      return { kind: 'process' }
  }
}

/** Levers come over HTTP, and HTTP listens after everything is bound. */
function bound<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('a lever was pulled before the service had started')
  return value
}
