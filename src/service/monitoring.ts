/**
 * The part of the composition root around metrics and health: the recorder, the Health Checker, and what the pages, the Alert
 * Manager and the publication of metrics read of them.
 */
import type { AlertReadings } from '../alerts/readings.ts'
import type { Config } from '../config/schema.ts'
import { createCanaryPurse } from '../health/adapters/canary-purse.ts'
import type { ComponentView } from '../health/component-view.ts'
import { startHealthChecker, type HealthChecker } from '../health/health-checker.ts'
import type { HealthComponent } from '../health/health-subject.ts'
import { systemHealth, type RowRoutes } from '../health/system-health.ts'
import { createHealthComponents, oldestOf, receiverOf, type WatchedDirect, type WatchedMcp } from './health-subjects.ts'
import type { Monitoring } from '../http/monitoring.ts'
import type { LogSink } from '../logs/adapters/json-lines.ts'
import type { MetricsFacts } from '../metrics/metric-catalogue.ts'
import { startMetricsRecorder, type MetricsRecorder } from '../metrics/metrics-recorder.ts'
import type { Gauge } from '../metrics/prometheus-text.ts'
import { budgetUsed, errorRate, failedOperations, fallbackRate, healthCheckSuccessRate, latencyOf, routingEfficiency } from '../metrics/readings.ts'
import type { JsonObject } from '../operation/converse.ts'
import type { AlertSeverity } from '../operation/alert-facts.ts'
import { operationTypes, priorities, type OperationType, type Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { plainOperation } from '../operation/plain-operation.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { HybridRouter } from '../router/hybrid-router.ts'
import type { Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import { version } from '../runtime/version.ts'
import type { QueueInspection } from '../store/message-queue.ts'
import type { Store } from '../store/adapters/open-store.ts'

export interface MonitoringParts {
  readonly clock: Clock
  readonly events: EventStream<SystemEvent>
  readonly config: () => Config
  readonly store: Pick<Store, 'state' | 'queue'>
  /** The name of this process among the instances on the store. */
  readonly instance: string
  readonly direct: WatchedDirect
  readonly mcp: WatchedMcp
  readonly router: HybridRouter
  readonly log: LogSink
}

/** What comes later or from elsewhere; nothing of it as long as nobody gives it. */
export interface MonitoringExtras {
  readonly alerts: () => readonly JsonObject[]
  readonly activeAlerts: () => Readonly<Record<AlertSeverity, number>>
  readonly overrides: () => readonly JsonObject[]
  readonly resets: () => readonly JsonObject[]
  readonly components: () => readonly HealthComponent[]
}

export interface RunningMonitoring {
  readonly pages: Monitoring
  readonly recorder: MetricsRecorder
  readonly checker: HealthChecker
  /** Taken as they are asked for; may be given once the parts exist. */
  extend(extras: Partial<MonitoringExtras>): void
  /** For the Alert Manager, asked at every tick. */
  alertReadings(): AlertReadings
  /** For the publication of metrics (`metrics/metric-catalogue.ts`). */
  facts(): MetricsFacts
  stop(): Promise<void>
}

/** ms. The window that alert rules read (runbook, "Alert rules": rates over the last five minutes). */
const alertWindowMs = 300_000
const dayMs = 86_400_000
const budgetEveryMs = 60_000

export function startMonitoring(parts: MonitoringParts): RunningMonitoring {
  const { clock, events, config, store, router } = parts
  const recorder = startMetricsRecorder({ clock, events, store: store.state, instance: parts.instance })
  const purse = createCanaryPurse({ store: store.state, clock, costPerDay: () => config().health.canary.costPerDay })
  const extras: { -readonly [Member in keyof MonitoringExtras]?: MonitoringExtras[Member] } = {}
  let inspection: QueueInspection | null = null
  let rejected: boolean | null = null
  const stopFollowing = events.subscribe((event) => {
    if (event.type === 'config_rejected') rejected = true
    else if (event.type === 'config_reloaded') rejected = false
  })
  // It looks at itself in its very first round, before it has a name here.
  let started: HealthChecker | undefined
  const checker = startHealthChecker({
    clock,
    events,
    settings: () => config().health,
    onDown: (route, target, down) => router.setDown(route, target, down),
    components: createHealthComponents({
      clock,
      config,
      direct: parts.direct,
      mcp: parts.mcp,
      router,
      store,
      recorder: () => recorder.status(),
      checker: () => started?.status() ?? { subjects: 0, underWay: 0, hanging: 0, lateMs: 0 },
      log: parts.log,
      purse,
      canaryOperation: (maxTokens) => canaryOperation(config(), clock, maxTokens),
      onQueue: (seen) => {
        inspection = seen
      },
      resets: () => extras.resets?.() ?? [],
      more: () => extras.components?.() ?? [],
    }),
  })
  started = checker

  const status = (): ReturnType<Monitoring['status']> => {
    const components = checker.components().filter((component) => component.enabled)
    return systemHealth(rowsOf(config(), clock, router, checker), components.map(({ status: level, required }) => ({ level, required })))
  }
  // A day of slots is added up for it: once a minute is often enough for money.
  let budgetSeen: { readonly atMs: number; readonly used: number | null } | null = null
  const budget = (): number | null => {
    const nowMs = clock.monotonicMs()
    if (budgetSeen === null || nowMs - budgetSeen.atMs >= budgetEveryMs) budgetSeen = { atMs: nowMs, used: budgetUsed(recorder.window(dayMs), config().metrics.budgetPerDay) }
    return budgetSeen.used
  }
  const pages: Monitoring = {
    status,
    components: () => checker.components(),
    window: (windowMs, scope) => recorder.window(windowMs, scope),
    totals: () => recorder.totals(),
    gauges: () => gaugesOf(checker.components(), status(), router, inspection, recorder),
    recorder: () => recorder.status(),
    alerts: () => extras.alerts?.() ?? [],
    overrides: () => extras.overrides?.() ?? [],
    budgetUsed: budget,
    cache: () => null,
  }
  return {
    pages,
    recorder,
    checker,
    extend: (more) => Object.assign(extras, more),
    alertReadings: () => alertReadings(recorder, checker, status(), config(), inspection, rejected, budget()),
    facts: () => {
      const level = status()
      return {
        systemHealth: level === 'unknown' ? null : level,
        components: Object.fromEntries(checker.components().flatMap((view) => (view.enabled ? [[view.name, view.status === 'unknown' ? null : view.status]] : []))),
        queue: inspection === null ? null : { depth: inspection.depth, oldestAgeMs: oldestOf(inspection) },
        activeAlerts: extras.activeAlerts?.() ?? null,
        cacheHitRate: null,
      }
    },
    async stop() {
      stopFollowing()
      checker.stop()
      await recorder.stop()
    },
  }
}

/** For each row of the matrix: which of its routes are configured, and which can be used by what health and levers say. */
function rowsOf(config: Config, clock: Clock, router: HybridRouter, checker: HealthChecker): readonly RowRoutes[] {
  const nowMs = clock.monotonicMs()
  return operationTypes.map((type) => {
    const row = config.routing.matrix[type]
    const conditions = router.conditions(plainOperationOf(type, config, clock))
    const isIsolated = (route: Route): boolean => conditions.overrides.isolated.some((isolation) => isolation.route === route && nowMs < isolation.untilMs)
    const routes: readonly Route[] = row.fallback === 'none' ? [row.route] : [row.route, row.fallback]
    const configured = routes.filter((route) => conditions[route].candidates.length > 0)
    const usable = configured.filter((route) => !isIsolated(route) && conditions[route].candidates.some((candidate) => !checker.isDown(route, candidate.id)))
    return { type, configured: configured.length, usable: usable.length }
  })
}

function alertReadings(recorder: MetricsRecorder, checker: HealthChecker, systemLevel: ReturnType<Monitoring['status']>, config: Config, inspection: QueueInspection | null, rejected: boolean | null, budget: number | null): AlertReadings {
  const window = recorder.window(alertWindowMs)
  const { matrix } = config.routing
  return {
    systemHealth: systemLevel,
    components: Object.fromEntries(checker.components().flatMap((view) => (view.enabled ? [[view.name, { level: view.status, message: view.message }]] : []))),
    errorRate: errorRate(window),
    routingEfficiency: routingEfficiency(window).efficiency,
    fallbackRate: fallbackRate(window),
    latency: operationTypes.flatMap((operation) => (['direct', 'mcp'] as const).map((route) => ({ operation, route, p95Ms: latencyOf(window, { operation, route }).p95, targetMs: matrix[operation].latencyMs }))),
    queue:
      inspection === null
        ? null
        : priorities.flatMap((priority) => {
            const { oldestAgeMs } = inspection.classes[priority]
            const requirements = operationTypes.filter((type) => matrix[type].priority === priority).map((type) => matrix[type].latencyMs)
            return oldestAgeMs === null || requirements.length === 0 ? [] : [{ oldestAgeMs, requirementMs: Math.min(...requirements) }]
          }),
    failedOperations: failedOperations(window),
    budgetUsed: budget,
    healthCheckSuccessRate: healthCheckSuccessRate(window),
    cacheHitRate: null,
    configurationRejected: rejected,
    unreachableNotifiers: checker.components().flatMap(({ subjects }) => subjects.flatMap(({ id, status }) => (status === 'critical' ? (receiverOf(id) ?? []) : []))),
  }
}

const levelNumbers = { healthy: 3, degraded: 2, unhealthy: 1, critical: 0 } as const

function gaugesOf(components: readonly ComponentView[], systemLevel: ReturnType<Monitoring['status']>, router: HybridRouter, inspection: QueueInspection | null, recorder: MetricsRecorder): readonly Gauge[] {
  const level = (of: ReturnType<Monitoring['status']>): number => (of === 'unknown' ? Number.NaN : levelNumbers[of])
  const breakers = router.breakers()
  const memory = process.memoryUsage.rss()
  return [
    { name: 'hybrid_routing_info', help: 'The version that runs.', samples: [{ labels: { version, node: process.versions.node }, value: 1 }] },
    { name: 'hybrid_routing_system_health', help: '3 healthy, 2 degraded, 1 unhealthy, 0 critical, NaN unknown.', samples: [{ labels: {}, value: level(systemLevel) }] },
    { name: 'hybrid_routing_component_health', help: 'The same for each component that is switched on.', samples: components.filter((view) => view.enabled).map((view) => ({ labels: { component: view.name }, value: level(view.status) })) },
    { name: 'hybrid_routing_operations_in_flight', help: 'Operations that run.', samples: [{ labels: {}, value: router.inFlight() }] },
    { name: 'hybrid_routing_operations_waiting', help: 'Operations that wait until a target has room.', samples: [{ labels: {}, value: router.waiting() }] },
    { name: 'hybrid_routing_breaker_open', help: '1 open, 0.5 half open, 0 closed.', samples: breakers.map(({ route, target, phase }) => ({ labels: { route, target }, value: phase === 'open' ? 1 : phase === 'closed' ? 0 : 0.5 })) },
    { name: 'hybrid_routing_attempts_in_flight', help: 'Attempts under way, by target.', samples: breakers.map(({ route, target, inFlight }) => ({ labels: { route, target }, value: inFlight })) },
    ...(inspection === null
      ? []
      : [
          { name: 'hybrid_routing_queue_depth', help: 'Messages that wait.', samples: [{ labels: {}, value: inspection.depth }] },
          { name: 'hybrid_routing_queue_age_seconds', help: 'How long the oldest message has waited.', samples: [{ labels: {}, value: (oldestOf(inspection) ?? 0) / 1_000 }] },
          { name: 'hybrid_routing_dead_letters', help: 'Messages that nobody could work on.', samples: [{ labels: {}, value: inspection.deadLetters }] },
        ]),
    { name: 'hybrid_routing_metrics_store_failures', help: 'Writes and reads of rollups that failed since the start.', samples: [{ labels: {}, value: recorder.status().storeFailures }] },
    { name: 'process_resident_memory_bytes', help: 'Resident memory.', samples: [{ labels: {}, value: memory }] },
    { name: 'process_cpu_seconds', help: 'CPU used since the start.', samples: [{ labels: {}, value: cpuSeconds() }] },
  ]
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000
}

/** What the router would do with most of its type is asked with this one. */
function plainOperationOf(type: OperationType, config: Config, clock: Clock): Operation {
  return plainOperation(type, config.routing.matrix[type], {
    id: 'op_plain',
    converse: { messages: [{ role: 'user', content: [{ text: '.' }] }] },
    arrivedAtMs: clock.monotonicMs(),
    createdAtMs: clock.nowMs(),
    streamMaxMs: config.routing.streamMaxMs,
    correlationId: 'cor_plain',
  })
}

function canaryOperation(config: Config, clock: Clock, maxTokens: number): Operation {
  const plain = plainOperationOf('emergency', config, clock)
  return { ...plain, id: 'op_canary', correlationId: 'cor_canary', converse: { messages: [{ role: 'user', content: [{ text: 'Answer with OK.' }] }], inferenceConfig: { maxTokens } } }
}
