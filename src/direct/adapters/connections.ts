/**
 * The HTTP/1.1 connections to one endpoint. Each carries one request at a time, so that closing it stops exactly that
 * request, and is kept for the next one. The one used last is taken first: it is the least likely to be closed by the other
 * side, and the others can grow old and go.
 *
 * undici's own pool would do the sharing too, but a request that still waits for a connection can be withdrawn there only
 * with its neighbours, and a socket that hangs while it connects holds up whoever comes next. undici's timers are all off:
 * they tick in whole seconds (`LimitTimer` has the limits).
 */
import { buildConnector, Client, errors } from 'undici'
import type { Dispatcher } from 'undici'
import type { Socket } from 'node:net'
import { directBounds } from '../settings.ts'

export class Connection {
  readonly client: Client
  busy = true
  private socket: Socket | null = null
  private readonly owner: Connections

  constructor(origin: string, connector: buildConnector.connector, owner: Connections) {
    this.owner = owner
    this.client = new Client(origin, {
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: directBounds.idleConnectionMs,
      keepAliveMaxTimeout: directBounds.idleConnectionMs,
      maxHeaderSize: directBounds.headerBytes,
      connect: (options, callback) => {
        // The connector answers with its socket at once, though its type does not say so: needed to stop it while it connects.
        this.socket = connector(options, callback) as unknown as Socket
      },
    })
    this.client.on('disconnect', () => {
      this.socket = null
      if (!this.busy) this.owner.forget(this)
    })
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.client.dispatch(options, handler)
  }

  /** Closes the socket at once, connected or not. */
  destroy(): void {
    this.client.destroy(null, () => {})
    this.socket?.destroy()
    this.socket = null
  }
}

export class Connections {
  private readonly origin: string
  private readonly connector = buildConnector({ timeout: 0, allowH2: false, maxCachedSessions: 16 })
  private readonly idle: Connection[] = []
  private inUse = 0
  private closed = false

  constructor(origin: string) {
    this.origin = origin
  }

  /** Null when as many as allowed are in use. */
  take(most: number): Connection | null {
    if (this.inUse >= most || this.closed) return null
    this.inUse += 1
    const connection = this.idle.pop()
    if (connection === undefined) return new Connection(this.origin, this.connector, this)
    connection.busy = true
    return connection
  }

  /** After an exchange that ended well. */
  giveBack(connection: Connection): void {
    if (!connection.busy) return
    connection.busy = false
    this.inUse -= 1
    if (this.closed) connection.destroy()
    else this.idle.push(connection)
  }

  /** After one that did not: whatever still comes on that socket belongs to nobody. */
  drop(connection: Connection): void {
    if (!connection.busy) return
    connection.busy = false
    this.inUse -= 1
    connection.destroy()
  }

  /** An idle one was closed, by the other side or for its age. */
  forget(connection: Connection): void {
    const index = this.idle.indexOf(connection)
    if (index < 0) return
    this.idle.splice(index, 1)
    connection.destroy()
  }

  /** Idle connections close now, those in use when they are given back. */
  close(): void {
    this.closed = true
    for (const connection of this.idle.splice(0)) connection.destroy()
  }
}

/** What undici's parser does not understand has no code of its own; a connection to several addresses fails with all their errors in one. */
export function connectionErrorCode(error: Error & { readonly code?: string }): string | undefined {
  if (error instanceof errors.HTTPParserError) return 'UND_ERR_PARSER'
  if (error.code !== undefined) return error.code
  const inner: unknown = error instanceof AggregateError ? (error.errors as readonly unknown[])[0] : error.cause
  return typeof inner === 'object' && inner !== null && 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined
}
