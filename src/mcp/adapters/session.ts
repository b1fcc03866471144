/**
 * The relation to one configured MCP server over all its connections: connects when it is needed or at once, notices that a
 * connection is lost, makes a new one after a backoff, and knows how the server is. It holds at most one connection and, of
 * the wire, the last verdict with its date.
 *
 * Health comes from free requests only (`ping`, `server/discover`, `tools/list`) and from what calls showed on the way.
 */
import type { Tool } from '@modelcontextprotocol/client'
import type { Fault } from '../../operation/fault.ts'
import { sleep } from '../../runtime/clock.ts'
import type { CancelSchedule } from '../../runtime/clock.ts'
import { classifyFailure } from '../fault-classifier.ts'
import type { McpFailure } from '../fault-classifier.ts'
import { mcpLimits } from '../limits.ts'
import { believed, reconnectDelayMs } from '../reconnect.ts'
import type { EraVerdict } from '../reconnect.ts'
import type { McpConnectionState, McpEra, McpHealth } from '../server-view.ts'
import type { McpServerSettings } from '../settings.ts'
import { connect } from './connection.ts'
import type { ConnectDependencies, Connection, PendingConnection, ServerEra } from './connection.ts'
import { failureOf } from './sdk-errors.ts'

export interface SessionOptions extends ConnectDependencies {
  readonly name: string
  readonly settings: McpServerSettings
  readonly checkIntervalMs: number
  readonly eraExpiryMs: number
  /** Asked at every check: routes change without the server changing. */
  readonly expectedTools: () => readonly string[]
}

export interface SessionStatus {
  readonly state: Exclude<McpConnectionState, 'disabled'>
  readonly health: McpHealth
  readonly reason: string
  readonly sinceMs: number
  readonly era: McpEra | null
  readonly lastError: Fault | null
  readonly lastErrorAtMs: number | null
  readonly lastCheckAtMs: number | null
  readonly responseTimeMs: number | null
  readonly connections: number
}

export interface ReadyConnection {
  readonly connection: Connection
  readonly tools: ReadonlyMap<string, Tool>
}

export interface Session {
  status(): SessionStatus
  /** A ready connection now, or after connecting; a failure when the server is down. */
  acquire(): Promise<ReadyConnection | McpFailure>
  /** What a call on this connection showed; null when it was answered. */
  onCallEnd(connection: Connection, failure: McpFailure | null): void
  /** Connects where needed and asks the server how it is. Never throws: the status tells. */
  check(): Promise<void>
  /** What the child wrote to its error output last, bounded and redacted. */
  stderrTail(): string
  kill(): void
  close(): Promise<void>
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly pending: PendingConnection; readonly ready: Promise<ReadyConnection | McpFailure> }
  | { readonly kind: 'ready'; readonly connection: Connection; readonly tools: ReadonlyMap<string, Tool>; readonly atMs: number; readonly listedAtMs: number }
  | { readonly kind: 'waiting'; readonly cancel: CancelSchedule }
  | { readonly kind: 'closed' }

export function createSession(options: SessionOptions): Session {
  const { clock, name } = options
  let state: State = { kind: 'idle' }
  let health: { readonly health: McpHealth; readonly reason: string; readonly sinceMs: number } = {
    health: 'unknown',
    reason: 'Not used yet.',
    sinceMs: clock.nowMs(),
  }
  let verdict: EraVerdict<Extract<ServerEra, { kind: 'modern' }>['discover']> | null = null
  let failures = 0
  let connections = 0
  let lastEra: McpEra | null = null
  let lastError: { readonly fault: Fault; readonly atMs: number } | null = null
  let lastCheck: { readonly atMs: number; readonly responseTimeMs: number } | null = null
  let running: Promise<void> | null = null
  let cancelTick: CancelSchedule | null = null
  let lastStdio: PendingConnection['stdio'] = null
  /** What the server said about its tools so far, in number: a listing that was asked for before the last word may be out of date. */
  let changes = 0
  let renewing: Connection | null = null
  let renewedAtMs = -Infinity
  const closings = new Set<Promise<void>>()

  /** Asked after a wait, when the state may be any again. */
  const hasClosed = (): boolean => state.kind === 'closed'

  const setHealth = (next: McpHealth, reason: string): void => {
    if (health.health !== next || health.reason !== reason) health = { health: next, reason, sinceMs: health.health === next ? health.sinceMs : clock.nowMs() }
  }

  const noteFailure = (failure: McpFailure): void => {
    lastError = { fault: classifyFailure(failure, name), atMs: clock.nowMs() }
  }

  const closeInBackground = (closing: Promise<void>): void => {
    closings.add(closing)
    void closing.finally(() => closings.delete(closing))
  }

  const judgeTools = (tools: ReadonlyMap<string, Tool>): void => {
    const missing = options.expectedTools().filter((tool) => !tools.has(tool))
    if (missing.length === 0) setHealth('healthy', 'Answers, and offers the configured tools.')
    else setHealth('unhealthy', `The server does not offer the configured tool \`${missing.join('`, `')}\`.`)
  }

  const scheduleTick = (): void => {
    cancelTick?.()
    cancelTick = clock.schedule(clock.monotonicMs() + options.checkIntervalMs, () => {
      cancelTick = null
      void check()
    })
  }

  const down = (failure: McpFailure): void => {
    noteFailure(failure)
    setHealth('unhealthy', classifyFailure(failure, name).message)
    cancelTick?.()
    cancelTick = null
    if (failures === 0) {
      failures = 1
      void begin()
      return
    }
    const delayMs = reconnectDelayMs(failures, options.random.next())
    failures += 1
    state = { kind: 'waiting', cancel: clock.schedule(clock.monotonicMs() + delayMs, () => void begin()) }
  }

  const lost = (connection: Connection, failure: McpFailure): void => {
    if (state.kind !== 'ready' || state.connection !== connection) return
    if (clock.monotonicMs() - state.atMs >= mcpLimits.stableAfterMs) failures = 0
    closeInBackground(connection.close())
    down(failure)
  }

  const open = async (era: ServerEra | null): Promise<ReadyConnection> => {
    let connection: Connection | null = null
    const pending = connect(options.settings, era, options, {
      onClose: () => {
        if (connection !== null) lost(connection, connection.stdio?.oversized() === true ? { type: 'oversized' } : { type: 'connection_lost' })
      },
      onToolsChanged: () => {
        if (connection !== null) renewTools(connection)
      },
    })
    if (state.kind === 'connecting') state = { ...state, pending }
    lastStdio = pending.stdio
    connection = await pending.connected
    try {
      return { connection, tools: await connection.listTools(options.checkTimeoutMs) }
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  const establish = async (): Promise<ReadyConnection | McpFailure> => {
    const known = believed(verdict, clock.monotonicMs(), options.eraExpiryMs)
    const startedMs = clock.monotonicMs()
    const seen = changes
    try {
      let ready: ReadyConnection
      try {
        ready = await open(known)
      } catch (error) {
        // A server may end itself over the probe for the newer wire: then it is asked again in the older one, once.
        // And a verdict may be out of date: then it is negotiated anew.
        if (hasClosed() || (known === null && (lastStdio === null || failureOf(error).type !== 'connection_lost'))) throw error
        verdict = null
        ready = await open(known === null ? { kind: 'legacy' } : null)
      }
      if (state.kind !== 'connecting') {
        closeInBackground(ready.connection.close())
        return { type: 'rejected', why: 'closed' }
      }
      const nowMs = clock.monotonicMs()
      verdict = { era: ready.connection.verdict, atMs: known === null || verdict === null ? nowMs : verdict.atMs }
      connections += 1
      lastEra = ready.connection.era
      lastCheck = { atMs: clock.nowMs(), responseTimeMs: nowMs - startedMs }
      state = { kind: 'ready', ...ready, atMs: nowMs, listedAtMs: nowMs }
      judgeTools(ready.tools)
      if (seen !== changes) renewTools(ready.connection)
      scheduleTick()
      return ready
    } catch (error) {
      if (hasClosed()) return { type: 'rejected', why: 'closed' }
      const failed = failureOf(error)
      const failure: McpFailure = failed.type === 'connection_lost' ? { type: 'not_ready' } : failed
      verdict = null
      // A first failure is no accident of a long life: it waits before the next try.
      failures = Math.max(failures, 1)
      if (state.kind === 'connecting') down(failure)
      return failure
    }
  }

  const begin = (): Promise<ReadyConnection | McpFailure> => {
    if (state.kind === 'waiting') state.cancel()
    const idle: PendingConnection = { connected: new Promise(() => undefined), abandon: async () => undefined, stdio: null }
    const connecting = { kind: 'connecting' as const, pending: idle, ready: Promise.resolve<ReadyConnection | McpFailure>({ type: 'rejected', why: 'down' }) }
    state = connecting
    const ready = establish()
    // `establish` has run up to its first wait and may have set its pending connection.
    if (state.kind === 'connecting') state = { ...state, ready }
    return ready
  }

  /** At once, and once more when they change while they are read; a server that notifies without end is read now and then. */
  const renewTools = (connection: Connection): void => {
    changes += 1
    if (renewing === connection) return
    renewing = connection
    const renew = async (): Promise<void> => {
      for (;;) {
        await sleep(clock, Math.max(0, renewedAtMs + mcpLimits.toolsRenewalMs - clock.monotonicMs()))
        if (state.kind !== 'ready' || state.connection !== connection) return
        const seen = changes
        renewedAtMs = clock.monotonicMs()
        const tools = await connection.listTools(options.checkTimeoutMs)
        if (state.kind !== 'ready' || state.connection !== connection) return
        state = { ...state, tools, listedAtMs: clock.monotonicMs() }
        judgeTools(tools)
        if (seen === changes) return
      }
    }
    // One request that fails is no proof: the server is asked, and its tools with it.
    void renew()
      .catch(() => {
        if (state.kind === 'ready' && state.connection === connection) state = { ...state, listedAtMs: -Infinity }
        void check()
      })
      .finally(() => {
        if (renewing === connection) renewing = null
      })
  }

  const check = async (): Promise<void> => {
    if (state.kind === 'closed') return
    if (running !== null) return running
    running = (async () => {
      if (state.kind === 'idle' || state.kind === 'waiting') {
        await begin()
        return
      }
      if (state.kind === 'connecting') {
        await state.ready
        return
      }
      if (state.kind !== 'ready') return
      const { connection, tools, listedAtMs } = state
      const startedMs = clock.monotonicMs()
      const seen = changes
      try {
        await connection.check(options.checkTimeoutMs)
        const responseTimeMs = clock.monotonicMs() - startedMs
        const missing = options.expectedTools().some((tool) => !tools.has(tool))
        const relist = missing || clock.monotonicMs() - listedAtMs > mcpLimits.toolsExpiryMs
        const current = relist ? await connection.listTools(options.checkTimeoutMs) : tools
        if (state.kind !== 'ready' || state.connection !== connection) return
        const isOutdated = seen !== changes
        if (relist && !isOutdated) state = { ...state, tools: current, listedAtMs: clock.monotonicMs() }
        lastCheck = { atMs: clock.nowMs(), responseTimeMs }
        if (clock.monotonicMs() - state.atMs >= mcpLimits.stableAfterMs) failures = 0
        if (!isOutdated) judgeTools(current)
        scheduleTick()
      } catch (error) {
        lost(connection, failureOf(error))
      }
    })().finally(() => {
      running = null
    })
    return running
  }

  return {
    status: () => ({
      state: state.kind,
      ...health,
      era: state.kind === 'ready' ? state.connection.era : lastEra,
      lastError: lastError?.fault ?? null,
      lastErrorAtMs: lastError?.atMs ?? null,
      lastCheckAtMs: lastCheck?.atMs ?? null,
      responseTimeMs: lastCheck?.responseTimeMs ?? null,
      connections,
    }),
    async acquire() {
      switch (state.kind) {
        case 'ready':
          return { connection: state.connection, tools: state.tools }
        case 'connecting':
          return state.ready
        case 'idle':
          return begin()
        case 'waiting':
          return { type: 'rejected', why: 'down' }
        case 'closed':
          return { type: 'rejected', why: 'closed' }
      }
    },
    onCallEnd(connection, failure) {
      if (failure === null) return
      noteFailure(failure)
      if (state.kind !== 'ready' || state.connection !== connection) return
      switch (failure.type) {
        case 'http_status':
          if (!isLostSession(failure.status, connection)) return
          // The server lives and has only forgotten us: no reason to stay away.
          failures = 0
          lost(connection, failure)
          return
        case 'unauthorized':
        case 'no_token':
        case 'unreachable':
        case 'connect_timeout':
          lost(connection, failure)
          return
        case 'connection_lost':
        case 'deadline':
        case 'silence':
          // One call is no proof: the server is asked.
          void check()
          return
        default:
          return
      }
    },
    check,
    stderrTail: () => lastStdio?.stderrTail() ?? '',
    kill: () => lastStdio?.kill(),
    async close() {
      const before = state
      state = { kind: 'closed' }
      cancelTick?.()
      cancelTick = null
      setHealth('unknown', 'Closed.')
      if (before.kind === 'waiting') before.cancel()
      if (before.kind === 'ready') await before.connection.close()
      if (before.kind === 'connecting') await before.pending.abandon()
      await Promise.all(closings)
    },
  }
}

/** 404 by the specification; 400 from servers that follow earlier practice. Without a session they mean something else. */
export function isLostSession(status: number, connection: Connection): boolean {
  return connection.hasSession() && (status === 404 || status === 400)
}
