/**
 * Messages that have ended on Redis, expired or dead, on their way to whoever reports them. Each has an alarm: a job of
 * the BullMQ queue `ended`, added when the message is found to be due or dies. The alarm looks at the message, takes what has
 * ended over into itself, and is handed out under its own lock until it is completed; dying in between repeats it.
 */
import { randomUUID } from 'node:crypto'
import { priorityRank } from '../../operation/matrix.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { EndedDelivery } from '../message-queue.ts'
import { isLost, type BullJob, type BullQueue } from './bull-queue.ts'
import type { Classes } from './redis-classes.ts'
import type { MessageIndex } from './redis-message-index.ts'
import { deliveriesOf, messageOf, storedMessage, type StoredMessage } from './redis-message.ts'

export interface EndedReport extends Omit<EndedDelivery, 'lease' | 'leaseUntilMs' | 'message'> {
  readonly stored: StoredMessage
}

export interface EndedMessages {
  /** Lets the message's alarm fire now. */
  ring(id: string): Promise<void>
  /** Whether `claim` would find something: no promise. */
  isDue(): Promise<boolean>
  claim(leaseMs: number, limit: number): Promise<readonly EndedDelivery[]>
  /** What is being reported, or is to be. */
  report(id: string): Promise<EndedReport | undefined>
  /** The holder's calls: each says whether it still held the lease, or throws what `isLost` recognises. */
  complete(id: string, token: string, report: EndedReport): Promise<boolean>
  /** The message was completed when its alarm may have been waiting for it. */
  cancel(id: string): Promise<void>
}

/** How long the end of a report may take. */
const settlingMs = 5_000
/** Turns of one claim over alarms whose messages have not ended. */
const turnsPerClaim = 50

export function createEndedMessages(alarms: BullQueue, classes: Classes, index: MessageIndex, clock: Clock, pollMs: number): EndedMessages {
  const reportOf = (alarm: BullJob): EndedReport | null => (JSON.parse(alarm.text) as { readonly ended: EndedReport | null }).ended

  const ring = async (id: string): Promise<void> => {
    await alarms.add(id, noReport)
    try {
      await alarms.promote(id)
    } catch (error) {
      // It rings already.
      if (!isLost(error)) throw error
    }
  }

  /** Gives every message that is due its alarm; from then on the alarm looks after it. */
  const sweep = async (limit: number): Promise<void> => {
    const ids = await index.expired(clock.nowMs(), limit)
    await Promise.all(
      ids.map(async (id) => {
        await alarms.add(id, noReport)
        await index.move(id, 'never')
      }),
    )
  }

  const endedReport = async (stored: StoredMessage, as: EndedReport['ended'], deliveries: number): Promise<EndedReport> => {
    const history = await classes.settledHistory(stored, deliveries)
    const last = history.at(-1)
    const expiredReason = last === undefined ? 'it waited in the queue until its time was over' : `its time was over; the last delivery ${last.ended}: ${last.reason}`
    return { ended: as, reason: as === 'expired' ? expiredReason : (last?.reason ?? 'no delivery is left'), deliveries, history, stored }
  }

  /** What the alarm is to report, or null when there is nothing (any more, or yet). */
  const judge = async (alarm: BullJob, token: string): Promise<EndedReport | null> => {
    const { id } = alarm
    const known = reportOf(alarm)
    if (known !== null) return known
    const found = await classes.find(id)
    if (found === undefined) {
      await alarms.complete(id, token)
      index.leave(id)
      return null
    }
    const { job, rank } = found
    const stored = storedMessage(job)
    const deliveries = deliveriesOf(job, stored)
    switch (await classes.of(rank).state(id)) {
      case 'failed':
        if (!stored.reported) return await endedReport(stored, 'dead_lettered', deliveries)
        await alarms.complete(id, token)
        return null
      case 'active': {
        const leaseUntilMs = (await index.holder(id))?.leaseUntilMs ?? 0
        await alarms.delay(id, token, Math.max(pollMs, leaseUntilMs - clock.nowMs()))
        return null
      }
      default:
        break
    }
    if (stored.message.expiresAtMs > clock.nowMs()) {
      // It was given a new life.
      await index.move(id, stored.message.expiresAtMs)
      await alarms.complete(id, token)
      return null
    }
    const report = await endedReport(stored, 'expired', deliveries)
    await alarms.update(id, { ended: report })
    return report
  }

  return {
    ring,
    async isDue() {
      const [look] = await classes.look([alarms])
      return (look?.ready ?? 0) > 0 || (await index.expired(clock.nowMs(), 1)).length > 0
    },
    async claim(leaseMs, limit) {
      await sweep(limit)
      const ended: EndedDelivery[] = []
      for (let turn = 0; turn < limit + turnsPerClaim && ended.length < limit; turn += 1) {
        const token = randomUUID()
        const alarm = await alarms.claim(token, leaseMs)
        if (alarm === undefined) break
        const report = await judge(alarm, token)
        if (report === null) continue
        const { id } = alarm
        const leaseUntilMs = clock.nowMs() + leaseMs
        await Promise.all([alarms.renew(id, token, leaseMs), alarms.update(id, { ended: report })])
        const { stored, ...rest } = report
        if (report.ended === 'expired') await classes.of(priorityRank(stored.message.priority)).remove(id)
        ended.push({ ...rest, lease: { id, token }, leaseUntilMs, message: messageOf(stored) })
      }
      return ended
    },
    async report(id) {
      const alarm = await alarms.read(id)
      return (alarm === undefined ? null : reportOf(alarm)) ?? undefined
    },
    async complete(id, token, report) {
      if (!(await alarms.renew(id, token, settlingMs))) return false
      if (report.ended === 'dead_lettered') {
        const queue = classes.of(priorityRank(report.stored.message.priority))
        const dead = await queue.read(id)
        if (dead !== undefined) await queue.update(id, { ...storedMessage(dead), reported: true })
      }
      await alarms.complete(id, token)
      if (report.ended === 'expired') index.leave(id)
      return true
    },
    async cancel(id) {
      await alarms.remove(id)
    },
  }
}

const noReport = '{"ended":null}'
