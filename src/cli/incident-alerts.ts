/**
 * The alerts of an incident: health, metrics and the Alert Manager as `serve` composes them, with the default configuration's
 * rules and times, around the Hybrid Router on a virtual clock. The paths are simulated; so are the free probes, which find
 * what they would find: a place that is down or whose credentials have expired does not answer them, one that hangs, throttles
 * or is slow does.
 *
 * Somebody acknowledges each alert after two minutes, so that what goes up the chain would be one that was told too late. The
 * automatic actions act on the router.
 */
import { createMemoryNotifier } from '../alerts/adapters/memory-notifier.ts'
import { createAlertManager, type AlertManager } from '../alerts/alert-manager.ts'
import { alertSettings } from '../alerts/settings.ts'
import { routerSettings } from '../service/component-settings.ts'
import { alertManagerComponent, type WatchedDirect, type WatchedMcp } from '../service/health-subjects.ts'
import { startMonitoring } from '../service/monitoring.ts'
import type { LogSink } from '../logs/adapters/json-lines.ts'
import type { McpServerView } from '../mcp/server-view.ts'
import type { JsonObject } from '../operation/converse.ts'
import type { RouterSettings } from '../router/hybrid-router.ts'
import { noOverrides } from '../routing/conditions.ts'
import { createCountingIds } from '../runtime/ids.ts'
import { createSeededRandom } from '../runtime/random.ts'
import { playWatched, type Watcher, type WatchedWorld } from '../simulate/adapters/watched-play.ts'
import { alertIncident, type AlertIncident } from '../simulate/alert-incident.ts'
import { alertReport, type AlertReport, type AlertsSeen, type SeenAlert, type SeenNotification } from '../simulate/alert-verdict.ts'
import { expectedAlerts } from '../simulate/expected-alerts.ts'
import { faultOf } from '../simulate/fate.ts'
import { placesOf, type IncidentFaultKind, type Scenario } from '../simulate/scenario.ts'
import { generateWork, type WorkItem } from '../simulate/workload.ts'
import { createMemoryMessageQueue } from '../store/adapters/memory-message-queue.ts'
import { createMemoryStateStore } from '../store/adapters/memory-state-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { incidentConfig } from './incident-config.ts'

const nowhere: LogSink = { write: () => undefined, setLevel: () => undefined, flush: () => Promise.resolve(), flushNow: () => undefined }
/** ms until the on-call engineer has acknowledged: within the time of a P0. */
const acknowledgeMs = 120_000
/** ms after the last arrival in which what runs ends. */
const lastEndsMs = 120_000
/** ms of a free probe that is answered. */
const probeMs = 30

/** What operators would have been told of the incident, against what they should have been. */
export async function incidentAlerts(scenario: Scenario, seed: number, routing: JsonObject = {}): Promise<AlertReport> {
  const expected = expectedAlerts[scenario.name]
  if (expected === undefined) throw new Error(`nobody has said what operators must be told of ${scenario.name}`)
  const incident = alertIncident(scenario, expected.surge)
  return alertReport(incident, seed, await watchAlerts(incident, seed, routing), expected)
}

/** @param routing the section `routing` of a configuration */
export async function watchAlerts(incident: AlertIncident, seed: number, routing: JsonObject = {}): Promise<AlertsSeen> {
  const { scenario } = incident
  const config = incidentConfig(scenario, undefined, routing)
  const seen = { raised: [] as SeenAlert[], notifications: [] as SeenNotification[] }
  const lost = await playWatched({
    scenario,
    seed,
    work: sent(incident, generateWork(scenario, createSeededRandom(seed))),
    settings: routerSettings(config),
    untilMs: scenario.durationMs + lastEndsMs,
    watch: (world) => watch(world, scenario, config, seed, seen),
  })
  return { ...seen, lost }
}

function* sent(incident: AlertIncident, work: Iterable<WorkItem>): Iterable<WorkItem> {
  for (const item of work) if (incident.isSent(item)) yield item
}

async function watch(world: WatchedWorld, scenario: Scenario, config: ReturnType<typeof incidentConfig>, seed: number, seen: { raised: SeenAlert[]; notifications: SeenNotification[] }): Promise<Watcher> {
  const { clock, events, router } = world
  const state = createMemoryStateStore(clock)
  const pager = createMemoryNotifier('pager')
  // One instance that never restarts: what it would keep of its figures nobody reads.
  const withoutRollups: StateStore = { ...state, put: () => Promise.resolve({ stored: true, version: 1 }), list: () => Promise.resolve([]) }
  let settings: RouterSettings = routerSettings(config)
  let manager: AlertManager | undefined
  const monitoring = startMonitoring({
    clock,
    events,
    config: () => config,
    store: { state: withoutRollups, queue: createMemoryMessageQueue(clock) },
    instance: 'incident',
    direct: probedDirect(world, scenario, config),
    mcp: probedMcp(world, scenario),
    router,
    log: nowhere,
  })
  const unsubscribe = events.subscribe((event) => {
    const atMs = clock.monotonicMs()
    if (event.type === 'alert_raised') {
      const { id, rule, component, priority } = event.alert
      seen.raised.push({ id, rule, component, priority, raisedAtMs: atMs, resolvedAtMs: null })
      clock.schedule(atMs + acknowledgeMs, () => void manager?.acknowledge(id, 'on-call engineer'))
    } else if (event.type === 'alert_resolved') {
      seen.raised = seen.raised.map((alert) => (alert.id === event.alert.id ? { ...alert, resolvedAtMs: atMs } : alert))
    }
  })
  const alerts = createAlertManager({
    clock,
    ids: createCountingIds(),
    random: createSeededRandom(seed + 2),
    store: state,
    instanceId: 'incident',
    settings: alertSettings(config.alerts),
    readings: () => monitoring.alertReadings(),
    notifiers: [
      {
        ...pager,
        deliver(notification, signal) {
          const { event, dedupKey, title } = notification
          seen.notifications.push({ event, dedupKey, title, atMs: clock.monotonicMs() })
          return pager.deliver(notification, signal)
        },
      },
    ],
    heartbeat: null,
    actions: {
      preferRoute(route, _reason, untilMs) {
        // The end is on the wall clock, the router's on the monotonic one.
        settings = { ...settings, overrides: { ...noOverrides, automatic: route === null ? null : { prefer: route, untilMs: clock.monotonicMs() + untilMs - clock.nowMs() } } }
      },
    },
    events,
  })
  manager = alerts
  const component = alertManagerComponent(() => alerts.health(), clock, null)
  monitoring.extend({ alerts: () => alerts.list() as unknown as readonly JsonObject[], components: () => [component] })
  await alerts.start()
  return {
    settings: () => settings,
    async stop() {
      unsubscribe()
      await alerts.stop()
      void monitoring.stop()
    },
  }
}

/** What keeps a free probe of the place from an answer at the instant. */
function faultAt(scenario: Scenario, place: string, nowMs: number): IncidentFaultKind | null {
  const fault = scenario.faults.find(({ kind, places, fromMs, untilMs }) => (kind === 'down' || kind === 'expired') && places.includes(place) && nowMs >= fromMs && nowMs < untilMs)
  return fault?.kind ?? null
}

function probedDirect({ clock, paths }: WatchedWorld, scenario: Scenario, config: ReturnType<typeof incidentConfig>): WatchedDirect {
  return {
    ...paths.direct,
    targets: config.direct.targets.map(({ id, region, modelId }) => ({ id, region, modelId })),
    checkConnection(id) {
      const kind = faultAt(scenario, id, clock.monotonicMs())
      if (kind === null) return Promise.resolve({ ok: true, durationMs: probeMs, modelIds: [] })
      return Promise.resolve({ ok: false, durationMs: probeMs, fault: kind === 'expired' ? faultOf.expired : faultOf.down })
    },
  }
}

function probedMcp({ clock }: WatchedWorld, scenario: Scenario): WatchedMcp {
  const view = (name: string): McpServerView => {
    const isDown = faultAt(scenario, name, clock.monotonicMs()) !== null
    return {
      name,
      state: isDown ? 'waiting' : 'ready',
      health: isDown ? 'unhealthy' : 'healthy',
      reason: isDown ? 'No connection' : 'It answers',
      sinceMs: clock.nowMs(),
      inFlight: 0,
      waiting: 0,
      concurrency: 1,
      era: null,
      lastError: isDown ? faultOf.down : null,
      lastErrorAtMs: null,
      lastCheckAtMs: clock.nowMs(),
      responseTimeMs: isDown ? null : probeMs,
      connections: 1,
      carries: {},
    }
  }
  return { servers: () => placesOf(scenario, 'mcp').map(({ id }) => view(id)), checkServer: (name) => Promise.resolve(view(name)) }
}
