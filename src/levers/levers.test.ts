import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { createCountingIds } from '../runtime/ids.ts'
import { createVirtualClock, type VirtualClock } from '../runtime/virtual-clock.ts'
import { emptyState, takeStep, type LeverState, type Pulled } from './lever-state.ts'
import { configOf, createSwitchableStore, startInstance, type BenchOptions, type Instance, type SwitchableStore } from './testing/lever-bench.ts'

let clock: VirtualClock
let store: SwitchableStore
let instances: Instance[]
const ids = createCountingIds()

beforeEach(() => {
  clock = createVirtualClock()
  store = createSwitchableStore(clock)
  instances = []
})
afterEach(async () => {
  for (const instance of instances) await instance.stop()
})

async function start(options: Partial<BenchOptions> = {}): Promise<Instance> {
  const instance = await startInstance({ store, clock, ids, ...options })
  instances.push(instance)
  return instance
}

async function restart(instance: Instance, options: Partial<BenchOptions> = {}): Promise<Instance> {
  await instance.stop()
  instances.splice(instances.indexOf(instance), 1)
  return start(options)
}

const forced = (instance: Instance): string | null => {
  const { force } = instance.levers.overrides()
  return force !== null && clock.monotonicMs() < force.untilMs ? force.route : null
}
const auditOf = async (instance: Instance): Promise<readonly string[]> => (await instance.audit.list({}, 100)).records.map(({ kind, what, who }) => `${kind} ${what} ${who}`).reverse()

describe('a lever', () => {
  it('is in force at once, and says what it changed, until when, and what it did not apply to', async () => {
    const one = await start()
    const pulling = one.pull('force-mcp', { reason: 'Bedrock unavailable', duration: 3600 })
    // Before anything was awaited.
    expect(forced(one)).toBe('mcp')
    expect(await pulling).toMatchObject({
      lever: 'force-mcp',
      status: 'applied',
      changed: [{ what: 'force', before: null, after: 'mcp' }],
      until: '2026-01-01T09:00:00.000Z',
      by: 'ops',
      reason: 'Bedrock unavailable',
      notApplied: ['emergency'],
      audit: 'written',
      stored: true,
    })
  })

  it('is audited once, with who, when, what, before and after', async () => {
    const one = await start()
    await one.pull('force-direct')
    const answer = await one.pull('force-mcp', { reason: 'x' }, 'anna')
    const { records } = await one.audit.list({ what: 'force-mcp' }, 10)
    expect(records).toHaveLength(1)
    expect(records[0]).toMatchObject({ id: answer.auditId, kind: 'lever', who: 'anna', atMs: clock.nowMs(), before: { force: 'direct' }, after: { force: 'mcp' }, reason: 'x', correlationId: 'cor_1' })
    expect((await one.audit.verify()).ok).toBe(true)
  })

  it('that only shows what it would do changes nothing and leaves no record', async () => {
    const one = await start()
    expect(await one.pull('force-mcp', { dryRun: true, duration: 60 })).toMatchObject({ status: 'dry_run', changed: [{ what: 'force', before: null, after: 'mcp' }], notApplied: ['emergency'], auditId: null, audit: 'none' })
    expect(forced(one)).toBeNull()
    expect(await auditOf(one)).toEqual([])
  })

  it('that finds nothing to change says so', async () => {
    const one = await start()
    expect(await one.pull('end-force')).toMatchObject({ status: 'unchanged', changed: [] })
    await one.pull('force-mcp')
    expect(await one.pull('end-force')).toMatchObject({ status: 'applied', changed: [{ what: 'force', before: 'mcp', after: null }] })
    expect(forced(one)).toBeNull()
  })
})

describe('the end of a lever', () => {
  it('comes on time, is told and audited once', async () => {
    const one = await start()
    await one.pull('force-mcp', { duration: 60 })
    await clock.advanceAsync(59_999)
    expect(forced(one)).toBe('mcp')
    await clock.advanceAsync(1)
    expect(forced(one)).toBeNull()
    expect(one.levers.overridesInForce()).toEqual([])
    expect(await auditOf(one)).toEqual(['lever force-mcp ops', 'lever_ended force-mcp levers'])
    expect(one.seen.filter(({ type }) => type === 'lever_ended')).toHaveLength(1)
  })

  it('comes on time across a restart, and at once when it passed meanwhile', async () => {
    let one = await start()
    await one.pull('force-mcp', { duration: 60 })
    await clock.advanceAsync(30_000)
    one = await restart(one)
    expect(forced(one)).toBe('mcp')
    await clock.advanceAsync(29_999)
    expect(forced(one)).toBe('mcp')
    await clock.advanceAsync(1)
    expect(forced(one)).toBeNull()

    await one.pull('enable-maintenance', { duration: 60 })
    await one.stop()
    instances = []
    await clock.advanceAsync(90_000)
    const two = await start()
    expect(two.levers.effect().modes.maintenance).toBe(false)
    await clock.advanceAsync(1)
    expect(await auditOf(two)).toEqual(['lever force-mcp ops', 'lever_ended force-mcp levers', 'lever enable-maintenance ops', 'lever_ended enable-maintenance levers'])
  })

  it.each([3_600_000, -3_600_000])('does not move when the wall clock jumps by %i ms', async (byMs) => {
    const one = await start()
    await one.pull('force-mcp', { duration: 60 })
    clock.jumpWallClock(byMs)
    // Another lever makes the instance look at all of them again.
    await one.pull('enable-emergency')
    await clock.advanceAsync(59_999)
    expect(forced(one)).toBe('mcp')
    await clock.advanceAsync(1)
    expect(forced(one)).toBeNull()
  })

  it('is never later than its duration after a restart, even when the clock was set back by a day', async () => {
    let one = await start()
    await one.pull('force-mcp', { duration: 60 })
    clock.jumpWallClock(-86_400_000)
    one = await restart(one)
    await clock.advanceAsync(60_000)
    expect(forced(one)).toBeNull()
  })

  it('brings back what was there before', async () => {
    const one = await start()
    await one.pull('force-direct')
    await one.pull('force-mcp', { duration: 60 })
    expect(forced(one)).toBe('mcp')
    await clock.advanceAsync(60_000)
    expect(forced(one)).toBe('direct')
    await one.pull('end-force')
    expect(forced(one)).toBeNull()
  })

  it('comes on time with the store away, and is stored and audited when it is back', async () => {
    const one = await start()
    await one.pull('force-mcp', { duration: 60 })
    store.away = true
    await clock.advanceAsync(60_000)
    expect(forced(one)).toBeNull()
    store.away = false
    await clock.advanceAsync(1_000)
    expect(await auditOf(one)).toEqual(['lever force-mcp ops', 'lever_ended force-mcp levers'])
    expect((await restart(one)).levers.overridesInForce()).toEqual([])
  })

  it('switches a mode back on that was off for a time', async () => {
    const one = await start()
    await one.pull('enable-emergency')
    await one.pull('disable-emergency', { duration: 60 })
    expect(one.levers.effect().modes.emergency).toBe(false)
    await clock.advanceAsync(60_000)
    expect(one.levers.effect().modes.emergency).toBe(true)
  })
})

describe('with the store away', () => {
  it('a lever works at once, says that its record waits, and the record comes late', async () => {
    const one = await start()
    store.away = true
    const startedMs = clock.monotonicMs()
    const pulling = one.pull('force-mcp', { reason: 'all is down' })
    expect(forced(one)).toBe('mcp')
    await clock.advanceAsync(50)
    expect(await pulling).toMatchObject({ status: 'applied', audit: 'waiting', stored: false })
    expect(clock.monotonicMs() - startedMs).toBeLessThan(100)
    expect(one.seen.find(({ type }) => type === 'lever_pulled')).toMatchObject({ lever: 'force-mcp', reason: 'all is down' })
    await clock.advanceAsync(60_000)
    expect(one.seen.filter(({ type }) => type === 'audit_unwritten')).toHaveLength(1)
    store.away = false
    await clock.advanceAsync(1_000)
    const { records } = await one.audit.list({}, 10)
    expect(records).toHaveLength(1)
    expect(records[0]?.lateAtMs).toBeGreaterThan(records[0]?.atMs ?? Number.NaN)
    expect(await one.audit.verify()).toMatchObject({ ok: true, records: 1 })
    expect(forced(await restart(one))).toBe('mcp')
  })

  it('an instance starts without its levers and takes them over when the store is back', async () => {
    const one = await start()
    await one.pull('force-mcp')
    await one.stop()
    instances = []
    store.away = true
    const two = await start()
    expect(forced(two)).toBeNull()
    store.away = false
    await clock.advanceAsync(1_000)
    expect(forced(two)).toBe('mcp')
  })

  it('levers are refused once more wait than may', async () => {
    const one = await start()
    store.away = true
    const pulled: Promise<unknown>[] = []
    for (let index = 0; index < 500; index += 1) pulled.push(one.pull('force-mcp'))
    await expect(one.pull('force-mcp')).rejects.toMatchObject({ code: 'overloaded' })
    store.away = false
    await clock.advanceAsync(1_000)
    await Promise.all(pulled)
    expect((await one.audit.verify()).records).toBe(500)
  })
})

describe('two instances on one store', () => {
  it('have each other’s levers within a second, and end and audit them once', async () => {
    const one = await start({ shared: true })
    const two = await start({ shared: true })
    await one.pull('force-mcp', { duration: 60 })
    await clock.advanceAsync(1_000)
    expect(forced(two)).toBe('mcp')
    await two.pull('enable-maintenance')
    await clock.advanceAsync(1_000)
    expect(one.levers.effect().modes.maintenance).toBe(true)
    await clock.advanceAsync(60_000)
    expect([forced(one), forced(two)]).toEqual([null, null])
    expect((await auditOf(one)).filter((line) => line.startsWith('lever_ended'))).toEqual(['lever_ended force-mcp levers'])
    expect((await one.audit.verify()).findings).toEqual([])
  })

  it('both carry out a reset, once each; a restart does not repeat it', async () => {
    const one = await start({ shared: true })
    const two = await start({ shared: true })
    await one.pull('reset-breakers', { component: 'direct-bedrock' })
    await clock.advanceAsync(1_000)
    expect([one.asked, two.asked]).toEqual([['reset direct-bedrock-client'], ['reset direct-bedrock-client']])
    const again = await restart(two, { shared: true })
    await clock.advanceAsync(1_000)
    expect(again.asked).toEqual([])
    expect(again.levers.resets()).toMatchObject([{ component: 'direct-bedrock-client', by: 'ops' }])
  })

  it('lose no lever when both are pulled at the same moment, and write one chain', async () => {
    const all = await Promise.all([start({ shared: true }), start({ shared: true }), start({ shared: true })])
    await Promise.all(all.flatMap((instance, index) => [instance.pull('enable-maintenance', {}, `a${index}`), instance.pull('bedrock-percentage', { percentage: 10 * (index + 1) }, `b${index}`), instance.pull('force-mcp', {}, `c${index}`)]))
    await clock.advanceAsync(2_000)
    const states = all.map((instance) => instance.levers.overridesInForce())
    expect(states[0]).toHaveLength(3)
    expect(states[1]).toEqual(states[0])
    expect(states[2]).toEqual(states[0])
    expect(await all[0]?.audit.verify()).toMatchObject({ ok: true, records: 9 })
  })
})

describe('configuration', () => {
  it('the runbook’s timeouts and thresholds are in force without a restart, and roll back one by one', async () => {
    const file = configOf({})
    const one = await start({ config: file })
    await one.pull('config-update', { directBedrockTimeout: 15_000, mcpTimeout: 45_000 })
    await one.pull('routing-config', { directBedrockLatencyThreshold: 8_000, mcpLatencyThreshold: 25_000, fallbackAggressiveness: 0.7 })
    const laid = one.levers.layOver(file)
    expect([laid.direct.timeouts.firstByteMs, laid.mcp.servers['ops']?.timeout, laid.routing.latencyThresholds, laid.routing.fallbackAggressiveness]).toEqual([15_000, 45_000, { directMs: 8_000, mcpMs: 25_000 }, 0.7])
    expect(one.levers.layOver(file)).toBe(laid)
    const history = await one.levers.history(10)
    expect(history.records.map(({ what }) => what)).toEqual(['routing-config', 'config-update'])
    expect(await one.pull('config-rollback')).toMatchObject({ changed: [{ what: 'directBedrockLatencyThreshold', before: 8_000, after: null }, { what: 'mcpLatencyThreshold' }, { what: 'fallbackAggressiveness', before: 0.7, after: 0.5 }] })
    expect(one.levers.layOver(file).direct.timeouts.firstByteMs).toBe(15_000)
    await one.pull('config-rollback', { id: history.records[1]?.id ?? '' })
    expect(one.levers.layOver(file)).toEqual(file)
    await expect(one.pull('config-rollback', { id: 'aud_nothing' })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('aggressive fallback is full aggressiveness, and false is the configured one again', async () => {
    const one = await start()
    await one.pull('fallback', { aggressiveFallback: true })
    expect(one.levers.overrides().fallbackAggressiveness).toMatchObject({ value: 1 })
    await one.pull('fallback', { aggressiveFallback: false })
    expect(one.levers.overrides().fallbackAggressiveness).toBeNull()
  })

  it('what is proposed is set only when asked for, and not while the flag is off', async () => {
    const one = await start()
    expect(await one.pull('optimize', { targetEfficiency: 0.85, optimizationMode: 'balanced' })).toMatchObject({ status: 'dry_run', changed: [{ what: 'fallbackAggressiveness', before: 0.5, after: 0.75 }], result: { applied: false } })
    expect(one.levers.effect().members).toEqual({})
    expect(await one.pull('optimize', { apply: true })).toMatchObject({ status: 'applied', result: { applied: true } })
    expect(one.levers.effect().members).toEqual({ fallbackAggressiveness: 0.75 })
    await one.pull('disable-flag', { name: 'ENABLE_PERFORMANCE_OPTIMIZATION' })
    await expect(one.pull('optimize', { apply: true })).rejects.toMatchObject({ code: 'conflict' })
  })
})

describe('guards', () => {
  it('the direct client is isolated only with confirm, and the answer says what fails', async () => {
    const one = await start()
    await expect(one.pull('isolate-component', { component: 'direct-bedrock-client' })).rejects.toMatchObject({ code: 'invalid_request', errors: [{ path: 'confirm' }] })
    expect(await one.pull('isolate-component', { component: 'bedrock-client', confirm: true })).toMatchObject({ component: 'direct-bedrock-client', warnings: ['Without another route these fail: emergency.'] })
    expect(one.levers.overrides().isolated).toMatchObject([{ route: 'direct' }])
    await one.pull('restore-component', { component: 'direct-bedrock-client' })
    expect(one.levers.overrides().isolated).toEqual([])
  })

  it('breakers are switched for all, or for one component, and the last word counts', async () => {
    const one = await start()
    const off = () => one.levers.effect().modes.breakersOff
    await one.pull('disable-breakers', { component: 'bedrock-client' })
    expect(off()).toEqual({ direct: true, mcp: false })
    await one.pull('disable-breakers')
    expect(off()).toEqual({ direct: true, mcp: true })
    await one.pull('enable-breakers', { component: 'mcp-router' })
    expect(off()).toEqual({ direct: true, mcp: false })
    expect(await one.pull('enable-breakers')).toMatchObject({ status: 'applied', component: 'circuit-breaker' })
    expect(off()).toEqual({ direct: false, mcp: false })
    expect(one.levers.overridesInForce()).toEqual([])
    expect(await one.pull('enable-breakers', { component: 'mcp-router' })).toMatchObject({ status: 'unchanged' })
  })

  it('breakers of one component are on again when the duration is over, also where the others are off for longer', async () => {
    const one = await start()
    await one.pull('disable-breakers', { component: 'direct-bedrock-client', duration: 60 })
    expect(one.levers.overridesInForce()).toMatchObject([{ what: 'breakers:direct', value: 'off', component: 'direct-bedrock-client' }])
    await one.pull('disable-breakers', { component: 'mcp-router', duration: 600 })
    await clock.advanceAsync(61_000)
    expect(one.levers.effect().modes.breakersOff).toEqual({ direct: false, mcp: true })
    await clock.advanceAsync(600_000)
    expect(one.levers.effect().modes.breakersOff).toEqual({ direct: false, mcp: false })
  })

  it.each([
    ['isolate-component', { component: 'alert-manager' }, 'invalid_request'],
    ['disable-breakers', { component: 'log-aggregator' }, 'invalid_request'],
    ['reset-breakers', { component: 'log-aggregator' }, 'invalid_request'],
    ['suppress-alerts', { severity: ['low'] }, 'invalid_request'],
    ['resolve-alerts', {}, 'invalid_request'],
    ['config-update', { reason: 'nothing else' }, 'invalid_request'],
    ['config-rollback', {}, 'conflict'],
    ['enable-flag', { name: 'ENABLE_NOTHING' }, 'not_found'],
  ] as const)('%s with %j is refused: %s', async (lever, body, code) => {
    const one = await start()
    await expect(one.pull(lever, body)).rejects.toMatchObject({ code })
    expect(await auditOf(one)).toEqual([])
  })

  it('support mode is kept and reported, and says what is not there', async () => {
    const one = await start()
    expect(await one.pull('activate-support')).toMatchObject({ status: 'applied', warnings: [expect.stringContaining('no Support Manager')] })
    expect(one.levers.effect().supportMode).toBe(true)
    await one.pull('shutdown-support')
    expect(one.levers.effect().supportMode).toBe(false)
    await expect(one.pull('activate-support')).rejects.toMatchObject({ code: 'conflict' })
  })

  it('a percentage below a force says that it does not count yet', async () => {
    const one = await start()
    await one.pull('force-mcp')
    expect((await one.pull('bedrock-percentage', { percentage: 10 })).warnings[0]).toContain('outranks')
  })
})

describe('automatic actions', () => {
  it('prefer a route, are audited as automatic once however often they are said, and end by themselves', async () => {
    const one = await start()
    const until = (ms: number): number => clock.nowMs() + ms
    one.levers.preferRoute('mcp', 'direct-bedrock-unavailable', until(600_000))
    await clock.advanceAsync(300_000)
    one.levers.preferRoute('mcp', 'direct-bedrock-unavailable', until(600_000))
    await clock.advanceAsync(599_999)
    expect(one.levers.overrides().automatic).toMatchObject({ prefer: 'mcp' })
    await clock.advanceAsync(1)
    expect(one.levers.overrides().automatic).toBeNull()
    expect(await auditOf(one)).toEqual(['automatic prefer-route alert-manager', 'lever_ended prefer-route levers'])
    one.levers.preferRoute('direct', 'mcp-router-failure', until(600_000))
    one.levers.preferRoute(null, 'recovered', until(0))
    await clock.advanceAsync(1)
    expect(one.levers.overrides().automatic).toBeNull()
    expect((await auditOf(one)).slice(2)).toEqual(['automatic prefer-route alert-manager', 'automatic prefer-route alert-manager'])
  })

  it('are ignored while ENABLE_INTELLIGENT_ROUTING is off', async () => {
    const one = await start()
    one.levers.preferRoute('mcp', 'x', clock.nowMs() + 60_000)
    await one.pull('disable-flag', { name: 'ENABLE_INTELLIGENT_ROUTING' })
    expect(one.levers.overrides()).toMatchObject({ automatic: null, fallbackAggressiveness: { value: 0 } })
    await one.pull('enable-flag', { name: 'ENABLE_INTELLIGENT_ROUTING' })
    expect(one.levers.overrides()).toMatchObject({ automatic: { prefer: 'mcp' }, fallbackAggressiveness: null })
  })
})

describe('a step whose outcome was unknown', () => {
  it('is not taken a second time over what somebody did since', () => {
    const pull = (id: string, value: string): Parameters<typeof takeStep>[1] => ({ id, actions: [{ kind: 'set', slot: 'force', pulled: { id, lever: 'x', component: 'x', value, by: 'x', automatic: false, reason: null, sinceMs: 0, untilMs: null, durationMs: null } }] })
    const state = takeStep(takeStep(emptyState, pull('a', 'mcp')), pull('b', 'direct'))
    expect(takeStep(state, pull('a', 'mcp')).slots['force']).toMatchObject([{ value: 'direct' }])
  })
})

describe('levers on one slot, whatever is pulled in whatever order', () => {
  const pulls = fc.array(fc.record({ value: fc.constantFrom('mcp', 'direct', null), atMs: fc.integer({ min: 0, max: 100 }), durationMs: fc.option(fc.integer({ min: 1, max: 100 })) }), { maxLength: 4 })

  it('the one pulled last of those that are not over is in force, and one without an end ends what lies below', () => {
    fc.assert(
      fc.property(pulls, fc.integer({ min: 0, max: 250 }), (given, nowMs) => {
        const ordered = given.toSorted((one, other) => one.atMs - other.atMs)
        let state: LeverState = emptyState
        for (const [index, { value, atMs, durationMs }] of ordered.entries()) {
          const pulled: Pulled = { id: `p${index}`, lever: 'x', component: 'x', value, by: 'x', automatic: false, reason: null, sinceMs: atMs, untilMs: durationMs === null ? null : atMs + durationMs, durationMs }
          const step = { id: `s${index}`, actions: [{ kind: 'set', slot: 'force', pulled }] } as const
          state = takeStep(takeStep(state, step), step)
        }
        // The oracle goes backwards in time: the latest pull that still counts decides.
        const expected = ordered.toReversed().find(({ atMs, durationMs }) => durationMs === null || nowMs < atMs + durationMs)?.value ?? null
        const actual = (state.slots['force'] ?? []).find(({ untilMs }) => untilMs === null || nowMs < untilMs)?.value ?? null
        expect(actual).toBe(nowMs < (ordered.at(-1)?.atMs ?? 0) ? actual : expected)
      }),
    )
  })
})
