/**
 * Plays a scenario with somebody who watches: the Hybrid Router on simulated paths, and around it whatever the watcher starts
 * on the same clock and the same events (metrics, health, alerts). The composition root of the command makes the watcher, so
 * that the simulator knows nothing of alerts.
 *
 * The paths are synchronous and what watches is not. Promises are let settle after each call that the watcher scheduled, and
 * after no other: a run of some ten thousand operations stays below a second.
 */
import type { SystemEvent } from '../../operation/system-event.ts'
import { createHybridRouter, type HybridRouter, type RouterSettings } from '../../router/hybrid-router.ts'
import type { Clock } from '../../runtime/clock.ts'
import { createEventStream, type EventStream } from '../../runtime/event-stream.ts'
import { createSeededRandom } from '../../runtime/random.ts'
import type { Scenario } from '../scenario.ts'
import { createSimulatedPath, type SimulatedPath } from '../simulated-path.ts'
import { deaf, Stage, topologyOf } from '../stage.ts'
import type { WorkItem } from '../workload.ts'

/** What a watcher sees of the play. */
export interface WatchedWorld {
  readonly clock: Clock
  readonly events: EventStream<SystemEvent>
  readonly router: HybridRouter
  readonly paths: { readonly direct: SimulatedPath; readonly mcp: SimulatedPath }
}

export interface Watcher {
  /** Read by the router for every operation. */
  settings(): RouterSettings
  stop(): Promise<void>
}

export interface WatchedParts {
  readonly scenario: Scenario
  readonly seed: number
  readonly work: Iterable<WorkItem>
  /** At the start; the watcher changes them by its levers. */
  readonly settings: RouterSettings
  /** How long it is played, from the start: longer than operations come in. */
  readonly untilMs: number
  watch(world: WatchedWorld): Promise<Watcher>
}

/** @returns operations that never ended, which would be a mistake of ours. */
export async function playWatched(parts: WatchedParts): Promise<number> {
  const { scenario, seed } = parts
  const stage = new Stage(scenario, seed, parts.settings.matrix)
  let hasActed = false
  const clock: Clock = {
    nowMs: () => stage.clock.nowMs(),
    monotonicMs: () => stage.clock.monotonicMs(),
    schedule: (atMs, callback) =>
      stage.clock.schedule(atMs, () => {
        hasActed = true
        callback()
      }),
  }
  const rethrow = (error: unknown): never => {
    throw error
  }
  const events = createEventStream<SystemEvent>(rethrow)
  const topology = { direct: topologyOf(scenario, 'direct'), mcp: topologyOf(scenario, 'mcp') }
  const paths = { direct: createSimulatedPath('direct', stage), mcp: createSimulatedPath('mcp', stage) }
  let watcher: Watcher | undefined
  const router = createHybridRouter({
    paths,
    clock: stage.clock,
    random: createSeededRandom(seed + 1),
    events,
    settings: () => watcher?.settings() ?? parts.settings,
    topology: () => topology,
    onInternalError: rethrow,
  })
  // Whoever watches never stops by itself.
  stage.clock.schedule(parts.untilMs, () => undefined)
  watcher = await parts.watch({ clock, events, router, paths })
  stage.begin(parts.work, (operation, _item, done) => void router.run(operation, { ...deaf, onResult: done }))
  while (stage.clock.monotonicMs() < parts.untilMs && stage.clock.next()) {
    if (!hasActed) continue
    hasActed = false
    await stage.clock.advanceAsync(0)
  }
  await watcher.stop()
  return stage.running
}
