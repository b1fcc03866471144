import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inRange, networkOf, parseIpAddress, parseIpRange } from './ip-range.ts'

test('an address lies in a range exactly where Node’s own block list says so', () => {
  const range = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.constant('ipv4' as const)),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.constant('ipv6' as const)),
  )
  fc.assert(
    fc.property(range, fc.ipV4(), fc.ipV6(), ([base, bits, family], ipv4, ipv6) => {
      const oracle = new BlockList()
      oracle.addSubnet(base, bits, family)
      const address = family === 'ipv4' ? ipv4 : ipv6
      const parsed = parseIpRange(`${base}/${bits}`)
      const value = parseIpAddress(address)
      if (parsed === null || value === null) throw new Error('an address was not read')
      expect(inRange(value, parsed)).toBe(oracle.check(address, family))
      expect(inRange(parsed.base, parsed)).toBe(true)
    }),
  )
})

test('what Node takes for no address is none, and a mapped address is the IPv4 address', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{1,20}$/)), (text) => (isIP(text) !== 0) === (parseIpAddress(text) !== null) || text.includes('%')))
  expect(parseIpAddress('::ffff:10.1.2.3')).toBe(parseIpAddress('10.1.2.3'))
  expect(['10.0.0.0/33', '::/129', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/8/8', 'localhost', '10.0.0/8'].map(parseIpRange)).toEqual(Array(7).fill(null))
})

test('one party is an IPv4 address, or all the addresses of its IPv6 network', () => {
  expect(networkOf('203.0.113.7')).toBe(networkOf('::ffff:203.0.113.7'))
  expect(networkOf('203.0.113.7')).not.toBe(networkOf('203.0.113.8'))
  expect(networkOf('2001:db8:1:2::1')).toBe(networkOf('2001:db8:1:2:ffff::9'))
  expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'))
})
