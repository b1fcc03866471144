/**
 * The MCP Router: carries out an attempt of an operation as a `tools/call` on one of the configured MCP servers, and knows
 * how those servers are. It joins the pure parts of this folder (route, arguments, result, events, faults) with the sessions
 * that touch the world.
 *
 * It does not choose: which server is tried, and what happens after a failure, is decided in `routing/`; `candidates` only
 * puts a route's servers in order. It keeps nothing: durable messages are built around it, not into it.
 */
import type { AttemptListener, AttemptRequest, Path, RunningAttempt } from '../operation/path.ts'
import type { JsonObject } from '../operation/converse.ts'
import { priorityRank } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { needsMoreThanText } from '../operation/operation.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { createAttempt } from './adapters/attempt.ts'
import type { Attempt } from './adapters/attempt.ts'
import { startToolCall } from './adapters/call.ts'
import type { RunningCall, ToolCallRequest } from './adapters/call.ts'
import { createHttpConnections } from './adapters/http-transport.ts'
import { createSession, isLostSession } from './adapters/session.ts'
import type { ReadyConnection, Session } from './adapters/session.ts'
import type { Environment } from './adapters/token-source.ts'
import { toolArguments } from './arguments.ts'
import { createCallGate } from './call-gate.ts'
import type { CallGate, Turn } from './call-gate.ts'
import type { McpFailure } from './fault-classifier.ts'
import { mcpDefaults, mcpLimits } from './limits.ts'
import { carriedBy, orderCandidates } from './server-view.ts'
import type { McpCandidate, McpServerView } from './server-view.ts'
import { changedServers, routeOf, toolsExpectedOf } from './settings.ts'
import type { McpRoute, McpServerSettings, McpSettings } from './settings.ts'
import { operationIdMarker, streamMarker } from './stream-events.ts'

export interface McpRouterOptions {
  readonly settings: McpSettings
  readonly clock: Clock
  readonly random: Random
  /** Where tokens are looked up that the settings name by variable; a snapshot, read in the configuration. */
  readonly environment?: Environment
}

export interface McpRouter extends Path {
  readonly route: 'mcp'
  start(request: AttemptRequest, listener: AttemptListener): RunningAttempt
  /** Every configured server, in the configured order. */
  servers(): readonly McpServerView[]
  /** The servers of the operation's route, the best first; empty when no route is configured. */
  candidates(operation: Operation): readonly McpCandidate[]
  /** Asks a server how it is, connecting where needed; null for an unknown name. */
  checkServer(name: string): Promise<McpServerView | null>
  /** The end of a child's error output, bounded and redacted; empty for other servers. */
  stderrTail(name: string): string
  /** Servers that did not change keep their connections; calls in flight end on the connection they began on. */
  update(settings: McpSettings): void
  close(): Promise<void>
  /** Kills every child at once, synchronously: for a process that is about to exit without `close`. */
  kill(): void
}

interface Server {
  readonly name: string
  readonly settings: McpServerSettings
  readonly session: Session
  readonly gate: CallGate
  /** Set when an update replaced the server: its connection ends with its last call. */
  onIdle: (() => void) | null
}

export function createMcpRouter(options: McpRouterOptions): McpRouter {
  const { clock, random } = options
  let settings = options.settings
  let closed = false
  const servers = new Map<string, Server>()
  const retiring = new Set<Server>()
  const closings = new Set<Promise<void>>()
  const http = createHttpConnections(clock, settings.connectTimeoutMs ?? mcpDefaults.connectTimeoutMs)

  const addServer = (name: string, server: McpServerSettings): void => {
    const session = createSession({
      name,
      settings: server,
      clock,
      random,
      http,
      environment: options.environment ?? {},
      connectTimeoutMs: settings.connectTimeoutMs ?? mcpDefaults.connectTimeoutMs,
      probeTimeoutMs: settings.probeTimeoutMs ?? mcpDefaults.probeTimeoutMs,
      checkTimeoutMs: settings.checkTimeoutMs ?? mcpDefaults.checkTimeoutMs,
      checkIntervalMs: settings.checkIntervalMs ?? mcpDefaults.checkIntervalMs,
      eraExpiryMs: settings.eraExpiryMs ?? mcpDefaults.eraExpiryMs,
      expectedTools: () => toolsExpectedOf(settings, name),
    })
    const gate = createCallGate(server.concurrency ?? mcpDefaults.concurrency, mcpLimits.waitingCalls)
    servers.set(name, { name, settings: server, session, gate, onIdle: null })
    if (settings.connect !== 'lazy' && server.disabled !== true) void session.check()
  }

  const retire = (server: Server): void => {
    servers.delete(server.name)
    retiring.add(server)
    const end = (): void => {
      cancelLimit()
      server.onIdle = null
      const closing = server.session.close().finally(() => {
        retiring.delete(server)
        closings.delete(closing)
      })
      closings.add(closing)
    }
    const cancelLimit = clock.schedule(clock.monotonicMs() + mcpLimits.retireMs, end)
    if (server.gate.inside() + server.gate.waiting() === 0) end()
    else server.onIdle = end
  }

  const viewOf = (server: Server): McpServerView => {
    const disabled = server.settings.disabled === true
    return {
      name: server.name,
      ...server.session.status(),
      ...(disabled ? { state: 'disabled' as const, health: 'unknown' as const, reason: 'Switched off in the configuration.' } : {}),
      inFlight: server.gate.inside(),
      waiting: server.gate.waiting(),
      concurrency: server.settings.concurrency ?? mcpDefaults.concurrency,
      carries: carriedBy(settings, server.name),
    }
  }

  const start = (request: AttemptRequest, listener: AttemptListener): RunningAttempt => {
    const { operation } = request
    const route = routeOf(settings, operation.type)
    const server = servers.get(request.target)
    const attempt = createAttempt(request, listener, clock)
    const refusal = refusalOf(route, server, operation, closed)
    if (refusal !== null || route === null || server === undefined) {
      // Never inside `start`: the caller does not yet hold the running attempt.
      queueMicrotask(() => attempt.fail(refusal ?? { type: 'rejected', why: 'no_route' }))
      return attempt
    }
    enter(server, route, attempt, settings.queueWaitMs ?? mcpDefaults.queueWaitMs)
    return attempt
  }

  const enter = (server: Server, route: McpRoute, attempt: Attempt, queueWaitMs: number): void => {
    const leave = (): void => {
      server.gate.exit()
      if (server.onIdle !== null && server.gate.inside() + server.gate.waiting() === 0) server.onIdle()
    }
    let entered = false
    const giveUpMs = Math.min(attempt.request.deadlineMs, clock.monotonicMs() + queueWaitMs)
    const cancelWait = clock.schedule(giveUpMs, () => attempt.fail({ type: 'rejected', why: 'busy' }))
    const ticket = server.gate.enter(() => {
      entered = true
      cancelWait()
      attempt.holds(leave)
      void call(server, route, attempt, null)
    }, turnOf(attempt.request.operation))
    if (ticket === null) {
      cancelWait()
      queueMicrotask(() => attempt.fail({ type: 'rejected', why: 'busy' }))
    } else if (!entered) {
      attempt.holds(() => {
        cancelWait()
        ticket.leave()
      })
    }
  }

  const call = async (server: Server, route: McpRoute, attempt: Attempt, refused: McpFailure | null): Promise<void> => {
    const ready = await server.session.acquire()
    if (attempt.ended()) return
    if ('type' in ready) {
      attempt.fail(refused ?? ready)
      return
    }
    const tool = ready.tools.get(route.tool)
    if (tool === undefined) {
      attempt.fail({ type: 'rejected', why: 'no_tool' })
      return
    }
    attempt.calls(startCall(server, route, attempt, ready, tool, refused !== null))
  }

  const startCall = (server: Server, route: McpRoute, attempt: Attempt, ready: ReadyConnection, tool: ToolCallRequest['tool'], again: boolean): RunningCall => {
    const { operation, streaming, deadlineMs } = attempt.request
    const { connection } = ready
    const remainingMs = operation.arrivedAtMs + operation.hardTimeoutMs - clock.monotonicMs()
    const stream = streaming ? { silenceMs: operation.streamSilenceMs, maxMs: operation.streamMaxMs } : null
    return startToolCall(
      connection,
      http,
      clock,
      {
        tool,
        arguments: toolArguments(route, operation, remainingMs),
        meta: metaOf(operation, stream),
        deadlineMs,
        silenceMs: server.settings.timeoutMs ?? mcpDefaults.timeoutMs,
        stream,
      },
      {
        onSent: () => attempt.onSent(),
        onProgress: (progress) => attempt.onProgress(progress),
        onEnd: (end) => {
          server.session.onCallEnd(connection, end.kind === 'failed' ? end.failure : null)
          // A server that has forgotten our session refused the call before it looked at it: it is made on a new one, once.
          if (!again && end.kind === 'failed' && end.failure.type === 'http_status' && isLostSession(end.failure.status, connection)) {
            void call(server, route, attempt, end.failure)
          } else attempt.onCallEnd(end, route)
        },
      },
    )
  }

  for (const [name, server] of Object.entries(settings.servers)) addServer(name, server)

  return {
    route: 'mcp',
    start,
    servers: () => Object.keys(settings.servers).flatMap((name) => present(servers.get(name)).map(viewOf)),
    candidates(operation) {
      const route = routeOf(settings, operation.type)
      if (route === null) return []
      const views = new Map(route.servers.flatMap((name) => present(servers.get(name))).map((server) => [server.name, viewOf(server)]))
      return orderCandidates(route, needsMoreThanText(operation.converse), views)
    },
    async checkServer(name) {
      const server = servers.get(name)
      if (server === undefined) return null
      if (server.settings.disabled !== true) await server.session.check()
      return viewOf(server)
    },
    stderrTail: (name) => servers.get(name)?.session.stderrTail() ?? '',
    update(next) {
      if (closed) return
      const changed = changedServers(settings, next)
      settings = next
      for (const name of changed) {
        const before = servers.get(name)
        if (before !== undefined) retire(before)
        const after = next.servers[name]
        if (after !== undefined) addServer(name, after)
      }
    },
    async close() {
      closed = true
      // Those that an update replaced wait for their last call no longer.
      for (const server of retiring) server.onIdle?.()
      await Promise.all([...servers.values()].map((server) => server.session.close()))
      await Promise.all(closings)
      await http.close()
    },
    kill() {
      for (const server of [...servers.values(), ...retiring]) server.session.kill()
    },
  }
}

function refusalOf(route: McpRoute | null, server: Server | undefined, operation: Operation, closed: boolean): McpFailure | null {
  if (closed) return { type: 'rejected', why: 'closed' }
  if (server === undefined) return { type: 'rejected', why: 'unknown_server' }
  if (route === null || !route.servers.includes(server.name)) return { type: 'rejected', why: 'no_route' }
  if (server.settings.disabled === true) return { type: 'rejected', why: 'disabled' }
  if (route.carries === 'text' && needsMoreThanText(operation.converse)) return { type: 'rejected', why: 'capability' }
  return null
}

function turnOf(operation: Operation): Turn {
  return { rank: priorityRank(operation.priority), wantedByMs: operation.arrivedAtMs + operation.latencyRequirementMs }
}

function present<Value>(value: Value | undefined): readonly Value[] {
  return value === undefined ? [] : [value]
}

function metaOf(operation: Operation, stream: { readonly silenceMs: number; readonly maxMs: number } | null): JsonObject {
  return {
    [operationIdMarker]: operation.id,
    ...(operation.traceparent === undefined ? {} : { traceparent: operation.traceparent }),
    ...(stream === null ? {} : { [streamMarker]: stream }),
  }
}
