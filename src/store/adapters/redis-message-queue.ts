/**
 * The message queue on Redis or Valkey through BullMQ, shared by several processes: one BullMQ queue per priority class, and
 * one more, `ended`, for what has expired or died. `docs/decisions/040-store.md` says what BullMQ cannot do.
 *
 * A lease is BullMQ's lock on an active job; a dead letter is a failed job. What BullMQ does not know of a message, when it
 * expires and who holds it, is in `redis-message-index.ts`; how its end is reported, in `redis-ended-messages.ts`.
 *
 * Exceptions to the port, each declared in the tests: arrival alone orders a class; the depth is bounded softly, as several
 * processes may pass the check at once; a late lease is lost at once. Nothing notifies: a subscriber is told by polling.
 */
import { randomUUID } from 'node:crypto'
import { priorityRank, type Priority } from '../../operation/matrix.ts'
import type { Clock } from '../../runtime/clock.ts'
import { afterClaim, retryAfterMs, unknownDrainRate } from '../drain-rate.ts'
import { storeLimits } from '../limits.ts'
import { assertClaim, assertDelay, assertInstant, assertLease, assertPage, checkedPayload, queueOptions } from '../message-checks.ts'
import type { ClassDepth, Delivery, DeliveryEnd, Lease, MessageQueue, QueueOptions, QueueSignal, ReleaseOutcome } from '../message-queue.ts'
import { createBullQueue, isLost, type BullJob, type BullQueue } from './bull-queue.ts'
import { createClaimTurns } from './redis-claims.ts'
import { createClasses } from './redis-classes.ts'
import type { RedisOptions } from './redis-connection.ts'
import { createDeadLetters } from './redis-dead-letters.ts'
import { createEndedMessages, type EndedReport } from './redis-ended-messages.ts'
import { createMessageIndex } from './redis-message-index.ts'
import { deliveriesOf, messageOf, storedMessage, storedText, withEnding, type StoredMessage } from './redis-message.ts'
import { connectQueue } from './redis-queue-connection.ts'

export interface RedisQueueOptions extends RedisOptions {
  readonly clock: Clock
  readonly queue?: Partial<QueueOptions>
  /** How often locks that ran out are looked for, and subscribers are told of work that others sent. */
  readonly pollMs?: number
}

/** A parked message waits for its alarm, which removes it: any time that is longer than an alarm takes. */
const parkedMs = 3_600_000
/** Turns of one claim over messages that turn out to have ended. */
const turnsPerClaim = 50
const defaultPollMs = 250
/** How long what a lease's holder began with it may take. */
const settlingMs = 5_000
/** Leases remembered between claim and end: far more than any process works on at once. */
const rememberedLeases = 2_000

export async function openRedisMessageQueue(options: RedisQueueOptions): Promise<MessageQueue> {
  const { clock, pollMs = defaultPollMs } = options
  const limits = queueOptions(options.queue)
  const connection = await connectQueue(options)
  const { redis } = connection
  const guarded = <Result>(action: () => Promise<Result>): Promise<Result> => connection.guarded(action)
  const prefix = `{${connection.prefix}queue}`
  const index = createMessageIndex(redis, prefix)
  const classes = createClasses(connection, prefix, index, clock, pollMs)
  const alarms = createBullQueue(connection.bull, prefix, 'ended', pollMs)
  const ended = createEndedMessages(alarms, classes, index, clock, pollMs)
  const deadLetters = createDeadLetters(classes, alarms, index)
  const turns = createClaimTurns(classes)
  const listeners = new Set<(signal: QueueSignal) => void>()
  let closed = false
  let claims = 0
  let drainRate = unknownDrainRate

  const signal = (what: QueueSignal): void => {
    for (const listener of listeners) listener(what)
  }

  /** Far from the bound an estimate will do: it is counted again four times a second, and by what this process adds. */
  let estimate = { depth: 0, untilMs: Number.NEGATIVE_INFINITY }
  const depthOf = async (): Promise<number> => {
    if (clock.monotonicMs() < estimate.untilMs && estimate.depth < limits.maxDepth / 2) return estimate.depth
    const counts = await Promise.all(classes.queues.map((queue) => queue.count()))
    const depth = counts.reduce((sum, { waiting, delayed }) => sum + waiting + delayed, 0)
    estimate = { depth, untilMs: clock.monotonicMs() + defaultPollMs }
    return depth
  }
  /** The index knows the id, but perhaps only because what it entered has not left it yet. */
  const isPresent = async (id: string): Promise<boolean> => (await redis.exists([...classes.queues, alarms].map(({ keys }) => keys.job(id)))) > 0

  const die = async (queue: BullQueue, token: string, stored: StoredMessage, reason: string): Promise<void> => {
    const { id } = stored.message
    await queue.update(id, stored)
    await queue.fail(id, token, reason)
    await ended.ring(id)
    signal('ended')
  }
  /** Out of the way until its alarm takes it. */
  const park = async (queue: BullQueue, token: string, stored: StoredMessage): Promise<void> => {
    const { id } = stored.message
    await queue.update(id, stored)
    await queue.delay(id, token, parkedMs)
    await ended.ring(id)
    signal('ended')
  }

  /** What this process claimed last, by token: ending it need not look for it. */
  const claimed = new Map<string, { readonly id: string; readonly rank: number; readonly delivery: number; readonly workerId: string; readonly expiresAtMs: number }>()
  const remember = (token: string, rank: number, { message, delivery }: Delivery, workerId: string): void => {
    claimed.set(token, { id: message.id, rank, delivery, workerId, expiresAtMs: message.expiresAtMs })
    if (claimed.size <= rememberedLeases) return
    for (const oldest of claimed.keys()) {
      claimed.delete(oldest)
      return
    }
  }

  const claimFrom = async (rank: number, workerId: string, leaseMs: number): Promise<Delivery | undefined> => {
    const queue = classes.of(rank)
    for (let turn = 0; turn < turnsPerClaim; turn += 1) {
      const token = randomUUID()
      const job = await queue.claim(token, leaseMs)
      if (job === undefined) return undefined
      const stored = storedMessage(job)
      const { message } = stored
      const delivery = deliveriesOf(job, stored)
      const history = await classes.settledHistory(stored, delivery - 1)
      if (message.expiresAtMs <= clock.nowMs()) {
        await park(queue, token, { ...stored, history, uncounted: stored.uncounted + 1 })
        continue
      }
      if (delivery > message.maxDeliveries) {
        await die(queue, token, { ...stored, history, uncounted: stored.uncounted + 1 }, history.at(-1)?.reason ?? 'no delivery is left')
        continue
      }
      if (history !== stored.history) await queue.update(message.id, { ...stored, history })
      const leaseUntilMs = clock.nowMs() + leaseMs
      index.note(message.id, { workerId, leaseUntilMs, delivery })
      const claim: Delivery = { lease: { id: message.id, token }, leaseUntilMs, message: messageOf(stored), delivery, history }
      remember(token, rank, claim, workerId)
      return claim
    }
    return undefined
  }

  /** Where the lease's message is, or the report of its end, if this is somebody's lease at all. */
  const held = async (lease: Lease): Promise<{ readonly rank: number } | { readonly report: EndedReport } | undefined> => {
    const known = claimed.get(lease.token)
    if (known?.id === lease.id) return { rank: known.rank }
    const report = await ended.report(lease.id)
    if (report !== undefined) return { report }
    const found = await classes.find(lease.id)
    return found === undefined ? undefined : { rank: found.rank }
  }
  const unlessLost = async <Result>(action: () => Promise<Result>): Promise<Result | { readonly kind: 'lost' }> => {
    try {
      return await action()
    } catch (error) {
      if (isLost(error)) return { kind: 'lost' }
      throw error
    }
  }
  /** The message of a lease that is still held, and held long enough to end it. */
  const takeHeld = async (rank: number, lease: Lease): Promise<{ readonly queue: BullQueue; readonly job: BullJob; readonly stored: StoredMessage } | undefined> => {
    claimed.delete(lease.token)
    const queue = classes.of(rank)
    if (!(await queue.renew(lease.id, lease.token, settlingMs))) return undefined
    const job = await queue.read(lease.id)
    return job === undefined ? undefined : { queue, job, stored: storedMessage(job) }
  }
  const endDelivery = async (stored: StoredMessage, delivery: number, how: DeliveryEnd, reason: string): Promise<StoredMessage> => {
    const workerId = (await index.holder(stored.message.id))?.workerId ?? 'unknown'
    return { ...stored, history: withEnding(stored.history, { delivery, workerId, ended: how, reason, atMs: clock.nowMs() }) }
  }

  const poll = async (): Promise<void> => {
    await guarded(() => Promise.all([...classes.queues, alarms].map((queue) => queue.recoverStalled())))
    if (listeners.size === 0) return
    const looks = await guarded(() => classes.look(classes.queues))
    if (looks.some(({ ready }) => ready > 0)) signal('work')
    if (await guarded(() => ended.isDue())) signal('ended')
  }
  let polling: Promise<void> | undefined
  const pollTimer = setInterval(() => {
    polling ??= poll()
      .catch(() => undefined)
      .finally(() => {
        polling = undefined
      })
  }, pollMs)

  return {
    async enqueue(message) {
      const payload = checkedPayload(message)
      const rank = priorityRank(message.priority)
      const { id } = message
      return await guarded(async () => {
        const [depth, isNew] = await Promise.all([depthOf(), index.enter(id, message.expiresAtMs)])
        if (!isNew) {
          if (await isPresent(id)) return { kind: 'duplicate' as const }
          await index.move(id, message.expiresAtMs)
        }
        if (depth >= Math.floor(limits.maxDepth * (storeLimits.depthShares[rank] ?? 1))) {
          index.leave(id)
          return { kind: 'refused' as const, depth, retryAfterMs: retryAfterMs(drainRate, depth) }
        }
        await classes.of(rank).add(id, storedText(message, payload))
        estimate = { ...estimate, depth: estimate.depth + 1 }
        signal('work')
        return { kind: 'enqueued' as const, depth: depth + 1 }
      })
    },

    async claim(request) {
      assertClaim(request)
      return await guarded(async () => {
        claims += 1
        const turn = await turns.begin(limits.reservedClaimEvery > 0 && claims % limits.reservedClaimEvery === 0)
        for (let rank = turn.next(); rank !== undefined; rank = turn.next()) {
          const delivery = await claimFrom(rank, request.workerId, request.leaseMs)
          if (delivery === undefined) {
            turn.isEmpty(rank)
            continue
          }
          drainRate = afterClaim(drainRate, clock.monotonicMs())
          estimate = { ...estimate, depth: Math.max(0, estimate.depth - 1) }
          return delivery
        }
        return undefined
      })
    },

    async claimEnded({ leaseMs, limit }) {
      assertLease(leaseMs)
      assertPage(limit)
      return await guarded(() => ended.claim(leaseMs, limit))
    },

    async extend(lease, leaseMs) {
      assertLease(leaseMs)
      return await guarded(() =>
        unlessLost(async () => {
          const found = await held(lease)
          if (found === undefined) return { kind: 'lost' as const }
          const queue = 'rank' in found ? classes.of(found.rank) : alarms
          if (!(await queue.renew(lease.id, lease.token, leaseMs))) return { kind: 'lost' as const }
          const leaseUntilMs = clock.nowMs() + leaseMs
          const noted = claimed.get(lease.token) ?? ('rank' in found ? await index.holder(lease.id) : undefined)
          if (noted !== undefined) index.note(lease.id, { workerId: noted.workerId, delivery: noted.delivery, leaseUntilMs })
          return { kind: 'extended' as const, leaseUntilMs }
        }),
      )
    },

    async complete(lease) {
      return await guarded(() =>
        unlessLost(async () => {
          const known = claimed.get(lease.token)
          const found = await held(lease)
          if (found === undefined) return { kind: 'lost' as const }
          if ('report' in found) return { kind: (await ended.complete(lease.id, lease.token, found.report)) ? ('completed' as const) : ('lost' as const) }
          claimed.delete(lease.token)
          await classes.of(found.rank).complete(lease.id, lease.token)
          index.leave(lease.id)
          // Its time is over: an alarm may be waiting for it.
          if (known === undefined || known.expiresAtMs <= clock.nowMs()) await ended.cancel(lease.id)
          return { kind: 'completed' as const }
        }),
      )
    },

    async release(lease, { delayMs, reason, attempted }) {
      assertDelay(delayMs)
      return await guarded(() =>
        unlessLost<ReleaseOutcome>(async () => {
          const found = await held(lease)
          if (found === undefined) return { kind: 'lost' }
          if ('report' in found) {
            await alarms.delay(lease.id, lease.token, 0)
            return { kind: 'ended', as: found.report.ended }
          }
          const taken = await takeHeld(found.rank, lease)
          if (taken === undefined) return { kind: 'lost' }
          const { queue, job } = taken
          const deliveries = deliveriesOf(job, taken.stored)
          const stored = attempted ? await endDelivery(taken.stored, deliveries, 'released', reason) : { ...taken.stored, uncounted: taken.stored.uncounted + 1 }
          if (stored.message.expiresAtMs <= clock.nowMs()) {
            await park(queue, lease.token, stored)
            return { kind: 'ended', as: 'expired' }
          }
          if (attempted && deliveries >= stored.message.maxDeliveries) {
            await die(queue, lease.token, stored, reason)
            return { kind: 'ended', as: 'dead_lettered' }
          }
          await queue.update(lease.id, stored)
          if (delayMs > 0) await queue.delay(lease.id, lease.token, delayMs)
          else await queue.putBack(lease.id, lease.token)
          if (delayMs === 0) signal('work')
          return { kind: 'released', availableAtMs: clock.nowMs() + delayMs }
        }),
      )
    },

    async deadLetter(lease, reason) {
      return await guarded(() =>
        unlessLost<ReleaseOutcome>(async () => {
          const found = await held(lease)
          const taken = found === undefined || 'report' in found ? undefined : await takeHeld(found.rank, lease)
          if (taken === undefined) return { kind: 'lost' }
          const stored = await endDelivery(taken.stored, deliveriesOf(taken.job, taken.stored), 'dead_lettered', reason)
          await die(taken.queue, lease.token, stored, reason)
          return { kind: 'ended', as: 'dead_lettered' }
        }),
      )
    },

    async remove(id) {
      return await guarded(async () => {
        const [found, report] = await Promise.all([classes.find(id), ended.report(id)])
        if (found === undefined) return report === undefined ? { kind: 'absent' as const } : { kind: 'ended' as const, as: report.ended }
        const queue = classes.of(found.rank)
        const leased = async () => {
          const holder = await index.holder(id)
          return { kind: 'leased' as const, workerId: holder?.workerId ?? 'unknown', leaseUntilMs: holder?.leaseUntilMs ?? clock.nowMs() }
        }
        const state = await queue.state(id)
        if (state === 'active') return await leased()
        if (state === 'failed') return { kind: 'ended' as const, as: 'dead_lettered' as const }
        const stored = storedMessage(found.job)
        if (stored.message.expiresAtMs <= clock.nowMs()) return { kind: 'ended' as const, as: 'expired' as const }
        // A worker may be quicker.
        if (!(await queue.remove(id))) return (await queue.read(id)) === undefined ? { kind: 'absent' as const } : await leased()
        index.leave(id)
        return { kind: 'removed' as const, message: messageOf(stored) }
      })
    },

    async inspect() {
      return await guarded(async () => {
        const nowMs = Date.now()
        const [counts, looks, alarmCount] = await Promise.all([Promise.all(classes.queues.map((queue) => queue.count())), classes.look(classes.queues), alarms.count()])
        const classDepth = (priority: Priority): ClassDepth => {
          const { waiting, delayed, active } = counts[priorityRank(priority)] ?? { waiting: 0, delayed: 0, active: 0 }
          const addedAtMs = looks[priorityRank(priority)]?.headAddedAtMs ?? null
          return { waiting, delayed, leased: active, oldestAgeMs: addedAtMs === null ? null : Math.max(0, nowMs - addedAtMs) }
        }
        return {
          depth: counts.reduce((sum, { waiting, delayed }) => sum + waiting + delayed, 0),
          maxDepth: limits.maxDepth,
          classes: { critical: classDepth('critical'), high: classDepth('high'), medium: classDepth('medium'), low: classDepth('low') },
          unreported: alarmCount.waiting + alarmCount.active,
          deadLetters: counts.reduce((sum, { failed }) => sum + failed, 0),
        }
      })
    },

    async listDeadLetters(page) {
      assertPage(page.limit)
      return await guarded(() => deadLetters.list(page))
    },

    async retryDeadLetter(id, lifetime) {
      assertInstant('expiresAtMs', lifetime.expiresAtMs)
      assertInstant('deadlineMs', lifetime.deadlineMs)
      return await guarded(async () => {
        const retried = await deadLetters.retry(id, lifetime)
        if (retried) signal('work')
        return retried
      })
    },

    dropDeadLetter: (id) => guarded(() => deadLetters.drop(id)),

    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    check: () => guarded(async () => void (await redis.set(`${connection.prefix}probe`, '1', 'EX', 60))),

    async close() {
      if (closed) return
      closed = true
      clearInterval(pollTimer)
      listeners.clear()
      await polling
      index.flush()
      connection.close()
    },
  }
}
