/**
 * Which addresses a callback must not reach unless the configuration allows it: everything that is not publicly routed
 * (loopback, private, link-local with the cloud's metadata service, shared, multicast, reserved), in IPv4, IPv6, and IPv4
 * inside IPv6. What cannot be read as an address counts as private.
 *
 * Source: IANA's registries of special-purpose addresses (RFC 6890 and its updates).
 */
const privateV4: readonly (readonly [base: number, bits: number])[] = [
  [v4(0, 0), 8],
  [v4(10, 0), 8],
  [v4(100, 64), 10],
  [v4(127, 0), 8],
  [v4(169, 254), 16],
  [v4(172, 16), 12],
  [v4(192, 0, 0), 24],
  [v4(192, 0, 2), 24],
  [v4(192, 88, 99), 24],
  [v4(192, 168), 16],
  [v4(198, 18), 15],
  [v4(198, 51, 100), 24],
  [v4(203, 0, 113), 24],
  [v4(224, 0), 4],
  [v4(240, 0), 4],
]

export function isPrivateAddress(address: string): boolean {
  const four = parseV4(address)
  if (four !== undefined) return isPrivateV4(four)
  const groups = parseV6(address)
  if (groups === undefined) return true
  const inner = embeddedV4(groups)
  if (inner !== undefined) return isPrivateV4(inner)
  const [first = 0, second = 0] = groups
  // Only global unicast (2000::/3) is public, without documentation (2001:db8::/32) and benchmarking (2001:2::/48).
  if (first >> 13 !== 1) return true
  return first === 0x2001 && (second === 0x0db8 || (second === 2 && groups[2] === 0))
}

function isPrivateV4(address: number): boolean {
  return privateV4.some(([base, bits]) => (address ^ base) >>> (32 - bits) === 0)
}

function v4(a: number, b: number, c = 0, d = 0): number {
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}

function parseV4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  const [a = 256, b = 256, c = 256, d = 256] = match.slice(1).map(Number)
  return Math.max(a, b, c, d) > 255 ? undefined : v4(a, b, c, d)
}

/** The eight groups; a zone (`%eth0`) makes it link-local business and so unreadable here. */
function parseV6(text: string): readonly number[] | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const tail = dotted?.[2] === undefined ? undefined : parseV4(dotted[2])
  if (dotted !== null && tail === undefined) return undefined
  const hex = dotted === null ? text : `${dotted[1] ?? ''}${((tail ?? 0) >>> 16).toString(16)}:${((tail ?? 0) & 0xffff).toString(16)}`
  const halves = hex.split('::')
  if (halves.length > 2) return undefined
  const groupsOf = (half: string): readonly number[] => (half === '' ? [] : half.split(':').map((group) => (/^[0-9a-fA-F]{1,4}$/.test(group) ? Number.parseInt(group, 16) : Number.NaN)))
  const head = groupsOf(halves[0] ?? '')
  const rest = groupsOf(halves[1] ?? '')
  const missing = 8 - head.length - rest.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array.from({ length: halves.length === 1 ? 0 : missing }, () => 0), ...rest]
  return groups.some(Number.isNaN) ? undefined : groups
}

/** IPv4-mapped and -compatible (::/96 and ::ffff:0:0/96), NAT64 (64:ff9b::/96) and 6to4 (2002::/16) lead to the IPv4 address inside. */
function embeddedV4(groups: readonly number[]): number | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups
  if (a === 0x2002) return ((b << 16) | c) >>> 0
  const isMapped = a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && (f === 0xffff || f === 0)
  const isTranslated = a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0
  return isMapped || isTranslated ? ((g << 16) | h) >>> 0 : undefined
}
