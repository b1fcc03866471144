/**
 * The shell that keeps the configuration in force: it loads again on SIGHUP and when the file changes, swaps the snapshot
 * for what may change while running, and says what needs a restart. A faulty file changes nothing: the old configuration
 * stays, and the faults are told.
 *
 * Whoever needs a live member asks `current()` for each operation and keeps what it got until the operation's end. Nobody is
 * called back: the snapshot is the message.
 *
 * A change is acted on when it has been quiet for a moment, because editors and volume updates write in several steps.
 */
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { watchConfigFile } from './adapters/file-changes.ts'
import { onHangup } from './adapters/hangup.ts'
import { reloadQuietMs } from './limits.ts'
import { configPath, loadConfig, type LoadOptions } from './load-config.ts'
import { planReload } from './reload-plan.ts'
import type { Config } from './schema.ts'

/** The configuration in force, for those who only read it. */
export interface ConfigSource {
  /** A frozen snapshot; another object after a reload that changed something. */
  current(): Config
}

export interface ConfigWatcher extends ConfigSource {
  /** Loads and applies now. */
  reload(): void
  close(): void
}

export interface ConfigWatcherOptions {
  readonly clock: Clock
  readonly events: EventStream<SystemEvent>
  /** How the configuration was loaded at the start. */
  readonly load: LoadOptions
  /** What was loaded at the start. */
  readonly initial: Config
}

export function createConfigWatcher(options: ConfigWatcherOptions): ConfigWatcher {
  const { clock, events, load } = options
  let config = options.initial
  let cancelPending: CancelSchedule | null = null

  const reload = (): void => {
    const atMs = clock.nowMs()
    const loaded = loadConfig(load)
    if ('errors' in loaded) {
      events.publish({ type: 'config_rejected', atMs, errors: loaded.errors })
      return
    }
    const plan = planReload(config, loaded.config)
    switch (plan.kind) {
      case 'unchanged':
        events.publish({ type: 'config_reloaded', atMs, changed: [], needsRestart: [] })
        return
      case 'reject':
        events.publish({ type: 'config_rejected', atMs, errors: plan.errors })
        return
      case 'apply':
        config = plan.config
        events.publish({ type: 'config_reloaded', atMs, changed: plan.changed, needsRestart: plan.needsRestart })
        return
      default:
        plan satisfies never
    }
  }

  const reloadWhenQuiet = (): void => {
    cancelPending?.()
    cancelPending = clock.schedule(clock.monotonicMs() + reloadQuietMs, () => {
      cancelPending = null
      reload()
    })
  }

  const stopWatching = watchConfigFile(configPath(load), reloadWhenQuiet)
  const stopListening = onHangup(reload)

  return {
    current: () => config,
    reload,
    close() {
      cancelPending?.()
      cancelPending = null
      stopWatching()
      stopListening()
    },
  }
}

/** A configuration that never changes: what the demo, the drills and tests run on. */
export function fixedConfig(config: Config): ConfigSource {
  return { current: () => config }
}
