/**
 * `hybrid-routing serve`: the service from a configuration file, which is watched, until it is told to stop. It then is not
 * ready any more, finishes what runs within its hard timeouts, and exits with 0.
 */
import { createConfigWatcher } from '../config/config-watcher.ts'
import type { LoadOptions } from '../config/load-config.ts'
import { ConfigError } from '../config/resolve-config.ts'
import { createJsonLines } from '../logs/adapters/json-lines.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { createSystemClock } from '../runtime/clock.ts'
import { createEventStream } from '../runtime/event-stream.ts'
import { settleHeap } from '../runtime/settled-heap.ts'
import { startService, type Service } from '../service/serve.ts'
import { loadConfigOrFail } from './config-loading.ts'
import { listenFailure } from './listen-failure.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'
import { untilStopped } from './until-stopped.ts'

export interface ServeCommandOptions {
  readonly config?: string
  readonly port?: number
  readonly host?: string
}

export async function serveCommand(options: ServeCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const load: LoadOptions = {
    ...(options.config === undefined ? {} : { file: options.config }),
    cwd: terminal.workingDirectory,
    env: terminal.environment,
    overrides: { ...(options.port === undefined ? {} : { port: options.port }), ...(options.host === undefined ? {} : { host: options.host }) },
  }
  const initial = loadConfigOrFail(load, terminal)
  const clock = createSystemClock()
  const log = createJsonLines(2, initial.logs.level)
  const events = createEventStream<SystemEvent>((error) =>
    log.write({ urgency: 'error', event: 'ERROR', component: 'log-aggregator', message: 'a reader of the event stream failed', fields: { error: String(error) } }),
  )
  const watcher = createConfigWatcher({ clock, events, load, initial })
  let service: Service
  try {
    service = await startService({ config: watcher, environment: terminal.environment, clock, events, log })
  } catch (error) {
    watcher.close()
    if (error instanceof ConfigError) throw new CommandFailure(error.message, exitCode.failed, error)
    throw listenFailure(error, initial.server.port)
  }
  settleHeap()
  terminal.out(`Hybrid Routing listens on ${service.url}\n`)
  await untilStopped(terminal, () => service.stop())
  watcher.close()
  return exitCode.done
}
