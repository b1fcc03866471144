/**
 * The TLS before HTTP: takes a plain socket, shakes hands, and hands on an encrypted one that says which protocol both sides
 * chose (ALPN, RFC 7301): `h2` or `http/1.1`. All of it is Node's own `tls.Server`, which never listens by itself.
 *
 * Certificates can be exchanged while running: connections keep theirs, new ones get the new.
 */
import { createSecureContext, createServer as createTlsServer, type SecureVersion, type TLSSocket } from 'node:tls'
import type { Socket } from 'node:net'

/** PEM, as read from files. */
export interface TlsSettings {
  readonly cert: string
  readonly key: string
  readonly minVersion: SecureVersion
  /** Every client must present a certificate of one of these. */
  readonly clientCa?: string | undefined
}

export interface TlsDoor {
  accept(socket: Socket): void
  /** Throws when certificate and key are not valid or do not belong together; the old ones stay in use then. */
  update(settings: TlsSettings): void
  /** Ends the connections that have not come through yet. */
  endHandshakes(): void
}

export interface TlsDoorOptions {
  readonly settings: TlsSettings
  readonly handshakeTimeoutMs: number
  readonly onSecure: (socket: TLSSocket, protocol: 'h2' | 'http/1.1') => void
}

/** Whether certificate and key are valid and belong together. */
export function checkTls(settings: TlsSettings): boolean {
  try {
    createSecureContext(contextOf(settings))
    return true
  } catch {
    // The reason names files' contents at most by OpenSSL's codes; what to do is the same for all.
    return false
  }
}

/** Throws when certificate and key are not valid or do not belong together. */
export function createTlsDoor(options: TlsDoorOptions): TlsDoor {
  /** By the other end, which is the same for the plain socket and the encrypted one that Node makes of it. */
  const handshakes = new Map<string, Socket>()
  const server = createTlsServer(
    {
      ...contextOf(options.settings),
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: options.handshakeTimeoutMs,
      requestCert: options.settings.clientCa !== undefined,
      rejectUnauthorized: options.settings.clientCa !== undefined,
    },
    // A client that names no protocol speaks HTTP/1.1.
    (socket) => {
      handshakes.delete(otherEnd(socket))
      options.onSecure(socket, socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1')
    },
  )
  return {
    accept(socket) {
      const end = otherEnd(socket)
      handshakes.set(end, socket)
      socket.on('close', () => {
        if (handshakes.get(end) === socket) handshakes.delete(end)
      })
      // Who breaks off while shaking hands concerns nobody; without a listener the error would end the process.
      socket.on('error', () => {})
      server.emit('connection', socket)
    },
    update(settings) {
      server.setSecureContext(contextOf(settings))
    },
    endHandshakes() {
      for (const socket of handshakes.values()) socket.destroy()
    },
  }
}

function otherEnd(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0}`
}

function contextOf({ cert, key, minVersion, clientCa }: TlsSettings): { cert: string; key: string; minVersion: SecureVersion; ca?: string } {
  return { cert, key, minVersion, ...(clientCa === undefined ? {} : { ca: clientCa }) }
}
