import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { createVirtualClock } from '../runtime/virtual-clock.ts'
import { createMemoryStateStore } from '../store/adapters/memory-state-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { StoreError } from '../store/store-error.ts'
import { createMemoryNotifier } from './adapters/memory-notifier.ts'
import type { Alert } from './alert.ts'
import type { Heartbeat, Sign } from './adapters/heartbeat.ts'
import type { AlertReadings } from './readings.ts'
import { runbookSettings } from './settings.ts'
import { calm, openLab, withLevel, type Lab } from './testing/alert-lab.ts'

const minute = 60_000
const tick = 5_000
const directDown = withLevel(calm, 'direct-bedrock-client', 'critical')
const mcpDown = withLevel(calm, 'mcp-router', 'critical')

/** A store whose every call fails while it is switched off. */
function switchable(store: StateStore): StateStore & { isOff: boolean } {
  const refuse = (): never => {
    throw new StoreError('unavailable', 'The store cannot be reached.')
  }
  const guarded: StateStore & { isOff: boolean } = {
    isOff: false,
    get: async (...call) => (guarded.isOff ? refuse() : store.get(...call)),
    put: async (...call) => (guarded.isOff ? refuse() : store.put(...call)),
    delete: async (...call) => (guarded.isOff ? refuse() : store.delete(...call)),
    list: async (...call) => (guarded.isOff ? refuse() : store.list(...call)),
    check: async () => (guarded.isOff ? refuse() : store.check()),
    close: () => store.close(),
  }
  return guarded
}

describe('several instances on one store', () => {
  const openTwo = async (): Promise<readonly [Lab, Lab]> => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    return [await openLab({ clock, store, instanceId: 'one' }), await openLab({ clock, store, instanceId: 'two' })]
  }

  it('send one page, and both show the alert', async () => {
    const [one, two] = await openTwo()
    one.set(directDown)
    two.set(directDown)
    await one.pass(10 * minute)
    expect([one.manager.health().role, two.manager.health().role]).toEqual(['evaluating', 'standing_by'])
    expect([...one.pager.received, ...two.pager.received].filter((notification) => notification.event === 'firing')).toHaveLength(1)
    expect(two.manager.list()).toEqual(one.manager.list())
    expect(two.commands).toEqual([])
  })

  it('an acknowledgement on the one that stands by holds everywhere and is told by the other', async () => {
    const [one, two] = await openTwo()
    one.set(directDown)
    two.set(directDown)
    await one.pass(4 * minute)
    const id = two.manager.list()[0]?.id ?? ''
    expect(await two.manager.acknowledge(id, 'berta')).toEqual({ changed: [id], notApplied: [] })
    await one.pass(tick)
    expect(one.manager.get(id)).toMatchObject({ status: 'acknowledged', acknowledgedBy: 'berta' })
    expect(one.pager.received.at(-1)).toMatchObject({ event: 'acknowledged', by: 'berta' })
    expect(two.pager.received).toEqual([])
  })

  it('two operators who act at the same instant on different instances both succeed', async () => {
    const [one, two] = await openTwo()
    for (const lab of [one, two]) lab.set({ ...mcpDown, budgetUsed: 0.9 })
    await one.pass(minute)
    const idOf = (rule: string): string => one.manager.list().find((alert) => alert.rule === rule)?.id ?? ''
    await Promise.all([one.manager.acknowledge(idOf('budget'), 'anna'), two.manager.acknowledge(idOf('mcp-router-failure'), 'berta'), two.manager.suppress({ rule: 'x', durationMs: minute, reason: null }, 'berta')])
    await one.pass(tick)
    for (const lab of [one, two]) expect(new Set(lab.manager.list().map((alert) => alert.acknowledgedBy))).toEqual(new Set(['anna', 'berta']))
    expect(one.manager.suppressions()).toHaveLength(1)
  })

  it('what is acknowledged on one that has lost the store holds everywhere when it is back', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const cut = switchable(store)
    const one = await openLab({ clock, store: cut, instanceId: 'one', readings: mcpDown })
    const two = await openLab({ clock, store, instanceId: 'two', readings: mcpDown })
    const id = one.manager.list()[0]?.id ?? ''
    cut.isOff = true
    await one.pass(minute)
    await one.manager.acknowledge(id, 'anna')
    expect(two.manager.get(id)).toMatchObject({ status: 'firing' })
    cut.isOff = false
    await one.pass(2 * tick)
    expect(two.manager.get(id)).toMatchObject({ status: 'acknowledged', acknowledgedBy: 'anna' })
  })

  it('when the one that evaluates goes, the other takes over at once, with what it has seen, and pages once for what was pending', async () => {
    const [one, two] = await openTwo()
    one.set(directDown)
    two.set(directDown)
    await one.pass(2 * minute)
    await one.manager.stop()
    await two.pass(minute + tick)
    expect(two.manager.health().role).toBe('evaluating')
    expect(two.active()).toEqual(['direct-bedrock-unavailable'])
    expect(two.pages()).toHaveLength(1)
    expect(one.pages()).toEqual([])
    expect(two.commands).toMatchObject([{ route: 'mcp' }])
  })

  it('one that was paused in the middle of a tick finds a later token in the book and raises nothing', async () => {
    // A clock of its own that stands still is a process that is stopped.
    const paused = createVirtualClock()
    const clock = createVirtualClock()
    const memory = createMemoryStateStore(clock)
    let gate: Promise<void> | null = null
    let open = (): void => {}
    const gated: StateStore = {
      ...memory,
      async get(collection, key) {
        if (key === 'book') await gate
        return memory.get(collection, key)
      },
    }
    const one = await openLab({ clock: paused, store: gated, instanceId: 'one' })
    const two = await openLab({ clock, store: memory, instanceId: 'two' })
    one.set({ ...calm, budgetUsed: 0.99 })
    gate = new Promise((resolve) => {
      open = resolve
    })
    const late = one.manager.tick()
    two.set(mcpDown)
    await two.pass(minute)
    expect([one.manager.health().role, two.manager.health().role]).toEqual(['evaluating', 'evaluating'])
    open()
    await late
    expect(one.manager.health().role).toBe('standing_by')
    await two.pass(minute)
    expect([one.pages(), one.events]).toEqual([[], []])
    expect(two.active()).toEqual(['mcp-router-failure'])
  })

  it('one that loses the store evaluates alone under the same keys, and leaves the book to the other when it is back', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const slow = switchable(store)
    // It has the lease, and then its store calls fail: it evaluates alone, while the other takes the lease over.
    const one = await openLab({ clock, store: slow, instanceId: 'one' })
    const two = await openLab({ clock, store, instanceId: 'two' })
    await one.pass(minute)
    slow.isOff = true
    one.set(directDown)
    two.set(directDown)
    await one.pass(5 * minute)
    expect([one.manager.health().role, two.manager.health().role]).toEqual(['alone', 'evaluating'])
    // Both told it, under one key: a pager opens one incident.
    expect(new Set([...one.pager.received, ...two.pager.received].map((notification) => notification.dedupKey)).size).toBe(1)
    slow.isOff = false
    await one.pass(2 * tick)
    expect([one.manager.health().role, two.manager.health().role]).toEqual(['standing_by', 'evaluating'])
    expect(one.manager.list().map((alert) => alert.id)).toEqual(two.manager.list().map((alert) => alert.id))
    expect(two.active()).toEqual(['direct-bedrock-unavailable'])
  })
})

describe('a restart', () => {
  it('keeps firing and acknowledged alerts, pages nobody again, and goes on with the chain', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const before = await openLab({ clock, store, readings: { ...directDown, budgetUsed: 0.9 } })
    await before.pass(4 * minute)
    const budget = before.manager.list().find((alert) => alert.rule === 'budget')?.id ?? ''
    await before.manager.acknowledge(budget, 'anna')
    await before.pass(tick)
    const shown = before.manager.list()
    await before.manager.stop()

    const after = await openLab({ clock, store, readings: { ...directDown, budgetUsed: 0.9 } })
    expect(after.manager.list()).toEqual(shown)
    await after.pass(3 * minute)
    expect(after.pages()).toEqual([])
    expect(after.commands).toMatchObject([{ route: 'mcp' }])
    await after.pass(3 * minute)
    expect(after.pager.received).toMatchObject([{ event: 'escalated', to: 'AI operations lead' }])
    after.set(calm)
    await after.pass(3 * minute)
    expect(after.active()).toEqual([])
    expect(after.manager.list({ statuses: ['resolved'] }).find((alert) => alert.id === budget)).toMatchObject({ acknowledgedBy: 'anna', status: 'resolved' })
  })

  it('a process that was killed is replaced when its lease has run out; what it had not delivered is delivered then', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const killed = await openLab({ clock, store, instanceId: 'one' })
    killed.pager.answerWith(() => ({ kind: 'failed', retryable: true, retryAfterMs: null, reason: 'HTTP 503' }))
    killed.set({ ...calm, budgetUsed: 0.9 })
    await killed.pass(tick)
    expect(killed.active()).toEqual(['budget'])
    // Killed: no stop, no release. Its timers are cut off by a store that it does not reach any more.
    const other = createVirtualClock(clock.nowMs())
    const copy = await copied(store, other)
    const next = await openLab({ clock: other, store: copy, instanceId: 'one', readings: { ...calm, budgetUsed: 0.9 } })
    expect(next.manager.health().role).toBe('standing_by')
    await next.pass(25_000)
    expect(next.manager.health().role).toBe('evaluating')
    expect(next.pages()).toEqual(['firing [P2] budget on direct-bedrock-client: budget used 90 %, the limit is 80 %.'])
    await next.pass(minute)
    expect(next.pages()).toHaveLength(1)
    expect(next.manager.health().waiting).toBe(0)
  })

  it('what was pending stays pending, so that a restart delays an alert by no more than itself', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStateStore(clock)
    const before = await openLab({ clock, store, readings: { ...calm, errorRate: 0.2 } })
    await before.pass(4 * minute)
    await before.manager.stop()
    const after = await openLab({ clock, store, readings: { ...calm, errorRate: 0.2 } })
    await after.pass(minute - tick)
    expect(after.active()).toEqual([])
    await after.pass(tick)
    expect(after.active()).toEqual(['high-error-rate'])
  })
})

async function copied(store: StateStore, clock: ReturnType<typeof createVirtualClock>): Promise<StateStore> {
  const copy = createMemoryStateStore(clock)
  for (const record of await store.list('alerts', { limit: 10 })) await copy.put('alerts', record.key, record.value)
  return copy
}

describe('without the store', () => {
  it('alerts are raised, told, escalated and resolved all the same, and written when it is back', async () => {
    const clock = createVirtualClock()
    const memory = createMemoryStateStore(clock)
    const store = switchable(memory)
    const lab = await openLab({ clock, store })
    store.isOff = true
    lab.set(directDown)
    await lab.pass(9 * minute)
    expect(lab.manager.health()).toMatchObject({ role: 'alone', storeProblem: 'The store cannot be reached.' })
    expect(lab.pages().map((page) => page.split(' ')[0])).toEqual(['firing', 'escalated'])
    const id = lab.manager.list()[0]?.id ?? ''
    await lab.manager.acknowledge(id, 'anna')
    store.isOff = false
    await lab.pass(2 * tick)
    expect(lab.manager.health()).toMatchObject({ role: 'evaluating', storeProblem: null })
    const next = await openLab({ clock, store: memory, instanceId: 'two' })
    expect(next.manager.get(id)).toMatchObject({ status: 'acknowledged', acknowledgedBy: 'anna' })
    expect(next.pages()).toEqual([])
  })

  it('a store that is down at the start delays the first evaluation by the length of a lease only', async () => {
    const clock = createVirtualClock()
    const store = switchable(createMemoryStateStore(clock))
    store.isOff = true
    const lab = await openLab({ clock, store, readings: mcpDown })
    expect(lab.manager.health().role).toBe('starting')
    await lab.pass(20_000)
    expect(lab.manager.health().role).toBe('alone')
    expect(lab.active()).toEqual(['mcp-router-failure'])
  })

  it('a store that hangs does not stop the ticks', async () => {
    const clock = createVirtualClock()
    const memory = createMemoryStateStore(clock)
    let isHanging = false
    const never = <Value>(): Promise<Value> => new Promise(() => {})
    const store: StateStore = { ...memory, get: (...call) => (isHanging ? never() : memory.get(...call)), put: (...call) => (isHanging ? never() : memory.put(...call)) }
    const lab = await openLab({ clock, store })
    isHanging = true
    lab.set(mcpDown)
    await lab.pass(minute)
    expect(lab.pages()).toHaveLength(1)
    isHanging = false
  })
})

describe('the runbook’s automatic actions', () => {
  it('MCP is preferred once the direct client is critical for 3 min, renewed while it lasts, and given back', async () => {
    const lab = await openLab({ readings: directDown })
    await lab.pass(3 * minute - 1)
    expect(lab.commands).toEqual([])
    await lab.pass(1)
    expect(lab.commands).toMatchObject([{ route: 'mcp', reason: 'direct-bedrock-unavailable on direct-bedrock-client', untilMs: lab.clock.nowMs() + 10 * minute }])
    await lab.pass(6 * minute)
    expect(lab.commands.map((command) => command.route)).toEqual(['mcp', 'mcp'])
    lab.set(calm)
    await lab.pass(2 * minute)
    expect(lab.commands.at(-1)).toMatchObject({ route: null, reason: 'no longer: direct-bedrock-unavailable on direct-bedrock-client' })
    const said = lab.commands.length
    await lab.pass(20 * minute)
    expect(lab.commands).toHaveLength(said)
  })

  it('standard operations go direct while the MCP router is critical', async () => {
    const lab = await openLab()
    lab.set(mcpDown)
    await lab.pass(tick)
    expect(lab.commands).toMatchObject([{ route: 'direct' }])
  })

  it('is lifted as soon as the component is no longer critical, so that traffic can show that it is well, and a relapse is the same alert', async () => {
    const lab = await openLab()
    lab.set(withLevel(calm, 'mcp-router', 'critical'))
    await lab.pass(10_000)
    lab.set(withLevel(calm, 'mcp-router', 'degraded'))
    await lab.pass(30_000)
    lab.set(withLevel(calm, 'mcp-router', 'critical'))
    await lab.pass(10_000)
    expect(lab.commands.map(({ route }) => route)).toEqual(['direct', null, 'direct'])
    expect(lab.pages().filter((page) => page.startsWith('firing'))).toHaveLength(1)
  })

  it('with both paths down neither is preferred', async () => {
    const lab = await openLab({ readings: withLevel(directDown, 'mcp-router', 'critical') })
    await lab.pass(4 * minute)
    expect(lab.commands.map((command) => command.route)).toEqual(['direct', null])
  })

  it('a suppression silences people, not the action; a lever that fails is pulled again', async () => {
    let failures = 2
    const lab = await openLab({
      preferRoute: () => {
        if (failures-- > 0) throw new Error('the store is away')
      },
    })
    await lab.manager.suppress({ durationMs: minute * 60, reason: null }, 'anna')
    lab.set(mcpDown)
    await lab.pass(4 * tick)
    expect(lab.pages()).toEqual([])
    expect(lab.commands).toMatchObject([{ route: 'direct' }])
  })
})

it('a lever that hangs does not stop the ticks', async () => {
  const lab = await openLab({ preferRoute: () => new Promise<void>(() => {}) })
  lab.set(mcpDown)
  await lab.pass(minute)
  lab.set({ ...mcpDown, budgetUsed: 0.9 })
  await lab.pass(minute)
  expect(lab.active()).toEqual(['budget', 'mcp-router-failure'])
})

describe('what operators do', () => {
  it('resolving in bulk takes what fits, says what it did not apply to, and holds for some minutes', async () => {
    const lab = await openLab({ readings: { ...mcpDown, budgetUsed: 0.9 } })
    const [budget, mcp] = ['budget', 'mcp-router-failure'].map((rule) => lab.manager.list().find((alert) => alert.rule === rule)?.id ?? '')
    expect(await lab.manager.bulkResolve({ component: 'mcp-router' }, 'anna')).toEqual({ changed: [mcp], notApplied: [{ what: budget, why: 'budget on direct-bedrock-client (medium) is not of those' }] })
    expect(lab.events.filter((event) => event.type === 'alert_resolved')).toMatchObject([{ by: 'anna', reason: 'operator', alert: { rule: 'mcp-router-failure' } }])
    await lab.pass(5 * minute - tick)
    expect(lab.active()).toEqual(['budget'])
    await lab.pass(2 * tick)
    expect(lab.active()).toEqual(['budget', 'mcp-router-failure'])
  })

  it('acknowledging twice, or what is over or unknown, changes nothing and says why', async () => {
    const lab = await openLab({ readings: mcpDown })
    const id = lab.manager.list()[0]?.id ?? ''
    await lab.manager.acknowledge(id, 'anna')
    expect(await lab.manager.acknowledge(id, 'berta')).toEqual({ changed: [], notApplied: [{ what: id, why: 'it is acknowledged already, by anna' }] })
    await lab.manager.resolve(id, 'anna')
    expect(await lab.manager.acknowledge(id, 'berta')).toEqual({ changed: [], notApplied: [{ what: id, why: 'it is resolved already' }] })
    expect(await lab.manager.resolve('alrt_x', 'berta')).toEqual({ changed: [], notApplied: [{ what: 'alrt_x', why: 'there is no such alert' }] })
  })

  it('a suppression names what it silences and what goes on, and is bounded', async () => {
    const lab = await openLab({ readings: { ...mcpDown, budgetUsed: 0.9 } })
    const outcome = await lab.manager.suppress({ severity: ['low', 'medium'], durationMs: 1_800_000, reason: 'known' }, 'anna')
    expect(outcome.changed).toEqual([lab.manager.list().find((alert) => alert.rule === 'budget')?.id])
    expect(outcome.notApplied).toMatchObject([{ why: 'mcp-router-failure on mcp-router (high) is not of those' }])
    expect(lab.manager.suppressions()).toMatchObject([{ by: 'anna', reason: 'known' }])
    expect(lab.events.filter((event) => event.type === 'alerts_suppressed')).toMatchObject([{ by: 'anna', scope: 'low, medium' }])
    expect((await lab.manager.suppress({ durationMs: 0, reason: null }, 'anna')).notApplied).toEqual([{ what: 'duration', why: '0 s is not in (0, 604800]' }])
    for (let more = 0; more < 120; more += 1) await lab.manager.suppress({ rule: 'x', durationMs: minute, reason: null }, 'anna')
    expect(lab.manager.suppressions()).toHaveLength(100)
    await lab.manager.endSuppressions('anna')
    expect(lab.manager.suppressions()).toEqual([])
  })

  it('the counts by severity are those of the active alerts', async () => {
    const lab = await openLab({ readings: { ...mcpDown, budgetUsed: 0.96, configurationRejected: true } })
    expect(lab.manager.activeBySeverity()).toEqual({ critical: 1, high: 1, medium: 0, low: 1 })
  })
})

describe('rules that change while it runs', () => {
  it('a rule that is switched off ends its alert; another bound counts from the next tick', async () => {
    const lab = await openLab({ readings: { ...calm, budgetUsed: 0.5, errorRate: 0.02 } })
    const rules = runbookSettings.rules.map((rule) => (rule.name === 'budget' ? { ...rule, condition: { reading: 'budget_used' as const, above: 0.4 } } : rule))
    lab.manager.update({ ...runbookSettings, rules })
    await lab.pass(tick)
    expect(lab.active()).toEqual(['budget'])
    lab.manager.update({ ...runbookSettings, rules: rules.filter((rule) => rule.name !== 'budget') })
    await lab.pass(tick)
    expect(lab.active()).toEqual([])
    expect(lab.manager.list({ statuses: ['resolved'] })[0]).toMatchObject({ resolvedReason: 'rule_removed' })
  })
})

test('the heartbeat beats while the instance evaluates, and one that fails is an alert', async () => {
  const signs: Sign[] = []
  let isRefused = false
  const heartbeat: Heartbeat = {
    everyMs: minute,
    send: (sign) => {
      signs.push(sign)
      return Promise.resolve(isRefused ? { kind: 'failed', retryable: false, retryAfterMs: null, reason: 'HTTP 404' } : { kind: 'delivered' })
    },
    close: () => Promise.resolve(),
  }
  const lab = await openLab({ heartbeat })
  await lab.pass(10 * minute)
  expect(signs).toHaveLength(11)
  isRefused = true
  await lab.pass(4 * minute)
  expect(lab.pages()).toEqual(['firing [P1] notifier-failing on alert-manager: receivers that cannot be notified: heartbeat.'])
})

test('a receiver that forgets is told the active alerts again, but not the suppressed ones', async () => {
  const forgetful = createMemoryNotifier('alertmanager-1', 'P3', minute)
  const lab = await openLab({ notifiers: [forgetful], readings: { ...mcpDown, budgetUsed: 0.9 } })
  await lab.pass(5 * minute)
  expect(forgetful.repeated.length).toBeGreaterThanOrEqual(5)
  await lab.manager.suppress({ rule: 'budget', durationMs: minute * 10, reason: null }, 'anna')
  await lab.pass(2 * minute)
  expect(forgetful.repeated.at(-1)?.map((alert) => alert.rule)).toEqual(['mcp-router-failure'])
})

describe('the life cycle, whatever happens', () => {
  type Step = { readonly kind: 'pass'; readonly ticks: number } | { readonly kind: 'read'; readonly mcp: 'healthy' | 'critical' | 'unknown'; readonly budget: number | null } | { readonly kind: 'acknowledge' | 'resolve' | 'suppress' | 'store' | 'restart' }
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), ticks: fc.integer({ min: 1, max: 40 }) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), mcp: fc.constantFrom('healthy' as const, 'critical' as const, 'unknown' as const), budget: fc.constantFrom(0.1, 0.9, 0.99, null) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('acknowledge' as const, 'resolve' as const, 'suppress' as const, 'store' as const, 'restart' as const) }) },
  )
  const allowed: Readonly<Record<string, readonly Alert['status'][]>> = { new: ['firing'], firing: ['firing', 'acknowledged', 'resolved'], acknowledged: ['acknowledged', 'resolved'], resolved: ['resolved'] }

  it('no alert comes back, none doubles, and what was told of an incident begins with its firing and ends with its end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        const clock = createVirtualClock()
        const memory = createMemoryStateStore(clock)
        const store = switchable(memory)
        let readings: AlertReadings = calm
        let lab = await openLab({ clock, store })
        lab.set(() => readings)
        const told = new Map<string, string[]>()
        const seen = new Map<string, Alert['status']>()
        const check = (): void => {
          const active = lab.manager.list()
          expect(new Set(active.map((alert) => `${alert.rule}/${alert.component}`)).size).toBe(active.length)
          for (const alert of lab.manager.list({ statuses: ['firing', 'acknowledged', 'resolved'] })) {
            expect(allowed[seen.get(alert.id) ?? 'new']?.includes(alert.status) === true || (!seen.has(alert.id) && alert.status !== 'firing')).toBe(true)
            seen.set(alert.id, alert.status)
            expect(alert.acknowledgedAt === null).toBe(alert.acknowledgedBy === null)
            expect(alert.resolvedAt === null).toBe(alert.status !== 'resolved')
          }
        }
        const collect = (): void => {
          for (const notification of lab.pager.received) told.set(notification.dedupKey, [...(told.get(notification.dedupKey) ?? []), notification.event])
        }
        for (const each of steps) {
          const id = lab.manager.list()[0]?.id ?? 'none'
          if (each.kind === 'pass') await lab.pass(each.ticks * tick)
          else if (each.kind === 'read') readings = { ...withLevel(calm, 'mcp-router', each.mcp), budgetUsed: each.budget }
          else if (each.kind === 'acknowledge') await lab.manager.acknowledge(id, 'anna')
          else if (each.kind === 'resolve') await lab.manager.resolve(id, 'anna')
          else if (each.kind === 'suppress') await lab.manager.suppress({ severity: ['medium'], durationMs: 120_000, reason: null }, 'anna')
          else if (each.kind === 'store') store.isOff = !store.isOff
          else {
            store.isOff = false
            await lab.pass(2 * tick)
            await lab.manager.stop()
            collect()
            lab = await openLab({ clock, store })
            lab.set(() => readings)
          }
          check()
        }
        store.isOff = false
        readings = calm
        await lab.pass(20 * minute)
        check()
        expect(lab.manager.list()).toEqual([])
        expect(lab.manager.health().waiting).toBe(0)
        await lab.manager.stop()
        collect()
        for (const events of told.values()) {
          expect(events[0]).toBe('firing')
          expect(events.at(-1)).toBe('resolved')
        }
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})
