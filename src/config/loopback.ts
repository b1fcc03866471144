/**
 * What counts as this machine: the loopback addresses of IPv4 (127.0.0.0/8, RFC 1122) and IPv6 (::1, RFC 4291), IPv4
 * loopback mapped into IPv6 (::ffff:127.0.0.1), and the name `localhost` (RFC 6761), also with its final dot.
 *
 * Names below `localhost` are not: a page of `x.localhost` is another origin, and nothing needs it. Octets are decimal
 * without leading zeros, as sockets report them: `0127.0.0.1` and `127.1` are refused, not interpreted.
 */

const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
const loopbackIpv4 = new RegExp(`^127(?:\\.${octet}){3}$`)
const mappedHex = /^::ffff:7f([0-9a-f]{2}):[0-9a-f]{1,4}$/

/** Requests come from the same few callers, so that the last verdict is nearly always the next one. */
function rememberingLast(judge: (text: string) => boolean): (text: string) => boolean {
  let lastText: string | undefined
  let lastVerdict = false
  return (text) => {
    if (text !== lastText) {
      lastVerdict = judge(text)
      lastText = text
    }
    return lastVerdict
  }
}

/** An address as a socket gives it: without brackets, port or name; a zone (`%lo`) is ignored. */
export const isLoopbackAddress = rememberingLast((address) => {
  const plain = address.toLowerCase().split('%')[0] ?? ''
  if (plain === '::1' || plain === '0:0:0:0:0:0:0:1') return true
  if (plain.startsWith('::ffff:') && loopbackIpv4.test(plain.slice('::ffff:'.length))) return true
  return mappedHex.test(plain) || loopbackIpv4.test(plain)
})

/** A host as a person writes it: a name or an address, an IPv6 address in brackets or not. */
export function isLoopbackHost(host: string): boolean {
  const lower = host.toLowerCase()
  if (lower === 'localhost' || lower === 'localhost.') return true
  const bracketed = /^\[([0-9a-f:.]+)\]$/.exec(lower)
  return isLoopbackAddress(bracketed?.[1] ?? lower)
}

/**
 * The value of a Host or :authority header: a loopback host and any port. User information, paths, lists and spaces make
 * it something else than a host, and it is refused.
 */
export const isLoopbackAuthority = rememberingLast((authority) => {
  const parts = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?$/.exec(authority)
  return parts?.[1] !== undefined && Number(parts[2] ?? '0') <= 65_535 && isLoopbackHost(parts[1])
})
