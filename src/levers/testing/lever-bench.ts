/**
 * Levers with everything around them for tests: a virtual clock, a memory store that can be away, the real audit trail, and
 * ports that write down what they were asked.
 */
import { createAuditTrail, type AuditTrail } from '../../audit/audit-trail.ts'
import { createSeal } from '../../audit/adapters/seal.ts'
import { validConfig } from '../../config/resolve-config.ts'
import type { Config } from '../../config/schema.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import { createEventStream, type EventStream } from '../../runtime/event-stream.ts'
import { createCountingIds, type Ids } from '../../runtime/ids.ts'
import type { VirtualClock } from '../../runtime/virtual-clock.ts'
import { createMemoryStateStore } from '../../store/adapters/memory-state-store.ts'
import type { StateStore } from '../../store/state-store.ts'
import { StoreError } from '../../store/store-error.ts'
import type { Effect } from '../in-force.ts'
import type { LeverAnswer } from '../lever-answer.ts'
import type { LeverPorts } from '../lever-ports.ts'
import { createLevers, type Levers } from '../levers.ts'
import type { LeverName } from '../lever-table.ts'
import type { LeverBody } from '../plan-lever.ts'

export interface SwitchableStore extends StateStore {
  away: boolean
}

/** The same store, which can be away: every call then fails as an engine that is out of reach. */
export function createSwitchableStore(clock: VirtualClock): SwitchableStore {
  const store = createMemoryStateStore(clock)
  const guarded = <Arguments extends unknown[], Value>(call: (...given: Arguments) => Promise<Value>) => (...given: Arguments): Promise<Value> =>
    switchable.away ? Promise.reject(new StoreError('unavailable', 'the store is away')) : call(...given)
  const switchable: SwitchableStore = {
    away: false,
    get: guarded((...given) => store.get(...given)),
    put: guarded((...given) => store.put(...given)),
    delete: guarded((...given) => store.delete(...given)),
    list: guarded((...given) => store.list(...given)),
    check: guarded(() => store.check()),
    close: () => store.close(),
  }
  return switchable
}

export interface Instance {
  readonly levers: Levers
  readonly audit: AuditTrail
  readonly events: EventStream<SystemEvent>
  readonly seen: SystemEvent[]
  readonly asked: string[]
  readonly effects: Effect[]
  pull(lever: LeverName, body?: LeverBody, by?: string): Promise<LeverAnswer>
  stop(): Promise<void>
}

export const benchConfig: Config = configOf({})

export function configOf(raw: object): Config {
  return validConfig({
    direct: { targets: [{ id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0' }] },
    mcp: { servers: { ops: { url: 'http://127.0.0.1:9/mcp' } }, routes: { default: { servers: ['ops'], tool: 'execute_operation', carries: 'converse', repeatable: true } } },
    ...raw,
  })
}

export function recordingPorts(asked: string[], effects: Effect[]): LeverPorts {
  return {
    resetBreakers: (component) => {
      asked.push(`reset ${component ?? 'all'}`)
      return 'closed'
    },
    onEffect: (effect) => effects.push(effect),
    testBedrock: () => Promise.resolve([{ target: 'frankfurt', ok: true }]),
    bedrockTargets: () => ['frankfurt'],
    propose: () => ({ members: { fallbackAggressiveness: 0.75 }, basis: { samples: 100 } }),
    alerts: {
      list: () => [{ id: 'alrt_1' }],
      suppress: (request, who) => {
        asked.push(`suppress ${JSON.stringify(request)} by ${who}`)
        return Promise.resolve({ changed: ['alrt_1'], notApplied: [] })
      },
      bulkResolve: (scope, who) => {
        asked.push(`resolve ${JSON.stringify(scope)} by ${who}`)
        return Promise.resolve({ changed: ['alrt_1'], notApplied: [{ what: 'alrt_2', why: 'another component' }] })
      },
      test: (severity, who) => {
        asked.push(`test ${severity} by ${who}`)
        return Promise.resolve([{ notifier: 'log', delivered: true, reason: null }])
      },
    },
  }
}

export interface BenchOptions {
  readonly store: StateStore
  readonly clock: VirtualClock
  readonly ids?: Ids
  readonly shared?: boolean
  readonly config?: Config
}

/** One instance of the service, as far as levers are concerned. */
export async function startInstance(options: BenchOptions): Promise<Instance> {
  const { store, clock } = options
  const ids = options.ids ?? createCountingIds()
  const problems: unknown[] = []
  const events = createEventStream<SystemEvent>((error) => problems.push(error))
  const seen: SystemEvent[] = []
  events.subscribe((event) => seen.push(event))
  const onInternalError = (error: unknown): void => {
    throw error
  }
  const audit = createAuditTrail({ state: store, clock, ids, events, seal: createSeal('the key of the bench, long enough'), retentionMs: () => 400 * 86_400_000, onInternalError })
  const asked: string[] = []
  const effects: Effect[] = []
  const levers = createLevers({
    state: store,
    shared: options.shared ?? false,
    clock,
    ids,
    events,
    audit,
    config: () => options.config ?? benchConfig,
    ports: recordingPorts(asked, effects),
    onInternalError,
  })
  await levers.start()
  return {
    levers,
    audit,
    events,
    seen,
    asked,
    effects,
    pull: (lever, body = {}, by = 'ops') => levers.pull({ lever, body, by, correlationId: 'cor_1' }),
    async stop() {
      await levers.close()
      await audit.close()
    },
  }
}
