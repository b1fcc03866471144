import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isLoopbackAddress, isLoopbackAuthority, isLoopbackHost } from './loopback.ts'

describe('this machine', () => {
  test.each<[authority: string, loopback: boolean, why: string]>([
    ['localhost', true, 'the name'],
    ['localhost:8080', true, 'the name and a port'],
    ['LocalHost:8080', true, 'names have no case'],
    ['localhost.:8080', true, 'the final dot of a full name'],
    ['127.0.0.1:80', true, 'the address'],
    ['127.255.255.254', true, 'the whole block is loopback'],
    ['[::1]:8080', true, 'IPv6'],
    ['[::1]', true, 'IPv6 without a port'],
    ['[0:0:0:0:0:0:0:1]', true, 'IPv6 in full'],
    ['[::ffff:127.0.0.1]:1', true, 'mapped'],
    ['[::ffff:7f00:1]', true, 'mapped, in hexadecimal'],
    ['::1', false, 'IPv6 in Host has brackets'],
    ['localhost:99999', false, 'no port'],
    ['localhost:', false, 'no port'],
    ['localhost:80:80', false, 'no authority'],
    ['localhost@evil.example', false, 'user information'],
    ['evil.example@localhost', false, 'user information, even before us'],
    ['localhost.evil.example', false, 'a name of someone else'],
    ['evil.localhost', false, 'another origin'],
    ['127.0.0.1.evil.example', false, 'a name that begins like an address'],
    ['127.1', false, 'short forms are not interpreted'],
    ['0127.0.0.1', false, 'octal forms are not interpreted'],
    ['2130706433', false, 'numbers are not interpreted'],
    ['127.0.0.256', false, 'no address'],
    ['0.0.0.0', false, 'any address is not this machine'],
    ['[::]', false, 'any address is not this machine'],
    ['[::ffff:8.8.8.8]', false, 'mapped, and not loopback'],
    ['[::2]', false, 'not loopback'],
    ['localhost, evil.example', false, 'a list'],
    [' localhost', false, 'a space'],
    ['localhost/', false, 'a path'],
    ['', false, 'nothing'],
  ])('%j: %s (%s)', (authority, loopback) => {
    expect(isLoopbackAuthority(authority)).toBe(loopback)
  })

  test('a host to listen on may be an IPv6 address without brackets', () => {
    expect(['::1', '[::1]', 'localhost', '127.0.0.2'].map(isLoopbackHost)).toEqual([true, true, true, true])
    expect(['::', '0.0.0.0', 'router.example', '[::1', ''].map(isLoopbackHost)).toEqual([false, false, false, false, false])
  })

  test('no other IPv4 address is loopback', () => {
    fc.assert(fc.property(fc.ipV4(), (address) => isLoopbackAddress(address) === address.startsWith('127.') && isLoopbackAddress(`::ffff:${address}`) === address.startsWith('127.')))
  })
})
