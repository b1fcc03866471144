/**
 * Whether the endpoint of a receiver can be reached: a connection, and with `https` the TLS handshake with its certificate
 * checked as a delivery checks it. Nothing is sent, so that it costs nothing and pages nobody; that a receiver would refuse
 * what it is sent cannot be seen so, and shows with a delivery.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { SelfTestOutcome } from '../notifier.ts'

export const reachable: SelfTestOutcome = Object.freeze({ kind: 'reachable' })

export function reachEndpoint(url: string, signal: AbortSignal): Promise<SelfTestOutcome> {
  const { protocol, hostname, port } = new URL(url)
  const isTls = protocol === 'https:'
  const host = hostname.replace(/^\[|\]$/g, '')
  const place = { host, port: port === '' ? (isTls ? 443 : 80) : Number(port) }
  return new Promise((resolve) => {
    const socket: Socket = isTls ? connectTls({ ...place, ...(isIP(host) === 0 ? { servername: host } : {}) }) : connectTcp(place)
    const settle = (outcome: SelfTestOutcome): void => {
      signal.removeEventListener('abort', giveUp)
      socket.destroy()
      resolve(outcome)
    }
    const giveUp = (): void => settle(unreachable('no connection in time'))
    socket.once(isTls ? 'secureConnect' : 'connect', () => settle(reachable))
    // Stays: what comes after the end of the test must not be an unhandled error. The address may be a secret.
    socket.on('error', (error: NodeJS.ErrnoException) => settle(unreachable(`no connection (${error.code ?? 'failed'})`)))
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
  })
}

export function unreachable(reason: string): SelfTestOutcome {
  return { kind: 'unreachable', reason }
}
