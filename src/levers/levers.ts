/**
 * The shell of the levers: takes a lever, changes what is in force on this instance at once, stores it for the others and
 * for a restart, audits it once, and undoes it when its time is over.
 *
 * What is in force here is the last stored state plus the steps that are not stored yet. Steps are stored by compare-and-set,
 * taken again on what another instance wrote meanwhile. With the store away, the last known state holds and ends on time,
 * and a lever still works here: at 3 a.m. that is when it is needed most. It answers `stored: false`, the log has it at once,
 * and its audit record is written late (`docs/decisions/085-levers-and-audit.md`).
 *
 * Source: public contract, part 7; runbook, "the operator's levers".
 */
import type { AuditRecord } from '../audit/audit-record.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { Config } from '../config/schema.ts'
import { canonicalComponent } from '../health/component-names.ts'
import type { JsonObject, JsonValue } from '../operation/converse.ts'
import type { Route } from '../operation/matrix.ts'
import { OperationError } from '../operation/problem.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { Overrides } from '../routing/conditions.ts'
import type { Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Ids } from '../runtime/ids.ts'
import { isoTime } from '../runtime/iso-time.ts'
import type { StateStore } from '../store/state-store.ts'
import { StoreError } from '../store/store-error.ts'
import { createAskedLevers } from './adapters/asked-levers.ts'
import { createLeverTrail } from './adapters/lever-trail.ts'
import { createStoredLevers } from './adapters/stored-levers.ts'
import type { LeverAnswer, LeverRequest, Override, ShownReset } from './lever-answer.ts'
import type { LeverPorts } from './lever-ports.ts'
import { layMembers } from './config-members.ts'
import { defaultOf, effectOf, endedIds, leversInForce, monotonicEnd, nextEndMs, slots, type Effect, type InForce } from './in-force.ts'
import { emptyState, type LeverState, type StepAction } from './lever-state.ts'
import { leverTable } from './lever-table.ts'
import { leverLimits } from './limits.ts'
import { configured, planLever, type LeverPlan, type PlanContext } from './plan-lever.ts'

export interface LeversParts {
  readonly state: StateStore
  /** Whether other instances use the store too. */
  readonly shared: boolean
  readonly clock: Clock
  readonly ids: Ids
  readonly events: EventStream<SystemEvent>
  readonly audit: AuditTrail
  /** The configuration without what levers have set. */
  readonly config: () => Config
  readonly ports: LeverPorts
  readonly onInternalError: (error: unknown) => void
}

export interface Levers {
  /** Takes over what was stored. */
  start(): Promise<void>
  pull(request: LeverRequest): Promise<LeverAnswer>
  /** The Alert Manager's: `null` ends the preference. Saying the same again only prolongs it. */
  preferRoute(route: Route | null, reason: string, untilMs: number): void
  /** The router's input; the same object as long as nothing changed. */
  overrides(): Overrides
  effect(): Effect
  /** The configuration in force. */
  layOver(config: Config): Config
  /** What is in force, for health and `GET /admin/status`. */
  overridesInForce(): readonly Override[]
  /** The last resets of breakers, the newest last. */
  resets(): readonly ShownReset[]
  /** Changes of the configuration, the newest first. */
  history(limit: number, before?: number): Promise<{ readonly records: readonly AuditRecord[]; readonly before: number | undefined }>
  /** Whether what is in force here is stored. */
  stored(): boolean
  close(): Promise<void>
}

export function createLevers(parts: LeversParts): Levers {
  const { clock, ids, events, audit, ports } = parts
  const trail = createLeverTrail({ clock, events, audit })
  const ends = new Map<string, number>()
  const seenResets = new Set<string>()
  let started = false
  let local: LeverState = emptyState
  let inForce: readonly InForce[] = []
  let effect: Effect = effectOf([])
  let effectText = JSON.stringify(effect)
  let laid: { readonly from: Config; readonly effect: Effect; readonly config: Config } | null = null
  let cancelEnd = (): void => undefined
  let closed = false

  /** Everything that follows from another state or another instant. */
  const refresh = (state: LeverState): void => {
    local = state
    const wallMs = clock.nowMs()
    const nowMs = clock.monotonicMs()
    const known = new Set<string>()
    for (const stack of Object.values(state.slots)) {
      for (const pulled of stack) {
        known.add(pulled.id)
        if (!ends.has(pulled.id)) ends.set(pulled.id, monotonicEnd(pulled, wallMs, nowMs))
      }
    }
    for (const id of ends.keys()) if (!known.has(id)) ends.delete(id)
    inForce = leversInForce(state, ends, nowMs)
    const next = effectOf(inForce)
    const text = JSON.stringify(next)
    if (text !== effectText) {
      effect = next
      effectText = text
      tell()
    }
    for (const reset of state.resets) {
      if (seenResets.has(reset.id)) continue
      seenResets.add(reset.id)
      if (started) ports.resetBreakers(reset.component === null ? null : canonicalComponent(reset.component))
    }
    if (seenResets.size > leverLimits.resets * 4) for (const id of seenResets) if (!state.resets.some((reset) => reset.id === id)) seenResets.delete(id)
    armEnd(nowMs)
  }

  const tell = (): void => {
    try {
      ports.onEffect(effect)
    } catch (error) {
      parts.onInternalError(error)
    }
  }

  const armEnd = (nowMs: number): void => {
    cancelEnd()
    if (closed) return
    const next = nextEndMs(local, ends)
    if (next === Number.POSITIVE_INFINITY) return
    cancelEnd = clock.schedule(Math.max(next, nowMs), endWhatIsOver)
  }

  const endWhatIsOver = (): void => {
    const over = endedIds(local, ends, clock.monotonicMs())
    if (over.length > 0) void storage.take({ id: ids.next('aud'), actions: [{ kind: 'end', ids: over }] })
    else refresh(local)
  }

  const storage = createStoredLevers({
    state: parts.state,
    shared: parts.shared,
    clock,
    onState: refresh,
    onEnded: (ended) => {
      for (const pulled of ended) {
        const { id } = audit.append({ kind: 'lever_ended', who: 'levers', what: pulled.lever, component: pulled.component, reason: 'its duration is over', before: { pulled: pulled.id, value: pulled.value }, after: null })
        events.publish({ type: 'lever_ended', atMs: clock.nowMs(), lever: pulled.lever, component: pulled.component, auditId: id })
      }
    },
    onInternalError: parts.onInternalError,
  })

  const layOver = (config: Config): Config => {
    if (laid !== null && laid.from === config && laid.effect === effect) return laid.config
    laid = { from: config, effect, config: layMembers(config, effect.members, effect.flags) }
    return laid.config
  }

  const valueOf = (slot: string): JsonValue => inForce.find((lever) => lever.slot === slot)?.pulled.value ?? defaultOf(slot)

  const contextOf = (rollbackTo: PlanContext['rollbackTo']): PlanContext => {
    const fileConfig = parts.config()
    return { config: layOver(fileConfig), fileConfig, effect, valueOf, rollbackTo, nowMs: clock.nowMs() }
  }

  const history: Levers['history'] = async (limit, before) => {
    try {
      return await audit.list({ kind: 'configuration' }, limit, before)
    } catch (error) {
      throw asStoreProblem(error)
    }
  }

  /** What the configuration's members were before a change that a lever made. */
  const membersBefore = async (id: string | undefined): Promise<PlanContext['rollbackTo']> => {
    let before: number | undefined
    do {
      const page = await history(100, before)
      const found = page.records.find((record) => membersOf(record) !== undefined && (id === undefined || record.id === id))
      if (found !== undefined) return membersOf(found)
      before = page.before
    } while (before !== undefined)
    return undefined
  }

  const pull = async (request: LeverRequest): Promise<LeverAnswer> => {
    const { lever, body } = request
    const definition = leverTable[lever]
    if (body.dryRun !== true && (!storage.hasRoom() || !audit.hasRoom())) {
      throw new OperationError('overloaded', 'The store has been away for so long that no further lever can be remembered; the log says why.', { retryAfterMs: 5_000 })
    }
    const plan = lever === 'config-rollback' ? planLever(lever, body, contextOf(await membersBefore(body['id'] as string | undefined))) : planLever(lever, body, contextOf(undefined))
    return definition.kind === 'act' ? askedLevers.carryOut(request, plan) : carryOut(request, plan)
  }

  /** Changes what is in force; `result` is what a lever that proposes has found. */
  const carryOut = async (request: LeverRequest, plan: LeverPlan, result?: JsonValue): Promise<LeverAnswer> => {
    if (plan.kind === 'refused') throw new OperationError(plan.code, plan.detail, plan.errors === undefined ? {} : { errors: plan.errors })
    const { lever, body, by } = request
    const nowMs = clock.nowMs()
    const durationMs = body.duration === undefined || plan.endless ? null : Math.round(body.duration * 1_000)
    const untilMs = durationMs === null ? null : nowMs + durationMs
    const reason = body.reason ?? null
    const isDry = body.dryRun === true
    const warnings = [...plan.warnings, ...(body.duration !== undefined && plan.endless ? ['The duration has nothing to end here.'] : [])]
    const isChange = plan.changes.length > 0 || plan.sets.some(({ value }) => value !== null) || plan.reset !== undefined || plan.actions.some((action) => action.kind === 'clear' && action.slots.some((slot) => slot in local.slots))
    const answer = {
      lever,
      component: plan.component,
      changed: plan.changes,
      until: untilMs === null ? null : isoTime(untilMs),
      by,
      reason,
      notApplied: plan.notApplied,
      warnings,
      undo: leverTable[lever].undone,
      ...(result === undefined ? {} : { result }),
    } as const
    if (isDry) return { ...answer, status: 'dry_run', auditId: null, audit: 'none', stored: storage.isStored() }

    const id = ids.next('aud')
    const sets = plan.sets.map(({ slot, value }): StepAction => ({
      kind: 'set',
      slot,
      pulled: { id, lever, component: plan.component, value, by, automatic: false, reason, sinceMs: nowMs, untilMs, durationMs },
    }))
    const resets: readonly StepAction[] = plan.reset === undefined ? [] : [{ kind: 'reset', reset: { id, component: plan.reset, by, reason, atMs: nowMs } }]
    const actions = [...plan.actions, ...sets, ...resets]
    const before = effect.members
    const stored = actions.length === 0 ? Promise.resolve() : storage.take({ id, actions })
    const written = trail.record({ id, request, plan, untilMs, membersBefore: before })
    const done = await trail.settledInTime(Promise.all([stored, written.written]))
    return { ...answer, status: isChange ? 'applied' : 'unchanged', auditId: id, audit: done ? 'written' : 'waiting', stored: done || storage.isStored() }
  }

  const askedLevers = createAskedLevers({
    clock,
    ids,
    ports,
    trail,
    flags: () => effect.flags,
    planMembers: (members) => configured(members, contextOf(undefined)),
    isStored: () => storage.isStored(),
    setMembers: carryOut,
  })

  const preferRoute: Levers['preferRoute'] = (route, reason, untilMs) => {
    const nowMs = clock.nowMs()
    const current = inForce.find((lever) => lever.slot === slots.automatic)
    if (route === null && current === undefined) return
    const id = ids.next('aud')
    const before = current?.pulled.value ?? null
    const pulled = { id, lever: 'prefer-route', component: 'hybrid-router', value: route, by: 'alert-manager', automatic: true, reason, sinceMs: nowMs, untilMs, durationMs: untilMs - nowMs }
    // One preference at a time: the old one goes, so that nothing comes back when the new one ends.
    const actions: StepAction[] = [{ kind: 'clear', slots: [slots.automatic], atMs: nowMs }]
    if (route !== null) actions.push({ kind: 'set', slot: slots.automatic, pulled })
    void storage.take({ id, actions })
    if (before === route) return
    const changed = [{ what: slots.automatic, before, after: route }]
    events.publish({ type: 'lever_pulled', atMs: nowMs, lever: 'prefer-route', component: 'hybrid-router', who: 'alert-manager', automatic: true, reason, untilMs: route === null ? null : untilMs, auditId: id, correlationId: null, changed })
    audit.append({ id, kind: 'automatic', who: 'alert-manager', what: 'prefer-route', component: 'hybrid-router', reason, before, after: route, ...(route === null ? {} : { untilMs }) })
  }

  return {
    async start() {
      await storage.start()
      started = true
    },
    pull,
    preferRoute,
    overrides: () => effect.overrides,
    effect: () => effect,
    layOver,
    overridesInForce: () =>
      inForce.map(({ slot, pulled }): Override => ({
        what: slot,
        value: pulled.value ?? defaultOf(slot),
        lever: pulled.lever,
        component: pulled.component,
        by: pulled.by,
        automatic: pulled.automatic,
        reason: pulled.reason,
        since: isoTime(pulled.sinceMs),
        until: pulled.untilMs === null ? null : isoTime(pulled.untilMs),
        auditId: pulled.id,
      })),
    resets: () => local.resets.map(({ id, component, by, reason, atMs }) => ({ component: component ?? 'all', by, reason, at: isoTime(atMs), auditId: id })),
    history,
    stored: () => storage.isStored(),
    async close() {
      closed = true
      cancelEnd()
      await storage.close()
    },
  }
}

/** The members before the change, where the record is a change of the configuration by a lever. */
function membersOf(record: AuditRecord): Readonly<Record<string, JsonValue>> | undefined {
  const { before } = record
  if (typeof before !== 'object' || before === null || Array.isArray(before)) return undefined
  const members = (before as JsonObject)['members']
  return typeof members === 'object' && members !== null && !Array.isArray(members) ? (members as JsonObject) : undefined
}

export function asStoreProblem(error: unknown): unknown {
  return error instanceof StoreError ? new OperationError('overloaded', 'The store cannot be reached; what it holds can be read when it is back.', { retryAfterMs: 1_000, cause: error }) : error
}
