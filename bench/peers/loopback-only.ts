/**
 * Loaded before a peer that cannot be told which address to listen on: a server that names no host listens on loopback
 * only. Nothing else of the peer is changed.
 */
import { Server } from 'node:net'

type Listen = (this: Server, ...args: unknown[]) => Server
const prototype = Server.prototype as unknown as { listen: Listen }
const original = prototype.listen
prototype.listen = function listen(port, host, ...rest) {
  return typeof port === 'number' && typeof host !== 'string' ? original.call(this, port, '127.0.0.1', ...rest) : original.call(this, port, host, ...rest)
}
