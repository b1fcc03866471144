/**
 * What stands in front of every notifier: a bounded queue in the order of events, retries with full jitter until the
 * notification is too old, a time for each attempt, and the notifier's health. One notifier that is slow or dead never
 * delays another.
 *
 * What is here is only on its way: the book holds what is not yet delivered, so that another instance can go on with it.
 * A definite refusal is not repeated; `Retry-After` is obeyed up to a minute.
 */
import { alertRank } from '../../operation/alert-facts.ts'
import { sleep, type Clock } from '../../runtime/clock.ts'
import type { Random } from '../../runtime/random.ts'
import type { ActiveAlert } from '../alert.ts'
import type { OutboxEntry } from '../alert-book.ts'
import { alertLimits } from '../limits.ts'
import type { Notification } from '../notification.ts'
import type { DeliveryOutcome, Notifier, NotifierHealth } from '../notifier.ts'
import type { NotifierReading } from '../readings.ts'

export interface Settled {
  readonly notification: Notification
  readonly notifier: string
  /** null: delivered. */
  readonly givenUp: string | null
}

export interface TestOutcome {
  readonly notifier: string
  readonly delivered: boolean
  readonly reason: string | null
}

export interface Deliveries {
  /** Takes up what waits; what is on its way already is not taken twice. */
  offer(outbox: readonly OutboxEntry[]): void
  /** Tells active alerts again to those that need it. */
  repeat(active: readonly ActiveAlert[]): void
  /** Forgets what has not begun: another instance delivers now. */
  withdraw(): void
  /** One attempt each, past the queue, whose outcome is for the operator. */
  test(notification: Notification): Promise<readonly TestOutcome[]>
  health(): readonly NotifierHealth[]
  readings(): readonly NotifierReading[]
  /** Aborts what is on its way. */
  stop(): Promise<void>
}

interface Lane {
  readonly notifier: Notifier
  readonly queue: Notification[]
  isRunning: boolean
  delivered: number
  givenUp: number
  lastDeliveredAtMs: number | null
  lastFailure: { readonly atMs: number; readonly reason: string } | null
  failingSinceMs: number | null
  wasRefused: boolean
  lastRepeatMs: number
  isRepeating: boolean
}

export function createDeliveries(clock: Clock, random: Random, notifiers: readonly Notifier[], onSettled: (settled: Settled) => void): Deliveries {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const lanes = notifiers.map((notifier): Lane => ({
    notifier,
    queue: [],
    isRunning: false,
    delivered: 0,
    givenUp: 0,
    lastDeliveredAtMs: null,
    lastFailure: null,
    failingSinceMs: null,
    wasRefused: false,
    lastRepeatMs: Number.NEGATIVE_INFINITY,
    isRepeating: false,
  }))

  const track = (work: Promise<void>): void => {
    const tracked = work.finally(() => running.delete(tracked))
    running.add(tracked)
  }

  const attempt = async (lane: Lane, send: (signal: AbortSignal) => Promise<DeliveryOutcome>): Promise<DeliveryOutcome> => {
    const controller = new AbortController()
    const signal = AbortSignal.any([controller.signal, stopping.signal])
    const cancel = clock.schedule(clock.monotonicMs() + alertLimits.attemptMs, () => controller.abort())
    let outcome: DeliveryOutcome
    try {
      outcome = await send(signal)
    } catch {
      // A notifier must not reject; one that does must not stop the others.
      outcome = { kind: 'failed', retryable: true, retryAfterMs: null, reason: 'the notifier failed unexpectedly' }
    } finally {
      cancel()
    }
    if (!stopping.signal.aborted) note(lane, outcome)
    return outcome
  }

  const note = (lane: Lane, outcome: DeliveryOutcome): void => {
    if (outcome.kind === 'delivered') {
      lane.delivered += 1
      lane.lastDeliveredAtMs = clock.nowMs()
      lane.failingSinceMs = null
      lane.wasRefused = false
      return
    }
    lane.lastFailure = { atMs: clock.nowMs(), reason: outcome.reason }
    lane.failingSinceMs ??= clock.monotonicMs()
    if (!outcome.retryable) lane.wasRefused = true
  }

  const run = async (lane: Lane): Promise<void> => {
    let failures = 0
    for (let notification = lane.queue[0]; notification !== undefined && !stopping.signal.aborted; notification = lane.queue[0]) {
      const current = notification
      const outcome = await attempt(lane, (signal) => lane.notifier.deliver(current, signal))
      if (stopping.signal.aborted) return
      const isTooOld = clock.nowMs() - current.createdAtMs >= alertLimits.deliveryMs
      if (outcome.kind === 'delivered' || !outcome.retryable || isTooOld) {
        failures = 0
        // A withdrawal may have emptied the queue meanwhile.
        if (lane.queue[0] === current) lane.queue.shift()
        if (outcome.kind === 'failed') lane.givenUp += 1
        onSettled({ notification: current, notifier: lane.notifier.name, givenUp: outcome.kind === 'failed' ? outcome.reason : null })
        continue
      }
      const ceilingMs = Math.min(alertLimits.backoffMs.most, alertLimits.backoffMs.first * 2 ** failures)
      failures += 1
      await sleep(clock, Math.max(random.next() * ceilingMs, Math.min(outcome.retryAfterMs ?? 0, alertLimits.retryAfterMs)), stopping.signal).catch(() => {
        // Stopped while waiting: the loop ends.
      })
    }
  }

  const start = (lane: Lane): void => {
    if (lane.isRunning || lane.queue.length === 0) return
    lane.isRunning = true
    track(run(lane).finally(() => (lane.isRunning = false)))
  }

  const statusOf = (lane: Lane): NotifierHealth['status'] => {
    if (lane.failingSinceMs === null) return lane.lastDeliveredAtMs === null ? 'unknown' : 'healthy'
    return lane.wasRefused || clock.monotonicMs() - lane.failingSinceMs >= alertLimits.notifierFailingMs ? 'critical' : 'degraded'
  }

  return {
    offer(outbox) {
      if (stopping.signal.aborted) return
      for (const lane of lanes) {
        for (const { notification, waiting } of outbox) {
          if (!waiting.includes(lane.notifier.name) || lane.queue.some((queued) => queued.id === notification.id)) continue
          if (lane.queue.length < alertLimits.deliveriesPerNotifier) lane.queue.push(notification)
        }
        start(lane)
      }
    },

    repeat(active) {
      if (stopping.signal.aborted || active.length === 0) return
      for (const lane of lanes) {
        const { repeat, leastPriority } = lane.notifier
        if (repeat === undefined || lane.isRepeating || clock.monotonicMs() - lane.lastRepeatMs < repeat.everyMs) continue
        const wanted = active.filter((alert) => alertRank(alert.priority) <= alertRank(leastPriority))
        if (wanted.length === 0) continue
        lane.lastRepeatMs = clock.monotonicMs()
        lane.isRepeating = true
        track(
          attempt(lane, (signal) => repeat.send(wanted, clock.nowMs(), signal)).then(
            () => void (lane.isRepeating = false),
          ),
        )
      }
    },

    withdraw() {
      for (const lane of lanes) lane.queue.length = Math.min(lane.queue.length, lane.isRunning ? 1 : 0)
    },

    async test(notification) {
      const chosen = lanes.filter((lane) => alertRank(notification.priority) <= alertRank(lane.notifier.leastPriority))
      return Promise.all(
        chosen.map(async (lane): Promise<TestOutcome> => {
          const outcome = await attempt(lane, (signal) => lane.notifier.deliver(notification, signal))
          return { notifier: lane.notifier.name, delivered: outcome.kind === 'delivered', reason: outcome.kind === 'failed' ? outcome.reason : null }
        }),
      )
    },

    health: () =>
      lanes.map((lane) => ({
        name: lane.notifier.name,
        status: statusOf(lane),
        waiting: lane.queue.length,
        delivered: lane.delivered,
        givenUp: lane.givenUp,
        lastDeliveredAtMs: lane.lastDeliveredAtMs,
        lastFailure: lane.lastFailure,
      })),

    readings: () => lanes.map((lane) => ({ name: lane.notifier.name, failing: statusOf(lane) === 'critical' })),

    async stop() {
      stopping.abort()
      await Promise.all(running)
    },
  }
}
