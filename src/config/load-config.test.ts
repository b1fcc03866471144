import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfigText } from './config-text.ts'
import { expand } from './environment.ts'
import { loadConfig } from './load-config.ts'
import { nearestName } from './nearest-name.ts'
import { ConfigError, formatFieldError } from './resolve-config.ts'

let cwd = ''
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'load-config-'))
})
afterAll(() => rmSync(cwd, { recursive: true }))

const valid = 'direct: { targets: [{ id: a, region: eu-west-1, modelId: m }] }\n'

function faults(loaded: ReturnType<typeof loadConfig>): string[] {
  return 'errors' in loaded ? loaded.errors.map(formatFieldError) : []
}

describe('loading', () => {
  test('the default file of the working directory', () => {
    expect(faults(loadConfig({ cwd, env: {} }))).toEqual([
      `hybrid-routing.yaml: is not in ${cwd}; write one, name another with --config, or try "hybrid-routing demo", which needs none`,
    ])
    writeFileSync(join(cwd, 'hybrid-routing.yaml'), valid)
    expect(loadConfig({ cwd, env: {} })).toMatchObject({ config: { server: { port: 8_080 } }, warnings: [] })
  })
  test('a named file that is not there', () => {
    expect(faults(loadConfig({ cwd, env: {}, file: 'no.yaml' }))).toEqual([`no.yaml: is not there (looked in ${cwd})`])
  })
  test('a folder, a file that is too large, and one that is no text', () => {
    expect(faults(loadConfig({ cwd, env: {}, file: cwd }))).toEqual([`${cwd}: is not a file`])
    const big = join(cwd, 'big.yaml')
    writeFileSync(big, '')
    truncateSync(big, 1_048_577)
    expect(faults(loadConfig({ cwd, env: {}, file: big }))).toEqual([`${big}: has 1048577 bytes; at most 1048576 are read`])
    const binary = join(cwd, 'binary.yaml')
    writeFileSync(binary, Buffer.from([0x61, 0xff, 0xfe]))
    expect(faults(loadConfig({ cwd, env: {}, file: binary }))).toEqual([`${binary}: is not UTF-8`])
  })
  test('JSON, also indented with tabs', () => {
    writeFileSync(join(cwd, 'c.json'), JSON.stringify({ direct: { targets: [{ id: 'a', region: 'eu-west-1', modelId: 'm' }] } }, null, '\t'))
    expect(loadConfig({ cwd, env: {}, file: 'c.json' })).toMatchObject({ warnings: [] })
  })
  test('the command line wins over the file, and is held to the same bounds', () => {
    expect(loadConfig({ cwd, env: {}, overrides: { port: 0, host: '::1' } })).toMatchObject({ config: { server: { host: '::1', port: 0 } } })
    expect(faults(loadConfig({ cwd, env: {}, overrides: { port: 70_000 } }))).toEqual(['server.port: 70000 is not in [0, 65535]'])
    expect(faults(loadConfig({ cwd, env: {}, overrides: { host: '0.0.0.0' } }))).toEqual(['server.host: "0.0.0.0" is not a loopback address, so it needs auth.keys'])
  })
  test.each([
    { why: 'AWS’s own variable is read', direct: '', env: { AWS_BEARER_TOKEN_BEDROCK: 'aws' }, token: 'aws' },
    { why: 'an empty one is none', direct: '', env: { AWS_BEARER_TOKEN_BEDROCK: '' }, token: null },
    { why: 'a named variable wins', direct: ', bearerToken: "${MINE}"', env: { AWS_BEARER_TOKEN_BEDROCK: 'aws', MINE: 'mine' }, token: 'mine' },
    {
      why: 'credentials win over AWS’s own variable',
      direct: ', credentials: { accessKeyId: "${ID}", secretAccessKey: "${SECRET}" }',
      env: { AWS_BEARER_TOKEN_BEDROCK: 'aws', ID: 'id', SECRET: 's' },
      token: null,
    },
  ])('$why', ({ direct, env, token }) => {
    writeFileSync(join(cwd, 'token.yaml'), `direct: { targets: [{ id: a, region: eu-west-1, modelId: m }]${direct} }\n`)
    expect(loadConfig({ cwd, env, file: 'token.yaml' })).toMatchObject({ config: { direct: { bearerToken: token } } })
  })
  test('the error for callers that cannot go on lists every fault', () => {
    expect(new ConfigError([{ path: 'a.b', message: 'is missing' }, { path: '', message: 'and 3 more' }]).message).toBe('The configuration is not valid.\na.b: is missing\nand 3 more')
  })
})

describe('the text of a file', () => {
  const messages = (text: string): string[] => {
    const parsed = parseConfigText(text)
    return parsed.kind === 'faulty' ? parsed.errors.map(formatFieldError) : []
  }
  test.each<{ why: string; text: string; says: string }>([
    { why: 'a bracket that stays open', text: 'a: [1\n', says: 'line 2: is indented in a way that fits no member above it, or comes after a bracket or brace that is not closed' },
    { why: 'a member twice, with its line', text: 'server:\n  port: 1\n  port: 2\n', says: 'line 3: "port" is there twice in the same group; only one can hold' },
    { why: 'a member twice in JSON', text: '{"server": {},\n "server": {}}', says: 'line 2: "server" is there twice in the same group; only one can hold' },
    { why: 'a name that is no text', text: '? { a: 1 }\n: x\n', says: 'line 1: has a member whose name is not a text' },
    { why: 'an unknown tag', text: 'server: !secret x\n', says: 'line 1: has a tag (!…) that is not known here' },
    { why: 'a second document', text: 'a: 1\n---\nb: 2\n', says: 'line 2: begins a second document; one file holds one' },
  ])('$why', ({ text, says }) => {
    expect(messages(text)).toEqual([says])
  })
  test('no message quotes the text, which may hold secrets', () => {
    for (const text of ['secret: "hunter2\n', 'a: [hunter2', 'a: hunter2: b', '\thunter2', 'a: *hunter2', '%hunter2\n---\n', 'a: @hunter2']) {
      const all = messages(text)
      expect(all, text).not.toEqual([])
      expect(all.join('\n'), text).not.toContain('hunter2')
    }
  })
  test('aliases that multiply a block are refused quickly', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 12; level += 1) lines.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(', ')}]`)
    expect(messages(lines.join('\n'))).toEqual(['the file has unknown aliases (*name), or aliases that stand for more than 100 blocks'])
  })
  test('a few aliases are fine', () => {
    expect(parseConfigText('a: &x { b: 1 }\nc: *x\n')).toEqual({ kind: 'value', value: { a: { b: 1 }, c: { b: 1 } } })
  })
  test('absurd nesting is a fault and no crash', () => {
    expect(messages('['.repeat(50_000))).not.toEqual([])
  })
  test('an empty file is an empty configuration', () => {
    expect(parseConfigText('# nothing\n')).toEqual({ kind: 'value', value: null })
  })
})

describe('references', () => {
  const env = { SET: 'value', EMPTY: '', TRICK: '${SET}' }
  test.each([
    ['plain', { kind: 'literal', text: 'plain' }],
    ['${SET}', { kind: 'expanded', text: 'value', variables: ['SET'], whole: true }],
    ['a ${SET} b ${SET}', { kind: 'expanded', text: 'a value b value', variables: ['SET', 'SET'], whole: false }],
    ['${EMPTY}', { kind: 'expanded', text: '', variables: ['EMPTY'], whole: true }],
    ['${EMPTY:-default}', { kind: 'expanded', text: 'default', variables: ['EMPTY'], whole: true }],
    ['${UNSET:-}', { kind: 'expanded', text: '', variables: ['UNSET'], whole: true }],
    ['${UNSET:-http://h:1/}', { kind: 'expanded', text: 'http://h:1/', variables: ['UNSET'], whole: true }],
    ['${UNSET}', { kind: 'unset', variables: ['UNSET'] }],
    ['${constructor}', { kind: 'unset', variables: ['constructor'] }],
    ['${TRICK}', { kind: 'expanded', text: '${SET}', variables: ['TRICK'], whole: true }],
    ['$${SET}', { kind: 'literal', text: '${SET}' }],
    ['$5 and {x}', { kind: 'literal', text: '$5 and {x}' }],
    ['${', { kind: 'malformed' }],
    ['${1X}', { kind: 'malformed' }],
  ])('%s', (text, expansion) => {
    expect(expand(text, env)).toEqual(expansion)
  })
})

test.each<[name: string, nearest: string | undefined, why: string]>([
  ['hedgin', 'hedging', 'one letter is missing'],
  ['latencyms', 'latencyMs', 'only the case differs'],
  ['recsue', 'rescue', 'neighbours are swapped'],
  ['colour', undefined, 'nothing is near'],
  ['x'.repeat(100_000), undefined, 'no slip of the finger'],
])('nearest to %.12s is %s: %s', (name, nearest) => {
  expect(nearestName(name, ['hedging', 'latencyMs', 'rescue'])).toBe(nearest)
})
