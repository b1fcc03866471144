/** Faults of the schema and of how members go together, at once. */
import { describe, expect, it } from 'vitest'
import { resolveConfig } from './resolve-config.ts'

const target = { id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0' }
const example = {
  server: { host: '0.0.0.0', port: 8080, trustedProxies: ['10.0.0.0/8'], cors: { origins: ['https://ops.example'] } },
  auth: { keys: [{ name: 'ops', role: 'admin', secret: 'a-secret-of-24-characters' }], jwt: { issuer: 'https://idp.example', audience: 'a' } },
  direct: { targets: [target, { ...target, id: 'ireland', region: 'eu-west-1' }], allowedRegions: ['eu-*'], operations: { emergency: { maxTokens: 100 } } },
  mcp: { servers: { ops: { url: 'http://127.0.0.1:9100/mcp' } }, routes: { default: { servers: ['ops'], tool: 'execute_operation', arguments: { q: '{{prompt}}' } } } },
  routing: { matrix: { emergency: { latencyMs: 5_000, hardTimeoutMs: 10_000, fallback: 'none' } } },
  metrics: { cloudwatch: { enabled: true, region: 'eu-central-1' } },
  alerts: { notify: [{ type: 'sns', topicArn: 'arn:aws:sns:eu-central-1:111122223333:pages' }], escalation: { chain: [{ name: 'on-call', afterMs: 0 }, { name: 'lead', afterMs: 60_000 }] } },
}

function faultsOf(raw: unknown): readonly string[] {
  const resolved = resolveConfig(raw, {})
  return 'errors' in resolved ? resolved.errors.map(({ path, message }) => `${path}: ${message}`) : []
}

/** The paths of all members, groups and lists included. */
function pathsOf(value: unknown, path: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  const inside = Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, Array.isArray(value) ? Number(name) : name]))
  return path.length === 0 ? inside : [path, ...inside]
}

function withAt(value: unknown, path: readonly (string | number)[], put: unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return put
  if (Array.isArray(value)) return value.map((item: unknown, index) => (index === name ? withAt(item, rest, put) : item))
  const members = value as Readonly<Record<string, unknown>>
  return { ...members, [name]: withAt(members[name], rest, put) }
}

const shown = (path: readonly (string | number)[]): string => path.reduce<string>((text, name) => (typeof name === 'number' ? `${text}[${name}]` : text === '' ? name : `${text}.${name}`), '')

describe('faults', () => {
  it('of members and of how members go together are told at once', () => {
    const raw = {
      ...example,
      server: { ...example.server, port: 99_999, trustedProxies: ['nonsense'] },
      direct: { ...example.direct, allowedRegions: ['us-*'] },
      mcp: { ...example.mcp, routes: { default: { ...example.mcp.routes.default, servers: ['opps'] } } },
      routing: { matrix: { emergency: { latencyMs: 0 }, infrastructure: { latencyMs: 20_000 } } },
    }
    expect(faultsOf(raw).map((text) => text.split(':')[0])).toEqual([
      'server.port',
      'server.trustedProxies[0]',
      'routing.matrix.emergency.latencyMs',
      'routing.matrix.infrastructure.hardTimeoutMs',
      'mcp.routes.default.servers[0]',
      'direct.targets[0].region',
      'direct.targets[0].modelId',
      'direct.targets[1].region',
      'direct.targets[1].modelId',
      'metrics.cloudwatch.region',
      'alerts.notify[0].topicArn',
    ])
  })

  it('the example has none', () => {
    expect(faultsOf(example)).toEqual([])
  })

  it.each(pathsOf(example).map((path) => ({ path, text: shown(path) })))('at $text say nothing of other members', ({ path, text }) => {
    for (const wrong of [{ 'not a member': true }, [[]], -1.5, 'no such thing ?', true]) {
      const faults = faultsOf(withAt(example, path, wrong))
      for (const fault of faults) expect(fault.startsWith(text), `${text} as ${JSON.stringify(wrong)}: ${fault}`).toBe(true)
    }
  })

  it.each([
    { why: 'a group', raw: { ...example, auth: undefined, autth: example.auth }, says: ['autth: is not known here; the nearest known name is auth'] },
    { why: 'the servers', raw: { ...example, mcp: { ...example.mcp, servers: undefined, servrs: example.mcp.servers } }, says: ['mcp.servrs: is not known here; the nearest known name is servers'] },
    { why: 'the targets', raw: { direct: { trgets: example.direct.targets } }, says: ['direct.trgets: is not known here; the nearest known name is targets'] },
  ])('a misspelt name ($why) is one fault, and not one for each member that would need it', ({ raw, says }) => {
    expect(faultsOf(JSON.parse(JSON.stringify(raw)))).toEqual(says)
  })
})
