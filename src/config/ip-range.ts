/**
 * IP addresses and ranges (`10.0.0.0/8`, `2001:db8::/32`, or a single address) as numbers, to tell whether an address lies
 * in a range. IPv4 is placed in IPv6 where RFC 4291 maps it (::ffff:0:0/96), so that a dual-stack socket's
 * `::ffff:10.1.2.3` and `10.1.2.3` are the same address.
 *
 * Notation is strict: decimal octets without leading zeros, as sockets report them. What is not an address is in no range.
 */
export interface IpRange {
  readonly base: bigint
  /** Bits that count, of 128. */
  readonly prefix: number
}

const addressBits = 128
const ipv4Bits = 32
const mappedIpv4 = 0xffffn << 32n
const octetPattern = /^(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$/

/** Null for what is not an address. A zone (`%eth0`) is ignored. */
export function parseIpAddress(text: string): bigint | null {
  const plain = text.split('%')[0] ?? ''
  return plain.includes(':') ? parseIpv6(plain) : withMapping(parseIpv4(plain))
}

/** Null for what is neither a range nor an address. */
export function parseIpRange(text: string): IpRange | null {
  const [address = '', bits, ...more] = text.split('/')
  const base = parseIpAddress(address)
  if (base === null || more.length > 0) return null
  const width = address.includes(':') ? addressBits : ipv4Bits
  if (bits !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(bits)) return null
  const length = bits === undefined ? width : Number(bits)
  if (length > width) return null
  return { base, prefix: addressBits - width + length }
}

export function inRange(address: bigint, range: IpRange): boolean {
  const shift = BigInt(addressBits - range.prefix)
  return address >> shift === range.base >> shift
}

/**
 * What one party controls: an IPv4 address, and of IPv6 the /64 network, of which every customer has all addresses.
 * What is not an address stands for itself.
 */
export function networkOf(text: string): string {
  const address = parseIpAddress(text)
  if (address === null) return text
  return address >> 32n === mappedIpv4 >> 32n ? `4:${(address & 0xffff_ffffn).toString(16)}` : `6:${(address >> 64n).toString(16)}`
}

function withMapping(ipv4: bigint | null): bigint | null {
  return ipv4 === null ? null : mappedIpv4 | ipv4
}

function parseIpv4(text: string): bigint | null {
  const octets = text.split('.')
  if (octets.length !== 4 || !octets.every((octet) => octetPattern.test(octet))) return null
  return octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n)
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [head, tail] = [groupsOf(halves[0] ?? ''), groupsOf(halves[1] ?? '')]
  if (head === null || tail === null) return null
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null
  return [...head, ...Array.from({ length: missing }, () => 0n), ...tail].reduce((sum, part) => (sum << 16n) | part, 0n)
}

/** Groups of 16 bits; the last may be an IPv4 address, which is two. */
function groupsOf(text: string): readonly bigint[] | null {
  if (text === '') return []
  const parts = text.split(':')
  const groups: bigint[] = []
  for (const [index, part] of parts.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
      groups.push(BigInt(`0x${part}`))
      continue
    }
    const ipv4 = index === parts.length - 1 ? parseIpv4(part) : null
    if (ipv4 === null) return null
    groups.push(ipv4 >> 16n, ipv4 & 0xffffn)
  }
  return groups
}
