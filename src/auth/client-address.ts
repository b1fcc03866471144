/**
 * Whose address counts for the lock-out and the security log: the socket's, or, where the socket is a trusted proxy's, the
 * nearest address of `X-Forwarded-For` that is not a trusted proxy's. Whatever stands further left in that header the
 * caller wrote itself, so it is never looked at.
 *
 * This never makes a request local: a request that came through a proxy is not (public contract, part 2).
 */
import { inRange, parseIpAddress, type IpRange } from '../config/ip-range.ts'

export function clientAddress(socketAddress: string, forwardedFor: string | undefined, trusted: readonly IpRange[]): string {
  if (trusted.length === 0 || forwardedFor === undefined || !isTrusted(socketAddress, trusted)) return socketAddress
  let nearest = socketAddress
  const hops = forwardedFor.split(',')
  for (let index = hops.length - 1; index >= 0; index -= 1) {
    const hop = addressOf(hops[index] ?? '')
    // A proxy that writes something else cannot be followed further: what it is itself is known.
    if (hop === null) return nearest
    nearest = hop
    if (!isTrusted(hop, trusted)) return hop
  }
  return nearest
}

function isTrusted(address: string, trusted: readonly IpRange[]): boolean {
  const value = parseIpAddress(address)
  return value !== null && trusted.some((range) => inRange(value, range))
}

/** An address, also with a port as some proxies write it: `203.0.113.7:4711`, `[2001:db8::1]:4711`. */
function addressOf(hop: string): string | null {
  const text = hop.trim()
  const bracketed = /^\[([^\]]+)\](?::[0-9]{1,5})?$/.exec(text)?.[1] ?? /^([0-9.]+):[0-9]{1,5}$/.exec(text)?.[1] ?? text
  return parseIpAddress(bracketed) === null ? null : bracketed
}
