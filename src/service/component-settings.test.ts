import { describe, expect, it } from 'vitest'
import { defaultConfig, validConfig } from '../config/resolve-config.ts'
import { defaultConcurrencyLimitSettings } from '../routing/concurrency-limit.ts'
import { routerSettings } from './component-settings.ts'

describe('the limiter of a target', () => {
  it('is by default what the routing is tested with, its times in proportion to the shortest requirement', () => {
    const { limiter } = routerSettings(defaultConfig()).targets
    expect(limiter).toEqual({ ...defaultConcurrencyLimitSettings, carefulForMs: 15_000, usefulOverMs: 2_000 })
  })

  it('is what the configuration says', () => {
    const said = { lowest: 4, highest: 40, decrease: 0.5, slowFactor: 2.5, carefulForMs: 700, usefulOverMs: 300 }
    expect(routerSettings(validConfig({ direct: { targets: [{ id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-sonnet-5' }] }, routing: { limiter: said } })).targets.limiter).toMatchObject(said)
  })
})
