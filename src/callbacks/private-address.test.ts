import { expect, it } from 'vitest'
import { isPrivateAddress } from './private-address.ts'

it.each([
  ['127.0.0.1', 'loopback'],
  ['127.8.9.1', 'loopback is a whole network'],
  ['0.0.0.0', 'this host'],
  ['10.1.2.3', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'the end of the private range'],
  ['192.168.1.1', 'private'],
  ['100.64.0.1', 'shared with the provider'],
  ['169.254.169.254', 'the metadata service of a cloud'],
  ['198.18.0.1', 'benchmarking'],
  ['224.0.0.1', 'multicast'],
  ['255.255.255.255', 'broadcast'],
  ['::1', 'loopback'],
  ['::', 'unspecified'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local with a zone'],
  ['fc00::1', 'unique local'],
  ['fd00:ec2::254', 'the metadata service over IPv6'],
  ['ff02::1', 'multicast'],
  ['2001:db8::1', 'documentation'],
  ['::ffff:127.0.0.1', 'IPv4 inside IPv6'],
  ['::ffff:7f00:1', 'the same in hexadecimal'],
  ['::127.0.0.1', 'the older form of it'],
  ['64:ff9b::10.0.0.1', 'translated'],
  ['2002:7f00:0001::', '6to4 of loopback'],
  ['localhost', 'not an address'],
  ['1.2.3', 'not an address'],
  ['1.2.3.256', 'not an address'],
  ['1::2::3', 'not an address'],
])('%s is not reached: %s', (address) => {
  expect(isPrivateAddress(address)).toBe(true)
})

it.each(['1.1.1.1', '172.15.255.255', '172.32.0.1', '100.63.255.255', '192.167.0.1', '223.255.255.255', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:0808:0808::1'])('%s is public', (address) => {
  expect(isPrivateAddress(address)).toBe(false)
})
