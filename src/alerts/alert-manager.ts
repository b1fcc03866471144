/**
 * The Alert Manager: at every tick it reads the figures, lets the pure parts of this folder decide, writes what follows, and
 * only then tells it: events to the stream, the preferred route to the levers, notifications to the receivers.
 *
 * Of several instances on one store one evaluates: the holder of the lease (`adapters/book-store.ts`). All of them watch the
 * conditions, so that whoever takes over knows how long they have been there. Operators' actions work on any of them.
 * Without the store every instance that has lost it evaluates by itself: receivers recognise the same `dedupKey`.
 *
 * A tick never overlaps another or an operator's action, and no failure of a source, a store, a receiver or a reader of the
 * events ends the ticking.
 */
import { alertRank, priorityOf, type AlertPriority, type AlertSeverity } from '../operation/alert-facts.ts'
import type { Route } from '../operation/matrix.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Ids } from '../runtime/ids.ts'
import type { Random } from '../runtime/random.ts'
import { withinTime } from '../store/adapters/within-time.ts'
import type { StateStore } from '../store/state-store.ts'
import { alertView, type AlertView } from './adapters/alert-view.ts'
import { createBookKeeper } from './adapters/book-keeper.ts'
import { createBookStore } from './adapters/book-store.ts'
import { createDeliveries, type Settled, type TestOutcome } from './adapters/deliveries.ts'
import { createHeartbeatSchedule, type Heartbeat } from './adapters/heartbeat.ts'
import { factsOf, trackKey, type Alert } from './alert.ts'
import { suppressedUntil, tidied, withNotifications, type AlertBook, type OutboxEntry, type Suppression } from './alert-book.ts'
import { evaluate, observe, type HeldAlert, type Windows } from './evaluate.ts'
import { advance } from './life-cycle.ts'
import { alertLimits } from './limits.ts'
import type { Notification, NotificationDraft } from './notification.ts'
import type { Notifier, NotifierHealth } from './notifier.ts'
import {
  acknowledgeStep,
  bulkAcknowledgeStep,
  bulkResolveStep,
  endSuppressionsStep,
  fits,
  resolveStep,
  scopeOf,
  suppressStep,
  type ActionOutcome,
  type ActionStep,
  type AlertFilter,
  type SuppressRequest,
} from './operator-actions.ts'
import { nextPreference, type RouteCommand } from './preferred-route.ts'
import type { AlertReadings, CompleteReadings, NotifierReading } from './readings.ts'
import { responseTimeOf, type ResponseTime } from './response-time.ts'
import type { AlertSettings } from './settings.ts'
import { announce, nothingHappened, type Happenings } from './storm.ts'
import { isAwayNow } from './tick-window.ts'

/** The levers that the runbook's automatic actions pull; audited as automatic by whoever implements it. */
export interface AutomaticActions {
  /** `null` ends the preference. It ends by itself at `untilMs` (wall clock); until then it is said again. */
  preferRoute(route: Route | null, reason: string, untilMs: number): Promise<void> | void
}

export interface AlertManagerParts {
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  readonly store: StateStore
  readonly instanceId: string
  readonly settings: AlertSettings
  /** Asked once a tick; may throw when nothing is known. */
  readonly readings: () => AlertReadings
  readonly notifiers: readonly Notifier[]
  readonly heartbeat: Heartbeat | null
  readonly actions: AutomaticActions
  readonly events: EventStream<SystemEvent>
}

export interface ListFilter extends AlertFilter {
  /** Firing and acknowledged unless given. */
  readonly statuses?: readonly Alert['status'][]
}

export type EvaluatorRole = 'starting' | 'evaluating' | 'standing_by' | 'alone'

export interface AlertManagerHealth {
  /** `alone`: the store cannot be reached, and this instance evaluates by itself. */
  readonly role: EvaluatorRole
  readonly lastTickAtMs: number | null
  readonly storeProblem: string | null
  readonly notifiers: readonly NotifierHealth[]
  /** Notifications that are not yet delivered everywhere. */
  readonly waiting: number
  /** Conditions that hold now and are no alerts, because more are active than are kept. */
  readonly beyondLimit: number
}

export interface AlertManager {
  start(): Promise<void>
  stop(): Promise<void>
  /** One evaluation, as `start` makes one every `tickMs`. */
  tick(): Promise<void>
  /** New rules, chain and storm at the next tick; `tickMs` stays. */
  update(settings: AlertSettings): void
  /** The active ones first, then those that are over, each newest first. */
  list(filter?: ListFilter): readonly AlertView[]
  get(id: string): AlertView | undefined
  activeBySeverity(): Readonly<Record<AlertSeverity, number>>
  responseTime(windowMs: number): ResponseTime
  suppressions(): readonly Suppression[]
  health(): AlertManagerHealth
  acknowledge(id: string, who: string): Promise<ActionOutcome>
  bulkAcknowledge(filter: AlertFilter, who: string): Promise<ActionOutcome>
  resolve(id: string, who: string): Promise<ActionOutcome>
  bulkResolve(filter: AlertFilter, who: string): Promise<ActionOutcome>
  suppress(request: SuppressRequest, who: string): Promise<ActionOutcome>
  endSuppressions(who: string): Promise<ActionOutcome>
  /** One attempt to every receiver that is told of that severity. */
  test(severity: AlertSeverity, who: string): Promise<readonly TestOutcome[]>
}

export function createAlertManager(parts: AlertManagerParts): AlertManager {
  const { clock, ids, events, notifiers } = parts
  let settings = parts.settings
  const { tickMs } = settings
  const leaseMs = Math.max(alertLimits.leaseLeastMs, tickMs * alertLimits.leaseTicks)
  /** ms that a store or a lever may take. */
  const callMs = Math.max(alertLimits.leaseLeastMs, tickMs)
  const bookStore = createBookStore(parts.store, clock, `${parts.instanceId} ${ids.next('alrt')}`, callMs)
  const keeper = createBookKeeper(bookStore, clock)
  const deliveries = createDeliveries(clock, parts.random, notifiers, onSettled)
  const heartbeat = parts.heartbeat === null ? null : createHeartbeatSchedule(clock, parts.heartbeat)
  const originMs = clock.monotonicMs()

  let windows: Windows = {}
  let held: readonly HeldAlert[] = []
  let beyondLimit = 0
  /** Names of receivers. */
  let unreachable: ReadonlySet<string> = new Set()
  let role: EvaluatorRole = 'starting'
  let token = 0
  let lastTickAtMs: number | null = null
  let isPreferenceSaid = false
  let isStopped = false
  let cancelTimer: CancelSchedule = () => {}
  let chain: Promise<unknown> = Promise.resolve()

  const exclusive = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const next = chain.then(work)
    chain = next.catch(() => {
      // Whoever asked for the work gets the error; the next one is not concerned.
    })
    return next
  }

  const tickNumber = (): number => Math.round((clock.monotonicMs() - originMs) / tickMs)

  /** A receiver fails by its deliveries or by its self-tests. */
  const receiverReadings = (): readonly NotifierReading[] => deliveries.readings().map((reading) => (unreachable.has(reading.name) ? { ...reading, failing: true } : reading))

  const completeReadings = (): CompleteReadings | null => {
    try {
      const readings = parts.readings()
      unreachable = new Set(readings.unreachableNotifiers)
      const ofHeartbeat = heartbeat === null ? [] : [heartbeat.reading()]
      return { ...readings, notifiers: [...receiverReadings(), ...ofHeartbeat] }
    } catch {
      // Nothing is known at this tick: neither evidence of a fault nor of its end.
      return null
    }
  }

  const tellEvents = (happened: readonly SystemEvent[]): void => {
    for (const event of happened) events.publish(event)
  }

  /** Ids, receivers and the outbox for what has to be told. */
  const withDrafts = (book: AlertBook, drafts: readonly NotificationDraft[], nowMs: number): { readonly book: AlertBook; readonly failed: readonly SystemEvent[] } => {
    const entries = drafts.map((draft): OutboxEntry => {
      const notification: Notification = { ...draft, id: ids.next('ntf'), deployment: settings.deployment, createdAtMs: nowMs }
      return { notification, waiting: receiversOf(notification) }
    })
    const { book: next, dropped } = withNotifications(book, entries)
    return { book: next, failed: dropped.flatMap((entry) => entry.waiting.map((notifier) => failedEvent(notifier, entry.notification, 'too many notifications wait', nowMs))) }
  }

  const receiversOf = (notification: Notification): readonly string[] => {
    const failing = new Set(receiverReadings().flatMap((reading) => (reading.failing === true ? [reading.name] : [])))
    // That a receiver fails is told through the others.
    const isAboutReceivers = notification.alerts.length > 0 && notification.alerts.every((alert) => alert.rule === 'notifier-failing')
    return notifiers
      .filter((notifier) => alertRank(notification.priority) <= alertRank(notifier.leastPriority) && !(isAboutReceivers && failing.has(notifier.name)))
      .map((notifier) => notifier.name)
  }

  const announceContext = (nowMs: number) => ({ deployment: settings.deployment, storm: settings.storm, firstLevel: settings.escalation.chain[0]?.name ?? '', held, nowMs })

  const isThere = ({ rule, component }: Alert): boolean => {
    const window = windows[trackKey(rule, component)]
    return window === undefined || !isAwayNow(window)
  }

  /** Only who evaluates by its lease is fenced: operators act on every instance. */
  const change = <Result extends { readonly book: AlertBook }>(compute: (book: AlertBook) => Result): Promise<Result | null> => keeper.change(role === 'evaluating' ? token : null, compute)

  const takeRole = async (): Promise<void> => {
    let lease: number | null | undefined
    const isReached = await keeper.reach(async () => {
      lease = await bookStore.holdLease(leaseMs)
    })
    const before = role
    if (isReached && lease !== null && lease !== undefined) {
      if (role !== 'evaluating' || lease !== token) isPreferenceSaid = false
      role = 'evaluating'
      token = lease
    } else if (isReached) {
      role = 'standing_by'
    } else if (role === 'evaluating' || keeper.unreachedMs() >= leaseMs) {
      role = 'alone'
    }
    if (role === 'standing_by' && before !== 'standing_by') deliveries.withdraw()
  }

  const evaluateTick = async (): Promise<void> => {
    const readings = completeReadings()
    const number = tickNumber()
    await takeRole()
    // What was done while this instance was alone is handed over before it only reads.
    if (role === 'standing_by' && keeper.isAhead()) await change((book) => ({ book }))
    else if (role === 'standing_by' || role === 'starting') await keeper.read()
    windows = observe(settings.rules, readings, windows, keeper.book().active, number, tickMs)
    lastTickAtMs = clock.nowMs()
    if (role === 'standing_by' || role === 'starting') return

    const nowMs = clock.nowMs()
    const step = await change((book) => {
      const evaluation = evaluate(settings.rules, readings, windows, book, tickMs, nowMs)
      held = evaluation.held
      beyondLimit = evaluation.beyondLimit
      const advanced = advance(book, evaluation, evaluation.raise.map(() => ids.next('alrt')), settings.deployment, settings.escalation, nowMs)
      const happenings: Happenings = { ...nothingHappened, escalated: advanced.escalated, resolved: advanced.resolved }
      const announced = announce(advanced.book, happenings, announceContext(nowMs))
      const { preference, command } = nextPreference(book.preference, advanced.book.active.filter(isThere), evaluation.held, settings.rules, nowMs)
      const withOutbox = withDrafts({ ...tidied(announced.book, nowMs), preference, token: Math.max(book.token, token) }, announced.drafts, nowMs)
      return { book: withOutbox.book, failed: withOutbox.failed, advanced, command }
    })
    if (step === null) {
      role = 'standing_by'
      deliveries.withdraw()
      return
    }
    const { raised, resolved, escalated } = step.advanced
    tellEvents([
      ...raised.map((alert): SystemEvent => ({ type: 'alert_raised', atMs: nowMs, alert: factsOf(alert) })),
      ...escalated.map(({ alert, to }): SystemEvent => ({ type: 'alert_escalated', atMs: nowMs, alert: factsOf(alert), level: alert.level, to })),
      ...resolved.map((alert): SystemEvent => ({ type: 'alert_resolved', atMs: nowMs, alert: factsOf(alert), by: alert.resolvedBy, reason: alert.resolvedReason })),
      ...step.failed,
    ])
    await sayPreference(step.command)
    deliverNow()
    deliveries.repeat(step.book.active.filter((alert) => alert.told !== null && suppressedUntil(alert, step.book.suppressions, nowMs) === null))
    heartbeat?.beat({ deployment: settings.deployment, instance: parts.instanceId, activeAlerts: step.book.active.length })
    if (number % alertLimits.windowsEveryTicks === 0) await keeper.reach(() => bookStore.saveWindows({ savedAtMs: nowMs, tick: number, tickMs, windows }))
  }

  /** A new command, or the one in force when this instance has not said it yet or saying it failed. */
  const sayPreference = async (command: RouteCommand | null): Promise<void> => {
    const said = command ?? (isPreferenceSaid ? null : keeper.book().preference)
    if (said === null) {
      isPreferenceSaid = true
      return
    }
    try {
      await withinTime(clock, Promise.resolve(parts.actions.preferRoute(said.route, said.reason, said.untilMs)), callMs, 'The lever')
      isPreferenceSaid = true
    } catch {
      // Said again at the next tick; an end that cannot be said comes by itself at its time.
      isPreferenceSaid = false
    }
  }

  const deliverNow = (): void => {
    if (role === 'evaluating' || role === 'alone') deliveries.offer(keeper.book().outbox)
  }

  function onSettled(outcome: Settled): void {
    keeper.delivered({ id: outcome.notification.id, notifier: outcome.notifier })
    if (outcome.givenUp !== null) tellEvents([failedEvent(outcome.notifier, outcome.notification, outcome.givenUp, clock.nowMs())])
    if (isStopped) return
    void exclusive(async () => {
      // Several may have been settled while this one waited: the first writes them all.
      if (keeper.hasDelivered()) await change((book) => ({ book }))
    }).catch(() => {
      // The next tick writes it; until then it may be delivered again, which the receivers recognise.
    })
  }

  const act = (step: (book: AlertBook, nowMs: number) => ActionStep, who: string, event?: (nowMs: number) => SystemEvent): Promise<ActionOutcome> =>
    exclusive(async () => {
      const nowMs = clock.nowMs()
      const result = await change((book) => {
        const done = step(book, nowMs)
        const announced = announce(done.book, { ...nothingHappened, acknowledged: done.acknowledged, resolved: done.resolved, by: who }, announceContext(nowMs))
        const withOutbox = withDrafts(announced.book, announced.drafts, nowMs)
        return { book: withOutbox.book, failed: withOutbox.failed, done, hasChanged: done.book !== book }
      })
      if (result === null) return { changed: [], notApplied: [{ what: 'all', why: 'another instance has taken over; try again' }] }
      const { done } = result
      tellEvents([
        ...done.acknowledged.map((alert): SystemEvent => ({ type: 'alert_acknowledged', atMs: nowMs, alert: factsOf(alert), by: who, responseMs: nowMs - alert.startedAtMs })),
        ...done.resolved.map((alert): SystemEvent => ({ type: 'alert_resolved', atMs: nowMs, alert: factsOf(alert), by: who, reason: alert.resolvedReason })),
        ...(event === undefined || !result.hasChanged ? [] : [event(nowMs)]),
        ...result.failed,
      ])
      deliverNow()
      return done.outcome
    })

  const view = (alert: Alert): AlertView => alertView(alert, keeper.book().suppressions, held, settings.escalation, clock.nowMs())

  const schedule = (): void => {
    if (isStopped) return
    // From the origin, so that the time a tick takes does not add up.
    cancelTimer = clock.schedule(originMs + (Math.floor((clock.monotonicMs() - originMs) / tickMs) + 1) * tickMs, () => {
      void manager
        .tick()
        .catch(() => {
          // A tick that fails for a reason nobody thought of must not be the last one; health shows when it was.
        })
        .finally(schedule)
    })
  }

  const manager: AlertManager = {
    async start() {
      await exclusive(async () => {
        await keeper.read()
        await keeper.reach(async () => {
          const saved = await bookStore.loadWindows()
          if (saved !== null && saved.tickMs === tickMs) windows = shifted(saved.windows, tickNumber() - saved.tick - Math.max(0, Math.round((clock.nowMs() - saved.savedAtMs) / tickMs)))
        })
      })
      await manager.tick()
      schedule()
    },

    async stop() {
      isStopped = true
      cancelTimer()
      await chain
      await deliveries.stop()
      await heartbeat?.stop()
      await keeper.writeDelivered()
      await keeper.reach(() => bookStore.releaseLease())
      await Promise.all(notifiers.map((notifier) => notifier.close()))
    },

    tick: () => exclusive(evaluateTick),
    update(next) {
      // What earlier ticks saw of another condition says nothing about the new one.
      const kept = new Set(next.rules.filter((rule) => settings.rules.some((before) => before.name === rule.name && JSON.stringify(before.condition) === JSON.stringify(rule.condition))).map((rule) => rule.name))
      windows = Object.fromEntries(Object.entries(windows).filter(([key]) => kept.has(key.split('/')[0] ?? '')))
      settings = { ...next, tickMs }
    },

    list(filter = {}) {
      const statuses = filter.statuses ?? ['firing', 'acknowledged']
      const byAge = keeper.book().active.toSorted((one, other) => other.startedAtMs - one.startedAtMs)
      return [...byAge, ...keeper.book().over].filter((alert) => statuses.includes(alert.status) && fits(alert, filter)).map(view)
    },
    get(id) {
      const found = [...keeper.book().active, ...keeper.book().over].find((alert) => alert.id === id)
      return found === undefined ? undefined : view(found)
    },
    activeBySeverity() {
      const count = (priority: AlertPriority): number => keeper.book().active.filter((alert) => alert.priority === priority).length
      return { critical: count('P0'), high: count('P1'), medium: count('P2'), low: count('P3') }
    },
    responseTime: (windowMs) => responseTimeOf(keeper.book(), windowMs, clock.nowMs()),
    suppressions: () => keeper.book().suppressions.filter((suppression) => suppression.untilMs > clock.nowMs()),
    health: () => ({ role, lastTickAtMs, storeProblem: keeper.problem(), notifiers: [...deliveries.health(), ...(heartbeat === null ? [] : [heartbeat.health()])], waiting: keeper.book().outbox.length, beyondLimit }),

    acknowledge: (id, who) => act((book, nowMs) => acknowledgeStep(book, id, who, nowMs), who),
    bulkAcknowledge: (filter, who) => act((book, nowMs) => bulkAcknowledgeStep(book, filter, who, nowMs), who),
    resolve: (id, who) => act((book, nowMs) => resolveStep(book, id, who, settings.rules, nowMs), who),
    bulkResolve: (filter, who) => act((book, nowMs) => bulkResolveStep(book, filter, who, settings.rules, nowMs), who),
    suppress: (request, who) =>
      act((book, nowMs) => suppressStep(book, request, who, nowMs), who, (nowMs) => ({ type: 'alerts_suppressed', atMs: nowMs, by: who, untilMs: nowMs + request.durationMs, scope: scopeOf(request) })),
    endSuppressions: (who) => act((book) => endSuppressionsStep(book), who, (nowMs) => ({ type: 'alerts_suppressed', atMs: nowMs, by: who, untilMs: nowMs, scope: 'all' })),

    test(severity, who) {
      const nowMs = clock.nowMs()
      const title = `[${priorityOf(severity)}] test of the delivery, asked for by ${who}`
      return deliveries.test({ id: ids.next('ntf'), event: 'test', dedupKey: `${settings.deployment}:test:${nowMs}`, deployment: settings.deployment, priority: priorityOf(severity), title, alerts: [], more: 0, storm: null, to: null, by: who, createdAtMs: nowMs })
    },
  }
  return manager
}

function failedEvent(notifier: string, notification: Notification, reason: string, atMs: number): SystemEvent {
  return { type: 'notification_failed', atMs, notifier, notificationId: notification.id, reason }
}

function shifted(windows: Windows, byTicks: number): Windows {
  return Object.fromEntries(Object.entries(windows).map(([key, window]) => [key, { ...window, lastTick: window.lastTick + byTicks }]))
}
