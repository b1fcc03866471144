/**
 * The message queue on Redis or Valkey through BullMQ, shared by several processes: one BullMQ queue per priority class, and
 * one more, `ended`, whose delayed jobs are the messages' alarms. `docs/decisions/040-store.md` says what BullMQ cannot do.
 *
 * A lease is BullMQ's lock on an active job. A dead letter is a failed job. Every message has an alarm that fires when it
 * expires, or at once when it dies: the alarm looks at the message, and hands out what has ended under its own lock, after
 * it has taken the message over into itself; dying in between repeats it. The alarm is added before the message and
 * removed after it, so that a message without an alarm does not exist.
 *
 * Exceptions to the port, each declared in the tests: arrival alone orders a class; the depth is bounded softly, as several
 * processes may pass the check at once; a late lease is lost at once. Nothing notifies: a subscriber is told by polling.
 */
import { Queue, Worker, type Job } from 'bullmq'
import { Redis } from 'ioredis'
import { randomUUID } from 'node:crypto'
import type { JsonValue } from '../../operation/converse.ts'
import { priorities, priorityRank, type Priority } from '../../operation/matrix.ts'
import type { Clock } from '../../runtime/clock.ts'
import { afterClaim, retryAfterMs, unknownDrainRate } from '../drain-rate.ts'
import { storeLimits } from '../limits.ts'
import { assertClaim, assertDelay, assertInstant, assertLease, assertPage, checkedPayload, queueOptions } from '../message-checks.ts'
import type { ClassDepth, DeliveryEnd, DeliveryRecord, EndedDelivery, Lease, Message, MessageQueue, QueueOptions, QueueSignal, ReleaseOutcome } from '../message-queue.ts'
import { StoreError } from '../store-error.ts'
import { redisDefaults, toStoreError, type RedisOptions } from './redis-connection.ts'

export interface RedisQueueOptions extends RedisOptions {
  readonly clock: Clock
  readonly queue?: Partial<QueueOptions>
  /** How often locks that ran out are looked for, and subscribers are told of work that others sent. */
  readonly pollMs?: number
}

interface MessageData {
  readonly message: Omit<Message, 'payload'>
  readonly payload: string
  readonly holder: string
  readonly leaseUntilMs: number
  readonly history: readonly DeliveryRecord[]
  /** Deliveries that do not count: `attemptsStarted` only grows. */
  readonly uncounted: number
  readonly reported: boolean
}
interface AlarmData {
  readonly rank: number
  readonly ended: Omit<EndedDelivery, 'lease' | 'leaseUntilMs' | 'message'> & { readonly data: MessageData } | null
  readonly reportUntilMs: number
}
type MessageJob = Job<MessageData>
type AlarmJob = Job<AlarmData>

/** A parked message waits for its alarm, which removes it: any time that is longer than an alarm takes. */
const parkedMs = 3_600_000
/** Turns of one claim over messages that turn out to have ended. */
const turnsPerClaim = 50
const defaultPollMs = 250
/** Jobs remembered between claim and end: far more than any process works on at once. */
const rememberedJobs = 2_000

export async function openRedisMessageQueue(options: RedisQueueOptions): Promise<MessageQueue> {
  const { url, clock, prefix = redisDefaults.prefix, callTimeoutMs = redisDefaults.callTimeoutMs, pollMs = defaultPollMs } = options
  const limits = queueOptions(options.queue)
  const connection = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    // What one turn of the event loop asks goes out as one write: a message takes several commands.
    enableAutoPipelining: true,
    // BullMQ demands it of the connections of workers; the offline queue is off and every call has its own end below.
    maxRetriesPerRequest: null,
    connectTimeout: redisDefaults.connectTimeoutMs,
    retryStrategy: (attempt) => Math.min(redisDefaults.reconnectMs.most, redisDefaults.reconnectMs.least * 2 ** Math.min(attempt, 10)),
  })
  connection.on('error', () => undefined)
  // BullMQ gives every worker a second connection for a blocking wait that is never made here. It introduces itself on it
  // before it is ready, which only an offline queue allows; no message ever goes that way.
  const duplicate = connection.duplicate.bind(connection)
  connection.duplicate = (override) => silent(duplicate({ ...override, enableOfflineQueue: true }))
  try {
    await connection.connect()
  } catch (error) {
    connection.disconnect()
    throw toStoreError(error)
  }

  const shared = { connection, prefix: `{${prefix}queue}` }
  const keepFailed = { removeOnComplete: true, removeOnFail: false, attempts: 1 } as const
  const makeQueue = <Data>(name: string): Queue<Data> => silent(new Queue<Data>(name, { ...shared, defaultJobOptions: keepFailed }))
  const makeWorker = <Data>(name: string): Worker<Data> =>
    silent(new Worker<Data>(name, null, { ...shared, autorun: false, lockDuration: 5_000, stalledInterval: pollMs, maxStalledCount: 1_000_000, skipLockRenewal: true }))
  const classes = priorities.map((priority) => ({ priority, queue: makeQueue<MessageData>(priority), worker: makeWorker<MessageData>(priority) }))
  const alarms = makeQueue<AlarmData>('ended')
  const alarmWorker = makeWorker<AlarmData>('ended')
  const listeners = new Set<(signal: QueueSignal) => void>()
  let closed = false
  let claims = 0
  let drainRate = unknownDrainRate

  const guarded = async <Result>(action: () => Promise<Result>): Promise<Result> => {
    if (closed) throw new StoreError('closed', 'The queue is closed.')
    // BullMQ would wait for the connection to come back; what is asked now must not be done then.
    if (connection.status !== 'ready') throw new StoreError('unavailable', 'Redis does not answer: check the url, the server and the network.')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new StoreError('unavailable', 'Redis does not answer: check the url, the server and the network.')), callTimeoutMs)
    })
    const result = action()
    // When the call comes too late its outcome is nobody's any more.
    result.catch(() => undefined)
    try {
      return await Promise.race([result, late])
    } catch (error) {
      throw toStoreError(error)
    } finally {
      clearTimeout(timer)
    }
  }

  const classOf = (rank: number) => {
    const found = classes[rank]
    if (found === undefined) throw new StoreError('invalid', 'There is no such priority.')
    return found
  }
  const alarmOf = async (id: string): Promise<AlarmJob | undefined> => (await alarms.getJob(jobId(id))) as AlarmJob | undefined
  const find = async (id: string): Promise<{ readonly job: MessageJob; readonly rank: number } | undefined> => {
    const found = await Promise.all(classes.map(({ queue }) => queue.getJob(jobId(id)) as Promise<MessageJob | undefined>))
    const rank = found.findIndex((job) => job !== undefined)
    const job = found[rank]
    return job === undefined ? undefined : { job, rank }
  }
  /** Far from the bound an estimate will do: it is counted again four times a second, and by what this process adds. */
  let estimate = { depth: 0, untilMs: Number.NEGATIVE_INFINITY }
  const depthOf = async (): Promise<number> => {
    if (clock.monotonicMs() < estimate.untilMs && estimate.depth < limits.maxDepth / 2) return estimate.depth
    const depth = await countDepth()
    estimate = { depth, untilMs: clock.monotonicMs() + defaultPollMs }
    return depth
  }
  const countDepth = async (): Promise<number> => {
    const counts = await Promise.all(classes.map(({ queue }) => queue.getJobCountByTypes('waiting', 'delayed')))
    return counts.reduce((sum, count) => sum + count, 0)
  }
  const signal = (what: QueueSignal): void => {
    for (const listener of listeners) listener(what)
  }

  const addAlarm = async (id: string, rank: number, delayMs: number): Promise<void> => {
    await alarms.add('alarm', { rank, ended: null, reportUntilMs: 0 }, { jobId: jobId(id), delay: Math.max(0, Math.ceil(delayMs)) })
  }
  /** Lets the message's alarm fire now. */
  const ring = async (id: string): Promise<void> => {
    try {
      await (await alarmOf(id))?.promote()
    } catch (error) {
      // It rings already.
      if (!isJobError(error)) throw error
    }
    signal('ended')
  }

  const deliveriesOf = (job: MessageJob): number => job.attemptsStarted - job.data.uncounted
  const withRecord = (data: MessageData, delivery: number, ended: DeliveryEnd, reason: string): readonly DeliveryRecord[] =>
    [...data.history, { delivery, workerId: data.holder, ended, reason: reason.slice(0, storeLimits.reasonCharacters), atMs: clock.nowMs() }].slice(-storeLimits.historyRecords)
  /** The history with the deliveries of which nobody wrote an end: their workers are gone. */
  const settledHistory = (data: MessageData, deliveries: number): readonly DeliveryRecord[] =>
    deliveries > (data.history.at(-1)?.delivery ?? 0) ? withRecord(data, deliveries, 'lapsed', 'the lease ran out: the worker died or stalled') : data.history

  const die = async (job: MessageJob, token: string, data: MessageData, reason: string): Promise<void> => {
    await job.updateData(data)
    await job.moveToFailed(new Error(reason), token, false)
    await ring(data.message.id)
  }
  /** Out of the way until its alarm takes it. */
  const park = async (job: MessageJob, token: string, data: MessageData): Promise<void> => {
    await job.updateData(data)
    await job.moveToDelayed(Date.now() + parkedMs, token)
    await ring(data.message.id)
  }

  /** The jobs that this process claimed last, by their tokens: ending one need not read it again. */
  const claimed = new Map<string, MessageJob>()
  const remember = (token: string, job: MessageJob): void => {
    claimed.set(token, job)
    if (claimed.size <= rememberedJobs) return
    for (const oldest of claimed.keys()) {
      claimed.delete(oldest)
      return
    }
  }

  const claimFrom = async (rank: number, workerId: string, leaseMs: number) => {
    for (let turn = 0; turn < turnsPerClaim; turn += 1) {
      const token = randomUUID()
      const job = (await classOf(rank).worker.getNextJob(token, { block: false })) as MessageJob | undefined
      if (job === undefined) return undefined
      const delivery = deliveriesOf(job)
      const history = settledHistory(job.data, delivery - 1)
      const { message } = job.data
      if (message.expiresAtMs <= clock.nowMs()) {
        await park(job, token, { ...job.data, history, uncounted: job.data.uncounted + 1 })
        continue
      }
      if (delivery > message.maxDeliveries) {
        await die(job, token, { ...job.data, history, uncounted: job.data.uncounted + 1 }, history.at(-1)?.reason ?? 'no delivery is left')
        continue
      }
      const leaseUntilMs = clock.nowMs() + leaseMs
      await Promise.all([job.extendLock(token, leaseMs), job.updateData({ ...job.data, history, holder: workerId, leaseUntilMs })])
      remember(token, job)
      return { lease: { id: message.id, token }, leaseUntilMs, message: messageOf(job.data), delivery, history }
    }
    return undefined
  }

  /** The class below the first that has work whose first message has waited longest. */
  const longestWaitingBelow = async (): Promise<number | undefined> => {
    const heads = await Promise.all(classes.map(async ({ queue }) => (await queue.getWaiting(0, 0))[0]?.timestamp))
    const top = heads.findIndex((head) => head !== undefined)
    let chosen: number | undefined
    heads.forEach((head, rank) => {
      if (rank > top && head !== undefined && (chosen === undefined || head < (heads[chosen] ?? 0))) chosen = rank
    })
    return chosen
  }

  /** The leased job of a class or an alarm that reports, if this is its lease. */
  const held = async (lease: Lease): Promise<{ readonly job: MessageJob } | { readonly alarm: AlarmJob } | undefined> => {
    const known = claimed.get(lease.token)
    if (known !== undefined && known.data.message.id === lease.id) return { job: known }
    const alarm = await alarmOf(lease.id)
    if (alarm !== undefined && alarm.data.ended !== null) return { alarm }
    const found = await find(lease.id)
    return found === undefined ? undefined : { job: found.job }
  }
  const unlessLost = async <Result>(action: () => Promise<Result>): Promise<Result | { readonly kind: 'lost' }> => {
    try {
      return await action()
    } catch (error) {
      if (isJobError(error)) return { kind: 'lost' }
      throw error
    }
  }
  /** Throws BullMQ's own error when the lock is somebody else's or gone, before anything is changed. */
  const renew = async (job: Job, token: string, leaseMs: number): Promise<boolean> => (await job.extendLock(token, leaseMs)) === 1

  const endedOf = (data: MessageData, as: EndedDelivery['ended'], deliveries: number): NonNullable<AlarmData['ended']> => {
    const history = settledHistory(data, deliveries)
    const last = history.at(-1)
    const expiredReason = last === undefined ? 'it waited in the queue until its time was over' : `its time was over; the last delivery ${last.ended}: ${last.reason}`
    return { ended: as, reason: as === 'expired' ? expiredReason : (last?.reason ?? 'no delivery is left'), deliveries, history, data }
  }

  /** What the alarm is to report, or undefined when there is nothing (any more, or yet). */
  const judge = async (alarm: AlarmJob, token: string, id: string): Promise<AlarmData['ended']> => {
    if (alarm.data.ended !== null) return alarm.data.ended
    const { queue } = classOf(alarm.data.rank)
    const job = (await queue.getJob(jobId(id))) as MessageJob | undefined
    const state = await job?.getState()
    if (job === undefined || (state === 'failed' && job.data.reported)) {
      await alarm.moveToCompleted(null, token, false)
      return null
    }
    if (state === 'failed') return endedOf(job.data, 'dead_lettered', deliveriesOf(job))
    if (state === 'active') {
      await alarm.moveToDelayed(Date.now() + Math.max(pollMs, job.data.leaseUntilMs - clock.nowMs()), token)
      return null
    }
    if (job.data.message.expiresAtMs > clock.nowMs()) {
      await alarm.moveToDelayed(Date.now() + Math.ceil(job.data.message.expiresAtMs - clock.nowMs()), token)
      return null
    }
    const ended = endedOf(job.data, 'expired', deliveriesOf(job))
    await alarm.updateData({ ...alarm.data, ended })
    return ended
  }

  const poll = async (): Promise<void> => {
    if (listeners.size === 0) return
    const [waiting, ended] = await guarded(() => Promise.all([Promise.all(classes.map(({ queue }) => queue.getWaitingCount())), alarms.getWaitingCount()]))
    if (waiting.some((count) => count > 0)) signal('work')
    if (ended > 0) signal('ended')
    // A delayed job starts when somebody asks for the next one: the alarms are asked for here, so that they ring without work.
    else if ((await guarded(() => alarms.getDelayed(0, 0))).some((job) => job.timestamp + job.delay <= Date.now())) signal('ended')
    for (const { queue } of classes) {
      if ((await guarded(() => queue.getDelayed(0, 0))).some((job) => job.timestamp + job.delay <= Date.now())) signal('work')
    }
  }
  let polling: Promise<void> | undefined
  const pollTimer = setInterval(() => {
    polling ??= poll()
      .catch(() => undefined)
      .finally(() => {
        polling = undefined
      })
  }, pollMs)
  await Promise.all([...classes.map(({ worker }) => worker.startStalledCheckTimer()), alarmWorker.startStalledCheckTimer()])

  return {
    async enqueue(message) {
      const payload = checkedPayload(message)
      const rank = priorityRank(message.priority)
      return await guarded(async () => {
        const [depth, present] = await Promise.all([depthOf(), connection.exists(classes.map(({ queue }) => queue.toKey(jobId(message.id))))])
        if (present > 0) return { kind: 'duplicate' as const }
        if (depth >= Math.floor(limits.maxDepth * (storeLimits.depthShares[rank] ?? 1))) return { kind: 'refused' as const, depth, retryAfterMs: retryAfterMs(drainRate, depth) }
        await addAlarm(message.id, rank, message.expiresAtMs - clock.nowMs())
        const { payload: _, ...rest } = message
        await classOf(rank).queue.add('message', { message: rest, payload, holder: '', leaseUntilMs: 0, history: [], uncounted: 0, reported: false }, { jobId: jobId(message.id) })
        estimate = { ...estimate, depth: estimate.depth + 1 }
        signal('work')
        return { kind: 'enqueued' as const, depth: depth + 1 }
      })
    },

    async claim(request) {
      assertClaim(request)
      return await guarded(async () => {
        claims += 1
        const reserved = limits.reservedClaimEvery > 0 && claims % limits.reservedClaimEvery === 0 ? await longestWaitingBelow() : undefined
        // Asking BullMQ for the next job runs a long script: only classes that hold something are asked.
        const present = await Promise.all(classes.map(({ queue }) => connection.exists(queue.toKey('wait'), queue.toKey('delayed'))))
        const ranks = present.flatMap((count, rank) => (count > 0 ? [rank] : []))
        for (const rank of [...(reserved === undefined ? [] : [reserved]), ...ranks]) {
          const delivery = await claimFrom(rank, request.workerId, request.leaseMs)
          if (delivery === undefined) continue
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
      return await guarded(async () => {
        const ended: EndedDelivery[] = []
        for (let turn = 0; turn < limit + turnsPerClaim && ended.length < limit; turn += 1) {
          const token = randomUUID()
          const alarm = (await alarmWorker.getNextJob(token, { block: false })) as AlarmJob | undefined
          if (alarm === undefined) break
          const id = operationId(alarm.id ?? '')
          const report = await judge(alarm, token, id)
          if (report === null) continue
          const leaseUntilMs = clock.nowMs() + leaseMs
          await Promise.all([alarm.extendLock(token, leaseMs), alarm.updateData({ ...alarm.data, ended: report, reportUntilMs: leaseUntilMs })])
          if (report.ended === 'expired') await classOf(alarm.data.rank).queue.remove(jobId(id))
          const { data, ...rest } = report
          ended.push({ ...rest, lease: { id, token }, leaseUntilMs, message: messageOf(data) })
        }
        return ended
      })
    },

    async extend(lease, leaseMs) {
      assertLease(leaseMs)
      return await guarded(() =>
        unlessLost(async () => {
          const found = await held(lease)
          const job = found === undefined ? undefined : 'job' in found ? found.job : found.alarm
          if (job === undefined || !(await renew(job, lease.token, leaseMs))) return { kind: 'lost' as const }
          const leaseUntilMs = clock.nowMs() + leaseMs
          if (found !== undefined && 'job' in found) await found.job.updateData({ ...found.job.data, leaseUntilMs })
          return { kind: 'extended' as const, leaseUntilMs }
        }),
      )
    },

    async complete(lease) {
      return await guarded(() =>
        unlessLost(async () => {
          const found = await held(lease)
          if (found === undefined) return { kind: 'lost' as const }
          if ('job' in found) {
            claimed.delete(lease.token)
            await found.job.moveToCompleted(null, lease.token, false)
            await alarms.remove(jobId(lease.id))
            return { kind: 'completed' as const }
          }
          const { alarm } = found
          if (!(await renew(alarm, lease.token, defaultPollMs * 20))) return { kind: 'lost' as const }
          if (alarm.data.ended?.ended === 'dead_lettered') {
            const dead = (await classOf(alarm.data.rank).queue.getJob(jobId(lease.id))) as MessageJob | undefined
            await dead?.updateData({ ...dead.data, reported: true })
          }
          await alarm.moveToCompleted(null, lease.token, false)
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
          if ('alarm' in found) {
            await found.alarm.moveToDelayed(Date.now(), lease.token)
            return { kind: 'ended', as: found.alarm.data.ended?.ended ?? 'expired' }
          }
          const { job } = found
          claimed.delete(lease.token)
          if (!(await renew(job, lease.token, defaultPollMs * 20))) return { kind: 'lost' }
          const deliveries = deliveriesOf(job)
          const data = attempted ? { ...job.data, history: withRecord(job.data, deliveries, 'released', reason) } : { ...job.data, uncounted: job.data.uncounted + 1 }
          if (data.message.expiresAtMs <= clock.nowMs()) {
            await park(job, lease.token, data)
            return { kind: 'ended', as: 'expired' }
          }
          if (attempted && deliveries >= data.message.maxDeliveries) {
            await die(job, lease.token, data, reason)
            return { kind: 'ended', as: 'dead_lettered' }
          }
          await job.updateData(data)
          if (delayMs > 0) await job.moveToDelayed(Date.now() + delayMs, lease.token)
          else await job.moveToWait(lease.token)
          if (delayMs === 0) signal('work')
          return { kind: 'released', availableAtMs: clock.nowMs() + delayMs }
        }),
      )
    },

    async deadLetter(lease, reason) {
      return await guarded(() =>
        unlessLost<ReleaseOutcome>(async () => {
          const found = await held(lease)
          if (found === undefined || 'alarm' in found || !(await renew(found.job, lease.token, defaultPollMs * 20))) return { kind: 'lost' }
          const { job } = found
          claimed.delete(lease.token)
          await die(job, lease.token, { ...job.data, history: withRecord(job.data, deliveriesOf(job), 'dead_lettered', reason) }, reason)
          return { kind: 'ended', as: 'dead_lettered' }
        }),
      )
    },

    async remove(id) {
      return await guarded(async () => {
        const [found, alarm] = await Promise.all([find(id), alarmOf(id)])
        if (found === undefined) return alarm?.data.ended ? { kind: 'ended' as const, as: alarm.data.ended.ended } : { kind: 'absent' as const }
        const { job } = found
        const state = await job.getState()
        if (state === 'active') return { kind: 'leased' as const, workerId: job.data.holder, leaseUntilMs: job.data.leaseUntilMs }
        if (state === 'failed') return { kind: 'ended' as const, as: 'dead_lettered' as const }
        if (job.data.message.expiresAtMs <= clock.nowMs()) return { kind: 'ended' as const, as: 'expired' as const }
        if ((await classOf(found.rank).queue.remove(job.id ?? '')) !== 1) {
          // A worker was quicker.
          const now = (await classOf(found.rank).queue.getJob(jobId(id))) as MessageJob | undefined
          return now === undefined ? { kind: 'absent' as const } : { kind: 'leased' as const, workerId: now.data.holder, leaseUntilMs: now.data.leaseUntilMs }
        }
        await alarms.remove(jobId(id))
        return { kind: 'removed' as const, message: messageOf(job.data) }
      })
    },

    async inspect() {
      return await guarded(async () => {
        const nowMs = Date.now()
        const all = await Promise.all(
          classes.map(async ({ queue }) => {
            const [counts, [oldest]] = await Promise.all([queue.getJobCounts('waiting', 'delayed', 'active', 'failed'), queue.getWaiting(0, 0)])
            const { waiting = 0, delayed = 0, active = 0, failed = 0 } = counts
            return { depth: { waiting, delayed, leased: active, oldestAgeMs: oldest === undefined ? null : Math.max(0, nowMs - oldest.timestamp) } satisfies ClassDepth, failed }
          }),
        )
        const classDepth = (priority: Priority): ClassDepth => all[priorityRank(priority)]?.depth ?? { waiting: 0, delayed: 0, leased: 0, oldestAgeMs: null }
        return {
          depth: all.reduce((sum, { depth }) => sum + depth.waiting + depth.delayed, 0),
          maxDepth: limits.maxDepth,
          classes: { critical: classDepth('critical'), high: classDepth('high'), medium: classDepth('medium'), low: classDepth('low') },
          unreported: await alarms.getJobCountByTypes('waiting', 'active'),
          deadLetters: all.reduce((sum, { failed }) => sum + failed, 0),
        }
      })
    },

    async listDeadLetters({ limit, after }) {
      assertPage(limit)
      return await guarded(async () => {
        const failed = (await Promise.all(classes.map(({ queue }) => queue.getFailed(0, storeLimits.endedPerCall)))).flat() as MessageJob[]
        const letters = failed
          .sort((a, b) => a.timestamp - b.timestamp)
          .map((job) => ({
            message: messageOf(job.data),
            deliveries: deliveriesOf(job),
            reason: job.failedReason,
            diedAtMs: job.data.history.at(-1)?.atMs ?? job.timestamp,
            history: job.data.history,
            reported: job.data.reported,
          }))
        const from = after === undefined ? 0 : letters.findIndex((letter) => letter.message.id === after) + 1
        return letters.slice(from, from + limit)
      })
    },

    async retryDeadLetter(id, { expiresAtMs, deadlineMs }) {
      assertInstant('expiresAtMs', expiresAtMs)
      assertInstant('deadlineMs', deadlineMs)
      return await guarded(async () => {
        const found = await find(id)
        const alarm = await alarmOf(id)
        if (found === undefined || (await found.job.getState()) !== 'failed' || (alarm !== undefined && (await alarm.getState()) === 'active')) return false
        const { queue } = classOf(found.rank)
        const { data } = found.job
        if ((await queue.remove(jobId(id))) !== 1) return false
        await alarms.remove(jobId(id))
        await addAlarm(id, found.rank, expiresAtMs - clock.nowMs())
        const message = { ...data.message, expiresAtMs, deadlineMs }
        await queue.add('message', { ...data, message, holder: '', uncounted: 0, reported: false, history: [] }, { jobId: jobId(id) })
        signal('work')
        return true
      })
    },

    async dropDeadLetter(id) {
      return await guarded(async () => {
        const found = await find(id)
        if (found === undefined || (await found.job.getState()) !== 'failed') return false
        const dropped = (await classOf(found.rank).queue.remove(jobId(id))) === 1
        await alarms.remove(jobId(id))
        return dropped
      })
    },

    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    check: () => guarded(async () => void (await connection.set(`${prefix}probe`, '1', 'EX', 60))),

    async close() {
      if (closed) return
      closed = true
      clearInterval(pollTimer)
      listeners.clear()
      await polling
      await Promise.all([...classes.flatMap(({ queue, worker }) => [worker.close(true), queue.close()]), alarmWorker.close(true), alarms.close()].map((closing) => closing.catch(() => undefined)))
      connection.disconnect()
    },
  }
}

/** BullMQ refuses ids that are whole numbers or hold a colon. */
function jobId(id: string): string {
  return `m-${Buffer.from(id).toString('base64url')}`
}

function operationId(id: string): string {
  return Buffer.from(id.slice(2), 'base64url').toString()
}

function messageOf(data: MessageData): Message {
  return { ...data.message, payload: JSON.parse(data.payload) as JsonValue }
}

/** BullMQ's own refusals (lock gone or another's, job gone or elsewhere) carry a negative code. */
function isJobError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code < 0
}

/** Without a listener an error of the connection would end the process; the calls report it. */
function silent<Emitter extends { on(event: 'error', listener: () => void): unknown }>(emitter: Emitter): Emitter {
  emitter.on('error', () => undefined)
  return emitter
}
