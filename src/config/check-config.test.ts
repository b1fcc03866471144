import { describe, expect, test } from 'vitest'
import type { Matrix } from '../operation/matrix.ts'
import { runbookMatrix } from '../operation/matrix.ts'
import type { PriceTable } from '../operation/cost.ts'
import { directTimeouts, streamSilenceMs } from './derived-limits.ts'
import { defaultConfig, formatFieldError, resolveConfig, validConfig } from './resolve-config.ts'

const profile = 'eu.anthropic.claude-sonnet-5'
const target = { id: 'frankfurt', region: 'eu-central-1', modelId: profile }
const direct = { targets: [target] }
const server = { url: 'http://127.0.0.1:9100/mcp' }
const keys = [{ name: 'ops', role: 'admin', secret: 'a-secret-that-is-long-enough' }]

function findings(raw: unknown): { errors: string[]; warnings: string[] } {
  const resolved = resolveConfig(raw, {})
  return 'errors' in resolved
    ? { errors: resolved.errors.map(formatFieldError), warnings: [] }
    : { errors: [], warnings: resolved.warnings.map(formatFieldError) }
}

describe('what stops the start', () => {
  test.each<{ why: string; raw: unknown; says: string }>([
    { why: 'a public address without keys', raw: { direct, server: { host: '0.0.0.0' } }, says: 'server.host: "0.0.0.0" is not a loopback address, so it needs auth.keys' },
    { why: 'nothing to answer with', raw: {}, says: 'direct.targets: has no entry, and mcp.servers has none that is enabled: at least one is needed to answer anything' },
    { why: 'a disabled server answers nothing', raw: { mcp: { servers: { a: { ...server, disabled: true } } } }, says: 'direct.targets: has no entry, and mcp.servers has none that is enabled: at least one is needed to answer anything' },
    { why: 'two targets of one id', raw: { direct: { targets: [target, target] } }, says: 'direct.targets[1].id: "frankfurt" is already direct.targets[0].id' },
    { why: 'two keys of one name', raw: { direct, auth: { keys: [...keys, { ...keys[0], secret: 'another-secret-that-is-long' }] } }, says: 'auth.keys[1].name: "ops" is already auth.keys[0].name' },
    { why: 'one key for two names', raw: { direct, auth: { keys: [...keys, { ...keys[0], name: 'dev' }] } }, says: 'auth.keys[1].secret: is the same as auth.keys[0].secret: one key cannot stand for two names' },
    {
      why: 'one hash for two names, however it is written',
      raw: { direct, auth: { keys: ['ab', 'AB'].map((pair, index) => ({ name: `k${index}`, role: 'viewer', sha256: pair.repeat(32) })) } },
      says: 'auth.keys[1].sha256: is the same as auth.keys[0].sha256: one key cannot stand for two names',
    },
    { why: 'the hard timeout before the requirement', raw: { direct, routing: { matrix: { emergency: { hardTimeoutMs: 4_000 } } } }, says: 'routing.matrix.emergency.hardTimeoutMs: 4000 is below routing.matrix.emergency.latencyMs, which is 5000' },
    { why: 'a highest limit below the lowest', raw: { direct, routing: { limiter: { lowest: 20, highest: 10 } } }, says: 'routing.limiter.highest: 10 is below routing.limiter.lowest, which is 20' },
    { why: 'a fallback that is the route', raw: { direct, routing: { matrix: { infrastructure: { fallback: 'direct' } } } }, says: 'routing.matrix.infrastructure.fallback: "direct" is the route itself; allowed are "mcp" and "none"' },
    {
      why: 'a template with a placeholder that nothing fills',
      raw: { direct, mcp: { servers: { ops: server }, routes: { default: { servers: ['ops'], tool: 't', arguments: { query: '{{promt}}' } } } } },
      says: 'mcp.routes.default.arguments: "{{promt}}" is not a placeholder; allowed are operationId, operation, priority, prompt, messages, system, context, metadata, maxTokens, deadlineMs, converse, and members of context and metadata',
    },
    {
      why: 'a route over an unknown server',
      raw: { direct, mcp: { servers: { ops: server }, routes: { default: { servers: ['ops', 'opps'], tool: 't' } } } },
      says: 'mcp.routes.default.servers[1]: "opps" is not a server of mcp.servers; the nearest known name is ops',
    },
    {
      why: 'a route over a name that every object has',
      raw: { direct, mcp: { routes: { default: { servers: ['constructor'], tool: 't' } } } },
      says: 'mcp.routes.default.servers[0]: "constructor" is not a server of mcp.servers; known are none',
    },
    {
      why: 'a region outside',
      raw: { direct: { targets: [{ ...target, region: 'us-east-1' }], allowedRegions: ['eu-*'] } },
      says: 'direct.targets[0].region: "us-east-1" is outside direct.allowedRegions, which is eu-*',
    },
    {
      why: 'a profile of another geography',
      raw: { direct: { targets: [{ ...target, modelId: 'us.anthropic.claude-sonnet-5' }], allowedRegions: ['eu-*'] } },
      says: 'direct.targets[0].modelId: "us.anthropic.claude-sonnet-5" may send prompts outside direct.allowedRegions, which is eu-*',
    },
    {
      why: 'a model of one operation outside',
      raw: { direct: { ...direct, allowedRegions: ['eu-*'], operations: { emergency: { modelId: 'global.anthropic.claude-sonnet-5' } } } },
      says: 'direct.operations.emergency.modelId: "global.anthropic.claude-sonnet-5" may send prompts outside direct.allowedRegions, which is eu-*',
    },
    {
      why: 'a model that callers may choose outside',
      raw: { direct: { ...direct, allowedRegions: ['eu-*'], models: [profile, 'global.anthropic.claude-sonnet-5'] } },
      says: 'direct.models[1]: "global.anthropic.claude-sonnet-5" may send prompts outside direct.allowedRegions, which is eu-*',
    },
    {
      why: 'a region that hides in the address of a target',
      raw: { direct: { targets: [{ ...target, endpoint: 'https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com' }], allowedRegions: ['eu-*'] } },
      says: 'direct.targets[0].endpoint: "us-east-1" is outside direct.allowedRegions, which is eu-*',
    },
    {
      why: 'metrics to a region outside',
      raw: { direct: { ...direct, allowedRegions: ['eu-*'] }, metrics: { cloudwatch: { enabled: true, region: 'us-east-1' } } },
      says: 'metrics.cloudwatch.region: "us-east-1" is outside direct.allowedRegions, which is eu-*',
    },
    {
      why: 'log lines to a region outside',
      raw: { direct: { ...direct, allowedRegions: ['eu-*'] }, logs: { cloudwatch: { enabled: true, endpoint: 'https://logs.us-east-1.amazonaws.com' } } },
      says: 'logs.cloudwatch.endpoint: "us-east-1" is outside direct.allowedRegions, which is eu-*',
    },
    {
      why: 'alerts to a region outside',
      raw: { direct: { ...direct, allowedRegions: ['eu-*'] }, alerts: { notify: [{ type: 'sns', topicArn: 'arn:aws:sns:us-east-1:123456789012:ops' }] } },
      says: 'alerts.notify[0].topicArn: "us-east-1" is outside direct.allowedRegions, which is eu-*',
    },
    { why: 'nobody could be let in', raw: { direct, auth: { keys: [] } }, says: 'auth: has no entry in keys and no jwt, so nobody could be let in' },
    {
      why: 'an issuer whose keys anybody on the way could replace',
      raw: { direct, auth: { jwt: { issuer: 'http://id.example', audience: 'a' } } },
      says: 'auth.jwt.issuer: "http://id.example" is not https://, and not on this machine: whoever is in between could sign tokens',
    },
    { why: 'a range that is none', raw: { direct, server: { trustedProxies: ['10.0.0.0/33'] } }, says: 'server.trustedProxies[0]: "10.0.0.0/33" is not an address or a range such as 10.0.0.0/8' },
    { why: 'pages of another origin without keys', raw: { direct, server: { cors: { origins: ['https://a.example'] } } }, says: 'server.cors.origins: needs auth: without it only pages of this service itself are served' },
  ])('$why', ({ raw, says }) => {
    expect(findings(raw).errors).toEqual([says])
  })
})

describe('what starts', () => {
  test.each<{ why: string; raw: unknown }>([
    { why: 'tokens alone, of an issuer on this machine', raw: { direct, server: { host: '0.0.0.0' }, auth: { jwt: { issuer: 'http://127.0.0.1:9000', audience: 'a' } } } },
    { why: 'a switched-off sink in a region outside', raw: { direct: { ...direct, allowedRegions: ['eu-*'] }, metrics: { cloudwatch: { region: 'us-east-1' } } } },
    { why: 'a public address with keys', raw: { direct, server: { host: '0.0.0.0' }, auth: { keys } } },
    { why: 'only MCP, the emergency allowed to use it', raw: { mcp: { servers: { a: server }, routes: { default: { servers: ['a'], tool: 't' } } }, routing: { matrix: { emergency: { fallback: 'mcp' } } } } },
    { why: 'a disabled server beside a target', raw: { direct, mcp: { servers: { a: { command: 'node', disabled: true } } } } },
    { why: 'everything inside the allowed regions', raw: { direct: { ...direct, allowedRegions: ['eu-*'] } } },
    { why: 'an entry pasted from a host’s file', raw: { direct, mcp: { servers: { a: { command: 'node', args: ['s.js'], env: { K: 'v' }, disabled: true, autoApprove: ['x'], disabledTools: [], type: 'stdio' } } } } },
  ])('$why', ({ raw }) => {
    expect(findings(raw)).toEqual({ errors: [], warnings: [] })
  })
})

test('the example of the public contract starts', () => {
  const resolved = resolveConfig(
    {
      server: { host: '127.0.0.1', port: 8080 },
      auth: { keys: [{ name: 'ops', role: 'admin', secret: '${OPS_KEY}', tenant: 'acme' }], publicHealth: true },
      direct: {
        targets: [
          { id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0' },
          { id: 'ireland', region: 'eu-west-1', modelId: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0', endpoint: 'http://127.0.0.1:9001' },
        ],
        allowedRegions: ['eu-*'],
        operations: { emergency: { maxTokens: 1024, temperature: 0.1 } },
      },
      mcp: {
        servers: {
          ops: { url: 'http://127.0.0.1:9100/mcp', headers: {} },
          local: { command: 'node', args: ['server.js'], env: {}, disabled: true },
        },
        routes: {
          default: { servers: ['ops'], tool: 'execute_operation', carries: 'converse', repeatable: true },
          standard_analysis: { servers: ['local'], tool: 'search', arguments: { query: '{{prompt}}' } },
        },
      },
      store: { engine: 'sqlite', path: 'data/hybrid-routing.db' },
      routing: {
        matrix: { emergency: { priority: 'critical', latencyMs: 5000, hardTimeoutMs: 10000, route: 'direct', fallback: 'none' } },
        hedging: { enabled: true, budget: 0.05 },
      },
      metrics: { cloudwatch: { enabled: false, region: 'eu-central-1', endpoint: null, intervalMs: 60000 } },
      logs: { level: 'info', content: false, cloudwatch: { enabled: false, endpoint: null } },
      alerts: { notify: [{ type: 'sns', topicArn: 'arn:aws:sns:eu-central-1:111122223333:pages', endpoint: null }, { type: 'webhook', url: 'http://127.0.0.1:1/hook' }] },
    },
    { OPS_KEY: 'a-secret-that-is-long-enough' },
  )
  expect('errors' in resolved ? resolved.errors : resolved.warnings.map(formatFieldError)).toEqual([
    'mcp.routes.standard_analysis.servers: names only servers that are disabled, so the route cannot be used',
  ])
  expect('config' in resolved && resolved.config.mcp.routes.standard_analysis).toMatchObject({ carries: 'text', repeatable: false })
})

describe('what is warned about', () => {
  test.each<{ why: string; raw: unknown; says: string }>([
    { why: 'a key that can be guessed', raw: { direct, auth: { keys: [{ ...keys[0], secret: 'short' }] } }, says: 'auth.keys[0].secret: has 5 characters and can be guessed; 16 or more are good' },
    {
      why: 'a timeout that looks like seconds',
      raw: { direct, mcp: { servers: { a: { ...server, timeout: 30, disabled: true } } } },
      says: 'mcp.servers.a.timeout: 30 is in milliseconds; 30000 if seconds were meant',
    },
    { why: 'a server without a route', raw: { direct, mcp: { servers: { a: server } } }, says: 'mcp.servers.a: is named by no route of mcp.routes, so nothing is sent to it' },
    {
      why: 'a route over disabled servers only',
      raw: { direct, mcp: { servers: { a: { ...server, disabled: true } }, routes: { default: { servers: ['a'], tool: 't' } } } },
      says: 'mcp.routes.default.servers: names only servers that are disabled, so the route cannot be used',
    },
    {
      why: 'an operation that nothing carries',
      raw: { direct: { targets: [{ ...target, operations: ['emergency', 'infrastructure', 'meta_monitor', 'kiro_communication', 'standard_analysis', 'background_task'] }] } },
      says: 'routing.matrix.implementation: goes "direct" or "mcp", and nothing there carries it: every such operation will be refused',
    },
  ])('$why', ({ raw, says }) => {
    expect(findings(raw)).toEqual({ errors: [], warnings: [says] })
  })
})

describe('defaults', () => {
  test('the matrix is the runbook’s, and fits the routing’s type', () => {
    const matrix: Matrix = defaultConfig().routing.matrix
    expect(matrix).toEqual(runbookMatrix)
  })
  test('one overridden cell leaves its row and the others as they are', () => {
    const config = validConfig({ direct, routing: { matrix: { emergency: { latencyMs: 400 } } } })
    expect(config.routing.matrix).toEqual({ ...runbookMatrix, emergency: { ...runbookMatrix.emergency, latencyMs: 400 } })
  })
  test('geographic profiles cost ten per cent more, and the table fits the cost’s type', () => {
    const prices: PriceTable = defaultConfig().direct.prices
    expect(prices.models['anthropic.claude-sonnet-4-6']).toEqual({ inputPerMillion: 3, outputPerMillion: 15 })
    expect(prices.models['eu.anthropic.claude-sonnet-4-6']).toEqual({ inputPerMillion: 3.3, outputPerMillion: 16.5 })
    expect(prices.asOf).toBe('2026-10-05')
  })
  test('a configuration is frozen at every depth', () => {
    const config = defaultConfig()
    expect(() => Object.assign(config.routing.matrix.emergency, { latencyMs: 1 })).toThrow(TypeError)
    expect(() => Object.assign(config.direct.targets, { 0: target })).toThrow(TypeError)
  })
})

describe('times that follow the matrix', () => {
  const scaled = (latencyMs: number) => validConfig({ direct, routing: { matrix: { emergency: { latencyMs, hardTimeoutMs: latencyMs * 2 } } } })
  test.each([
    { latencyMs: 5_000, connectMs: 1_000, why: 'a fifth' },
    { latencyMs: 400, connectMs: 80, why: 'a fifth of a small requirement' },
    { latencyMs: 100, connectMs: 50, why: 'not below a handshake across an ocean' },
    { latencyMs: 60_000, connectMs: 3_000, why: 'not beyond any handshake' },
  ])('connecting gets $connectMs ms of $latencyMs ms: $why', ({ latencyMs, connectMs }) => {
    expect(directTimeouts(scaled(latencyMs), 'emergency')).toEqual({ connectMs, firstByteMs: latencyMs * 2, silenceMs: latencyMs })
  })
  test('what is configured holds', () => {
    const config = validConfig({ direct: { ...direct, timeouts: { connectMs: 7, firstByteMs: 8 } }, routing: { streamSilenceMs: 9 } })
    expect(directTimeouts(config, 'background_task')).toEqual({ connectMs: 7, firstByteMs: 8, silenceMs: 9 })
    expect(streamSilenceMs(config, 'emergency')).toBe(9)
  })
})
