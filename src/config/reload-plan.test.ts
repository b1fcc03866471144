import { describe, expect, test } from 'vitest'
import { planReload } from './reload-plan.ts'
import { validConfig } from './resolve-config.ts'
import type { Config } from './schema.ts'

const target = { id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-sonnet-5' }
const keys = [{ name: 'ops', role: 'admin', secret: 'a-secret-that-is-long-enough' }]

function config(raw: Record<string, unknown> = {}): Config {
  return validConfig({ direct: { targets: [target] }, ...raw })
}

describe('what a reload does', () => {
  test('the same configuration changes nothing', () => {
    expect(planReload(config(), config())).toEqual({ kind: 'unchanged' })
  })

  test('live members take effect, each named by its own path', () => {
    const next = config({ routing: { matrix: { emergency: { latencyMs: 400 } }, hedging: { enabled: false } }, logs: { level: 'debug' } })
    const plan = planReload(config(), next)
    expect(plan).toMatchObject({
      kind: 'apply',
      changed: ['routing.matrix.emergency.latencyMs', 'routing.hedging.enabled', 'logs.level'],
      needsRestart: [],
    })
    expect(plan.kind === 'apply' && plan.config).toEqual(next)
  })

  test('members that need a restart keep their old value and are named', () => {
    const current = config()
    const next = config({ server: { port: 9_000 }, store: { engine: 'memory' }, routing: { streamMaxMs: 1_000 } })
    const plan = planReload(current, next)
    expect(plan).toMatchObject({ kind: 'apply', changed: ['routing.streamMaxMs'], needsRestart: ['server.port', 'store'] })
    expect(plan.kind === 'apply' && plan.config).toEqual({ ...current, routing: { ...current.routing, streamMaxMs: 1_000 } })
  })

  test('what did not change stays the same object, so that readers can tell', () => {
    const current = config({ auth: { keys } })
    const plan = planReload(current, config({ auth: { keys }, logs: { level: 'debug' } }))
    expect(plan.kind === 'apply' && plan.config.auth).toBe(current.auth)
    expect(plan.kind === 'apply' && Object.isFrozen(plan.config.logs)).toBe(true)
  })

  test('nothing but restart members: the snapshot stays', () => {
    const current = config()
    const plan = planReload(current, config({ server: { port: 9_000 } }))
    expect(plan.kind === 'apply' && plan.config).toBe(current)
  })

  test('a removed optional group is a change', () => {
    const current = config({ direct: { targets: [target], operations: { emergency: { maxTokens: 10 } } } })
    const plan = planReload(current, config())
    expect(plan).toMatchObject({ kind: 'apply', changed: ['direct.operations.emergency'] })
    expect(plan.kind === 'apply' && plan.config.direct.operations).toEqual({})
  })

  test('withdrawing the keys together with the public address does not leave the public address without keys', () => {
    const plan = planReload(config({ server: { host: '0.0.0.0' }, auth: { keys } }), config())
    expect(plan).toEqual({
      kind: 'reject',
      errors: [
        {
          path: 'server.host',
          message: '"0.0.0.0" is not a loopback address, so it needs auth.keys (until a restart, server.host keeps its old value)',
        },
      ],
    })
  })
})
