import { describe, expect, test } from 'vitest'
import { formatFieldError, resolveConfig, validConfig } from './resolve-config.ts'

const target = { id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-sonnet-5' }
const direct = { targets: [target] }

function faultsOf(raw: unknown, env: Record<string, string> = {}): string[] {
  const resolved = resolveConfig(raw, env)
  return 'errors' in resolved ? resolved.errors.map(formatFieldError) : []
}

describe('each fault names its path, the value and what is allowed', () => {
  test.each<{ why: string; raw: unknown; env?: Record<string, string>; says: string }>([
    { why: 'below the bounds', raw: { direct, routing: { matrix: { emergency: { latencyMs: 0 } } } }, says: 'routing.matrix.emergency.latencyMs: 0 is not in [1, 60000]' },
    { why: 'above the bounds', raw: { direct, server: { port: 65_536 } }, says: 'server.port: 65536 is not in [0, 65535]' },
    { why: 'not whole', raw: { direct, server: { port: 80.5 } }, says: 'server.port: 80.5 is not a whole number in [0, 65535]' },
    { why: 'a number written as a text', raw: { direct, server: { port: '8080' } }, says: 'server.port: "8080" is not a whole number in [0, 65535]' },
    { why: 'no finite number', raw: { direct, routing: { hedging: { budget: Number.NaN } } }, says: 'routing.hedging.budget: NaN is not a number in [0, 1]' },
    { why: 'no flag', raw: { direct, logs: { content: 'yes' } }, says: 'logs.content: "yes" is not true or false' },
    { why: 'not one of a list, with the nearest', raw: { direct, logs: { level: 'inof' } }, says: 'logs.level: "inof" is not one of fatal, error, warn, info, debug, trace; the nearest is info' },
    { why: 'a text of another form', raw: { direct: { targets: [{ ...target, region: 'Frankfurt' }] } }, says: 'direct.targets[0].region: "Frankfurt" is not a region such as eu-central-1' },
    { why: 'an address with a password in it', raw: { direct: { targets: [{ ...target, endpoint: 'http://u@h' }] } }, says: 'direct.targets[0].endpoint: "http://u@h" is not an http:// or https:// address without user information' },
    { why: 'empty', raw: { direct, store: { engine: 'sqlite', path: '' } }, says: 'store.path: is empty' },
    { why: 'too long', raw: { direct: { ...direct, prices: { currency: 'USD', asOf: '2026-10-05', source: 'x'.repeat(513), models: {} } } }, says: 'direct.prices.source: has 513 characters, which is not in [1, 512]' },
    { why: 'too few entries', raw: { direct: { ...direct, targets: [{ ...target, operations: [] }] } }, says: 'direct.targets[0].operations: has 0 entries, which is not in [1, 7]' },
    { why: 'no list', raw: { direct: { targets: target } }, says: 'direct.targets: a group of members is not a list' },
    { why: 'no group', raw: { direct, server: 8080 }, says: 'server: 8080 is not a group of members' },
    { why: 'a heading with nothing below it', raw: { direct, metrics: null }, says: 'metrics: null is not a group of members' },
    { why: 'missing', raw: { direct: { targets: [{ id: 'a', region: 'eu-west-1' }] } }, says: 'direct.targets[0].modelId: is missing: a model id, inference profile id or ARN' },
    { why: 'unknown, with a near name', raw: { direct, routing: { hedgin: {} } }, says: 'routing.hedgin: is not known here; the nearest known name is hedging' },
    { why: 'unknown, far from all', raw: { direct, server: { colour: 1 } }, says: 'server.colour: is not known here; known are host, port, tls, trustedProxies, cors' },
    { why: 'a name that is no word', raw: { direct, 'a b': 1 }, says: '["a b"]: is not known here; known are server, auth, direct, mcp, store, callbacks, routing, limits, health, metrics, logs, audit, alerts' },
    { why: 'a free name of a wrong form', raw: { direct, mcp: { servers: { 'a b': { url: 'http://h' } } } }, says: 'mcp.servers["a b"]: the name is not a name of 1 to 64 letters, digits, ".", "_" and "-"' },
    { why: 'neither way to reach a server', raw: { direct, mcp: { servers: { a: {} } } }, says: 'mcp.servers.a: needs exactly one of command and url' },
    { why: 'both ways to reach a server', raw: { direct, mcp: { servers: { a: { command: 'x', url: 'http://h' } } } }, says: 'mcp.servers.a: needs exactly one of command and url' },
    { why: 'no key', raw: { direct, auth: { keys: [{ name: 'a', role: 'admin' }] } }, says: 'auth.keys[0]: needs exactly one of secret and sha256' },
    { why: 'an engine that does not exist', raw: { direct, store: { engine: 'mysql' } }, says: 'store.engine: "mysql" is not one of memory, sqlite, redis' },
    { why: 'no engine', raw: { direct, store: {} }, says: 'store.engine: null is not one of memory, sqlite, redis' },
    { why: 'a member of another engine', raw: { direct, store: { engine: 'memory', path: 'x' } }, says: 'store.path: is not known here; known are engine' },
    { why: 'an unset variable', raw: { direct, server: { host: '${HOST}' } }, says: 'server.host: refers to HOST, which is not set in the environment; ${NAME:-default} gives a default' },
    { why: 'no reference', raw: { direct, server: { host: '${1}' } }, says: 'server.host: has a "${" that is no reference: write ${NAME} or ${NAME:-default}, and $${ for the characters themselves' },
    { why: 'a variable that is no number', raw: { direct, server: { port: '${PORT}' } }, env: { PORT: 'http' }, says: 'server.port: "http" from ${PORT} is not a whole number in [0, 65535]' },
    { why: 'a credential in the file', raw: { direct: { ...direct, bearerToken: 'abc' } }, says: 'direct.bearerToken: is a secret that is read from the environment only: write ${NAME} and set that variable' },
    { why: 'a credential half in the file', raw: { direct: { ...direct, bearerToken: 'abc${X}' } }, env: { X: 'y' }, says: 'direct.bearerToken: is a secret that is read from the environment only: write ${NAME} and set that variable' },
  ])('$why', ({ raw, env, says }) => {
    expect(faultsOf(raw, env)).toEqual([says])
  })

  test('all faults of a file are reported at once, in the order of the schema', () => {
    const faults = faultsOf({ server: { port: -1 }, direct: { targets: [{ id: 'a b', region: 'x', modelId: 'm' }] }, routing: { streamMaxMs: 0 } })
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['server.port', 'direct.targets[0].id', 'direct.targets[0].region', 'routing.streamMaxMs'])
  })

  test('a file with thousands of faults is the wrong file: the rest is counted', () => {
    const faults = faultsOf({ direct, ...Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`m${index}`, 1])) })
    expect(faults).toHaveLength(101)
    expect(faults.at(-1)).toBe('and 400 more')
  })

  test('a long value is cut', () => {
    expect(faultsOf({ direct, logs: { level: 'x'.repeat(1_000) } })[0]).toContain(`"${'x'.repeat(79)}… is not one of`)
  })
})

describe('secrets are never shown', () => {
  const secret = 'hunter2-hunter2-hunter2 '
  test.each<{ why: string; raw: unknown; env?: Record<string, string> }>([
    { why: 'a key of a wrong form', raw: { direct, auth: { keys: [{ name: 'a', role: 'admin', secret }] } } },
    { why: 'a key from the environment', raw: { direct, auth: { keys: [{ name: 'a', role: 'admin', secret: '${KEY}' }] } }, env: { KEY: secret } },
    { why: 'a hash that is the key itself', raw: { direct, auth: { keys: [{ name: 'a', role: 'admin', sha256: secret }] } } },
    { why: 'a bearer token', raw: { direct: { ...direct, bearerToken: secret } } },
    { why: 'a bearer token of the environment', raw: { direct }, env: { AWS_BEARER_TOKEN_BEDROCK: secret } },
    { why: 'a header', raw: { direct, mcp: { servers: { a: { url: 'http://h', headers: { Authorization: `${secret}\n` } } } } } },
    { why: 'an address with a password', raw: { direct, store: { engine: 'redis', url: `http://u:${secret}@h` } } },
    { why: 'an address in the place of a group', raw: { direct, store: `redis://u:${secret}@h` } },
    { why: 'an address in the place of a server', raw: { direct, mcp: { servers: { a: `http://u:${secret}@h` } } } },
    { why: 'a webhook', raw: { direct, alerts: { notify: [{ type: 'webhook', url: `ftp://${secret}` }] } } },
    { why: 'an unknown member', raw: { direct, auth: { keys: [{ name: 'a', role: 'admin', secretKey: secret, secret: 'abc' }] } } },
  ])('$why', ({ raw, env }) => {
    const faults = faultsOf(raw, env)
    expect(faults).not.toEqual([])
    expect(faults.join('\n')).not.toContain('hunter2')
  })

  test('the variable is named in place of the value', () => {
    expect(faultsOf({ direct, auth: { keys: [{ name: 'a', role: 'admin', secret: '${OPS_KEY}' }] } }, { OPS_KEY: 'a b' })).toEqual([
      'auth.keys[0].secret: the value of ${OPS_KEY} is not visible ASCII without spaces',
    ])
  })
})

describe('references to the environment', () => {
  test('numbers and flags become what the schema wants', () => {
    const config = validConfig({ direct, server: { port: '${PORT}' }, logs: { content: '${CONTENT:-true}' }, routing: { hedging: { budget: '${B}' } } }, { PORT: '9000', B: '0.25' })
    expect([config.server.port, config.logs.content, config.routing.hedging.budget]).toEqual([9_000, true, 0.25])
  })
  test('a number is no flag and a flag is no number', () => {
    expect(faultsOf({ direct, server: { port: '${P}' }, logs: { content: '${C}' } }, { P: 'true', C: '1' })).toHaveLength(2)
  })
  test('a text keeps its digits', () => {
    expect(validConfig({ direct: { targets: [{ ...target, id: '${ID}' }] } }, { ID: '007' }).direct.targets[0]?.id).toBe('007')
  })
  test('an empty variable leaves out a member that may be null', () => {
    expect(validConfig({ direct: { targets: [{ ...target, endpoint: '${ENDPOINT:-}' }] } }, {}).direct.targets[0]?.endpoint).toBeNull()
  })
  test('references inside an argument template are expanded, placeholders are not', () => {
    const mcp = { servers: { a: { url: 'http://h' } }, routes: { default: { servers: ['a'], tool: 't', arguments: { q: '{{prompt}}', list: ['${X}'] } } } }
    expect(validConfig({ direct, mcp }, { X: 'y' }).mcp.routes.default?.arguments).toEqual({ q: '{{prompt}}', list: ['y'] })
  })
  test('an argument template is bounded in depth', () => {
    let deep: unknown = 'x'
    for (let level = 0; level < 100; level += 1) deep = { deep }
    const mcp = { servers: { a: { url: 'http://h' } }, routes: { default: { servers: ['a'], tool: 't', arguments: deep } } }
    expect(faultsOf({ direct, mcp })[0]).toContain('is nested more than 32 levels deep')
  })
  test('a member called __proto__ changes nothing and is a fault', () => {
    const raw = JSON.parse('{"server": {"__proto__": {"port": 1}}}') as Record<string, unknown>
    expect(faultsOf({ ...raw, direct })).toEqual(['server.__proto__: is not known here; known are host, port, tls, trustedProxies, cors'])
  })
})
