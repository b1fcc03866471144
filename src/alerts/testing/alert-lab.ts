/**
 * A running Alert Manager on a virtual clock with figures that a test sets, for the sheets of this folder.
 */
import { onTestFinished } from 'vitest'
import type { SystemEvent } from '../../operation/system-event.ts'
import { componentNames } from '../../health/component-names.ts'
import { createEventStream } from '../../runtime/event-stream.ts'
import { createIds } from '../../runtime/ids.ts'
import { createSeededRandom } from '../../runtime/random.ts'
import { createVirtualClock, type VirtualClock } from '../../runtime/virtual-clock.ts'
import { createMemoryStateStore } from '../../store/adapters/memory-state-store.ts'
import type { StateStore } from '../../store/state-store.ts'
import { createAlertManager, type AlertManager } from '../alert-manager.ts'
import { createMemoryNotifier, type MemoryNotifier } from '../adapters/memory-notifier.ts'
import type { Heartbeat } from '../adapters/heartbeat.ts'
import type { Notifier } from '../notifier.ts'
import type { RouteCommand } from '../preferred-route.ts'
import type { AlertReadings, HealthLevel } from '../readings.ts'
import { runbookSettings, type AlertSettings } from '../settings.ts'

/** Every component but the Cache Layer, which an installation may do without. */
export const components = componentNames.filter((name) => name !== 'cache-layer')

/** All is well, and all is known. */
export const calm: AlertReadings = {
  systemHealth: 'healthy',
  components: Object.fromEntries(components.map((name) => [name, { level: 'healthy', message: null }])),
  errorRate: 0.002,
  routingEfficiency: 0.93,
  fallbackRate: 0.02,
  latency: [
    { operation: 'emergency', route: 'direct', p95Ms: 2_100, targetMs: 5_000 },
    { operation: 'standard_analysis', route: 'mcp', p95Ms: 9_000, targetMs: 30_000 },
  ],
  queue: [{ oldestAgeMs: 800, requirementMs: 30_000 }],
  budgetUsed: 0.31,
  healthCheckSuccessRate: 0.999,
  cacheHitRate: 0.9,
  configurationRejected: false,
}

export function withLevel(readings: AlertReadings, component: string, level: HealthLevel, message: string | null = null): AlertReadings {
  return { ...readings, components: { ...readings.components, [component]: { level, message } } }
}

export interface Lab {
  readonly clock: VirtualClock
  readonly store: StateStore
  readonly manager: AlertManager
  readonly pager: MemoryNotifier
  readonly events: SystemEvent[]
  readonly commands: RouteCommand[]
  /** What the rules read from now on. */
  set(readings: AlertReadings | (() => AlertReadings)): void
  /** Lets virtual time pass, tick by tick. */
  pass(durationMs: number): Promise<void>
  /** The rules of the active alerts, sorted. */
  active(): readonly string[]
  /** Event and title of what the pager received, without the times. */
  pages(): readonly string[]
}

export interface LabOptions {
  readonly clock?: VirtualClock
  readonly store?: StateStore
  readonly instanceId?: string
  readonly settings?: Partial<AlertSettings>
  readonly notifiers?: readonly Notifier[]
  readonly heartbeat?: Heartbeat
  readonly preferRoute?: (command: RouteCommand) => void | Promise<void>
  readonly readings?: AlertReadings
}

export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const clock = options.clock ?? createVirtualClock()
  const store = options.store ?? createMemoryStateStore(clock)
  const pager = createMemoryNotifier('pager')
  const stream = createEventStream<SystemEvent>((error) => {
    throw error
  })
  const events: SystemEvent[] = []
  stream.subscribe((event) => events.push(event))
  const commands: RouteCommand[] = []
  let read: () => AlertReadings = () => options.readings ?? calm
  const manager = createAlertManager({
    clock,
    ids: createIds(clock),
    random: createSeededRandom(1),
    store,
    instanceId: options.instanceId ?? 'one',
    settings: { ...runbookSettings, ...options.settings },
    readings: () => read(),
    notifiers: [pager, ...(options.notifiers ?? [])],
    heartbeat: options.heartbeat ?? null,
    actions: {
      preferRoute(route, reason, untilMs) {
        const pulled = options.preferRoute?.({ route, reason, untilMs })
        commands.push({ route, reason, untilMs })
        return pulled
      },
    },
    events: stream,
  })
  await manager.start()
  onTestFinished(() => manager.stop())
  return {
    clock,
    store,
    manager,
    pager,
    events,
    commands,
    set(readings) {
      read = typeof readings === 'function' ? readings : () => readings
    },
    pass: (durationMs) => clock.advanceAsync(durationMs),
    active: () =>
      manager
        .list()
        .map((alert) => alert.rule)
        .sort(),
    pages: () => pager.received.map((notification) => `${notification.event} ${notification.title}`),
  }
}
