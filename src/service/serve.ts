/**
 * The composition root: builds every component from a validated configuration and joins them. It is the only place that
 * knows them all; `serve`, `demo`, the drills and the tests differ in what they hand in, not in how the parts meet.
 *
 * Clock, chance and ids are made once, here or by the caller. Nothing is read from the environment but what is handed in.
 */
import { randomUUID } from 'node:crypto'
import { credentialsOf, directSettings, intakeSettings, mcpSettings, routerSettings, targetsFor } from './component-settings.ts'
import { createAuthenticator } from '../auth/authenticator.ts'
import type { ConfigSource } from '../config/config-watcher.ts'
import type { Environment } from '../config/environment.ts'
import type { Config } from '../config/schema.ts'
import { createDirectBedrockClient, type DirectBedrockClient } from '../direct/direct-bedrock-client.ts'
import { registerDeadLetters } from '../http/dead-letters.ts'
import { createHttpServer } from '../http/http-server.ts'
import { createDeadLetters } from '../intake/adapters/dead-letters.ts'
import { followTlsFiles, readTlsFiles } from '../http/tls-files.ts'
import { createIntake, type Intake } from '../intake/intake.ts'
import { createJsonLines, type LogSink } from '../logs/adapters/json-lines.ts'
import { startLogAggregator } from '../logs/log-aggregator.ts'
import type { McpRouter } from '../mcp/mcp-router.ts'
import { createRouterWithoutServers } from '../mcp/adapters/no-servers.ts'
import type { Operation } from '../operation/operation.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { createMessagePath } from './message-path.ts'
import { startMonitoring } from './monitoring.ts'
import { openOperators } from './operators.ts'
import { createHybridRouter, type HybridRouter, type RouterSettings } from '../router/hybrid-router.ts'
import type { Overrides, Topology } from '../routing/conditions.ts'
import { createSystemClock, type Clock } from '../runtime/clock.ts'
import { createEventStream, type EventStream } from '../runtime/event-stream.ts'
import { createIds, type Ids } from '../runtime/ids.ts'
import { createLoopLoad } from '../runtime/loop-load.ts'
import { createSystemRandom, type Random } from '../runtime/random.ts'
import { version } from '../runtime/version.ts'
import { openSharedCounts } from '../store/adapters/open-counts.ts'
import { openRelay } from '../store/adapters/open-relay.ts'
import { openStore, type Store } from '../store/adapters/open-store.ts'

export interface ServiceParts {
  readonly config: ConfigSource
  readonly environment: Environment
  readonly events?: EventStream<SystemEvent>
  readonly clock?: Clock
  readonly random?: Random
  readonly ids?: Ids
  /** Opened by the caller; what the configuration names unless given. */
  readonly store?: Store
  /** Where the log goes; standard error unless given. */
  readonly log?: LogSink
}

export interface Service {
  readonly url: string
  readonly events: EventStream<SystemEvent>
  readonly router: HybridRouter
  readonly intake: Intake
  /** Not ready any more: new operations are refused, what runs goes on. */
  beginDrain(): void
  /** Drains, waits for what runs (each operation ends by its hard timeout), and closes everything. */
  stop(): Promise<void>
}

/** Resolves when it listens. */
export async function startService(parts: ServiceParts): Promise<Service> {
  const clock = parts.clock ?? createSystemClock()
  const random = parts.random ?? createSystemRandom()
  const ids = parts.ids ?? createIds(clock)
  const loaded = parts.config.current()
  const tls = loaded.server.tls === null ? undefined : readTlsFiles(loaded.server.tls)
  const log = parts.log ?? createJsonLines(2, loaded.logs.level)
  const onInternalError = (error: unknown, correlationId?: string): void =>
    log.write({
      urgency: 'error',
      event: 'ERROR',
      component: 'hybrid-router',
      message: 'an internal error',
      ...(correlationId === undefined ? {} : { correlationId }),
      fields: { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
    })
  const events = parts.events ?? createEventStream<SystemEvent>(onInternalError)
  const stopLog = startLogAggregator(events, log)

  const store = parts.store ?? (await openStore(loaded.store, clock, { maxDepth: loaded.limits.queuedOperations }))
  const relay = await openRelay(loaded.store, clock, () => randomUUID())
  const operators = await openOperators({ config: parts.config, state: store.state, clock, random, ids, events, log, instance: relay.instanceId, onInternalError })
  // From here on the configuration is what was loaded with what operators have set laid over it.
  const { config, levers } = operators
  const start = config.current()
  const direct = createDirectBedrockClient({ settings: directSettings(start), clock, credentials: credentialsOf(start) })
  void direct.warmUp()
  const mcp = await openMcpRouter(start, clock, random, parts.environment)
  const topology = createTopology(config, mcp)
  const settings = withOverrides(perSnapshot(config, routerSettings), () => levers.overrides())
  const messages = createMessagePath({ store, relay, direct, mcp, clock, random, loop: createLoopLoad(), config: () => config.current(), onInternalError })
  const router = createHybridRouter({ paths: messages.paths, clock, random, events, settings, topology, onInternalError })
  const intake = createIntake({
    runner: router,
    state: store.state,
    clock,
    ids,
    events,
    limits: start.limits,
    settings: perSnapshot(config, intakeSettings),
    work: messages.dispatcher,
    relay,
    wasSent: (id) => messages.wasSent(id),
  })
  followConfiguration(config, events, direct, log)

  const monitoring = startMonitoring({ clock, events, config: () => config.current(), store, instance: relay.instanceId, direct, mcp, router, log })
  const { admin } = operators.bind({ direct, mcp, router, monitoring })
  const counts = await openSharedCounts(loaded.store)
  const authenticator = createAuthenticator({
    config: () => config.current(),
    clock,
    shared: counts,
    onLockedOut: ({ address, failures, lockMs }) => events.publish({ type: 'address_locked_out', atMs: clock.nowMs(), remoteAddress: address, failures, lockMs, correlationId: ids.next('cor') }),
  })
  const http = createHttpServer({ intake, authenticator, config: () => config.current(), clock, ids, events, version, monitoring: monitoring.pages, decisions: (limit) => router.decisions(limit), admin, onInternalError, ...(tls === undefined ? {} : { tls }) })
  const deadLetters = createDeadLetters({ queue: store.queue, records: intake.records, clock, wasSent: (id) => messages.wasSent(id) })
  registerDeadLetters(http.app, { deadLetters, audit: admin.audit })
  const stopFollowingTls = start.server.tls === null ? undefined : followTlsFiles({ tls: start.server.tls, clock, events, apply: (settings) => http.setTls(settings) })
  // A process that is made to exit at once must not leave the children of its MCP servers behind, nor its last lines unsaid.
  const lastDeeds = (): void => {
    mcp.kill()
    log.flushNow()
  }
  process.on('exit', lastDeeds)
  const closeParts = async (): Promise<void> => {
    process.off('exit', lastDeeds)
    stopFollowingTls?.()
    await messages.close()
    await operators.stop()
    await monitoring.stop()
    direct.close()
    await mcp.close()
    authenticator.close()
    await counts?.close()
    await relay.close()
    await store.close()
    stopLog()
    await log.flush()
  }
  let url: string
  try {
    const address = await http.listen(start.server.host, start.server.port)
    url = `${tls === undefined ? 'http' : 'https'}://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
  } catch (error) {
    await closeParts()
    throw error
  }
  messages.begin(intake)
  await operators.begin()

  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    http.beginDrain()
    await intake.idle()
    await http.close()
    intake.stop()
    router.close()
    await closeParts()
  }
  return {
    url,
    events,
    router,
    intake,
    beginDrain: () => http.beginDrain(),
    stop: () => (stopping ??= stop()),
  }
}

/** The MCP SDK is loaded where a server is configured, and only there. */
async function openMcpRouter(config: Config, clock: Clock, random: Random, environment: Environment): Promise<McpRouter> {
  if (Object.keys(config.mcp.servers).length === 0) return createRouterWithoutServers()
  const { createMcpRouter } = await import('../mcp/mcp-router.ts')
  return createMcpRouter({ settings: mcpSettings(config), clock, random, environment })
}

/** Derives once per snapshot: an operation asks for its settings, and a reload is rare. */
function perSnapshot<Settings>(config: ConfigSource, derive: (config: Config) => Settings): () => Settings {
  let from = config.current()
  let settings = derive(from)
  return () => {
    const current = config.current()
    if (current !== from) {
      from = current
      settings = derive(current)
    }
    return settings
  }
}

/** The same object while nothing changed; levers change far more often than the configuration. */
function withOverrides(settings: () => RouterSettings, overrides: () => Overrides): () => RouterSettings {
  let from: RouterSettings | undefined
  let joined: RouterSettings | undefined
  return () => {
    const base = settings()
    const current = overrides()
    if (joined === undefined || base !== from || joined.overrides !== current) {
      from = base
      joined = { ...base, overrides: current }
    }
    return joined
  }
}

/** The same object while nothing changed, because the router keeps what it knows of a topology by its identity. */
function createTopology(config: ConfigSource, mcp: McpRouter): (operation: Operation) => Topology {
  const kept = new Map<string, Topology>()
  let from = config.current()
  return (operation) => {
    const current = config.current()
    if (current !== from) {
      from = current
      kept.clear()
    }
    const servers = mcp.candidates(operation)
    const first = servers[0]
    let key = `${operation.type} ${operation.modelId ?? ''}`
    for (const server of servers) key += ` ${server.name}`
    const known = kept.get(key)
    if (known !== undefined) return known
    const fresh: Topology = {
      direct: { carriesMoreThanText: true, repeatable: true, targets: targetsFor(current, operation) },
      mcp: { carriesMoreThanText: first?.carries === 'converse', repeatable: first?.repeatable ?? true, targets: servers.map((server) => server.name) },
    }
    // Types by chosen models by orders of servers: bounded all the same, since callers choose the models.
    if (kept.size >= mostTopologies) kept.clear()
    kept.set(key, fresh)
    return fresh
  }
}

const mostTopologies = 1_000

/** What a reload changes in components that are told and do not ask. */
function followConfiguration(config: ConfigSource, events: EventStream<SystemEvent>, direct: DirectBedrockClient, log: LogSink): void {
  events.subscribe((event) => {
    if (event.type !== 'config_reloaded' || event.changed.length === 0) return
    direct.update(directSettings(config.current()))
    log.setLevel(config.current().logs.level)
  })
}
