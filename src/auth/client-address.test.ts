import { expect, test } from 'vitest'
import { parseIpRange } from '../config/ip-range.ts'
import { clientAddress } from './client-address.ts'

const trusted = ['10.0.0.0/8', '2001:db8::1'].map((text) => {
  const range = parseIpRange(text)
  if (range === null) throw new Error(text)
  return range
})

test.each<{ why: string; socket: string; header: string | undefined; is: string }>([
  { why: 'no proxy', socket: '203.0.113.7', header: undefined, is: '203.0.113.7' },
  { why: 'a header of somebody who is no proxy of ours', socket: '203.0.113.7', header: '198.51.100.1', is: '203.0.113.7' },
  { why: 'behind one proxy', socket: '10.0.0.1', header: '198.51.100.1', is: '198.51.100.1' },
  { why: 'behind one proxy on a dual-stack socket', socket: '::ffff:10.0.0.1', header: '198.51.100.1', is: '198.51.100.1' },
  { why: 'behind two proxies', socket: '10.0.0.1', header: '198.51.100.1, 10.0.0.2', is: '198.51.100.1' },
  { why: 'what stands left of the client it wrote itself', socket: '10.0.0.1', header: '192.0.2.1, 198.51.100.1, 10.0.0.2', is: '198.51.100.1' },
  { why: 'only proxies', socket: '10.0.0.1', header: '10.0.0.3, 10.0.0.2', is: '10.0.0.3' },
  { why: 'with ports', socket: '2001:db8::1', header: '198.51.100.1:4711', is: '198.51.100.1' },
  { why: 'IPv6 with a port', socket: '2001:db8::1', header: '[2001:db8::9]:4711', is: '2001:db8::9' },
  { why: 'a proxy that hides its client', socket: '10.0.0.1', header: 'unknown', is: '10.0.0.1' },
  { why: 'rubbish between proxies', socket: '10.0.0.1', header: '198.51.100.1, <x>, 10.0.0.2', is: '10.0.0.2' },
  { why: 'empty', socket: '10.0.0.1', header: '', is: '10.0.0.1' },
])('$why: $is', ({ socket, header, is }) => {
  expect(clientAddress(socket, header, trusted)).toBe(is)
})
