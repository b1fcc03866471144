/**
 * The message queue of an engine that belongs to one process: the port on the outside, `queue-core.ts` on the inside, which
 * runs wherever the engine's `call` takes it (here at once, in a group commit, or on a worker thread).
 *
 * It adds what the rules must not know: the clock, tokens, JSON, and the notifications. One scheduled call wakes it when a
 * delay, a lease or a lifetime ends, so that subscribers hear of it without polling.
 */
import { randomUUID } from 'node:crypto'
import type { JsonValue } from '../../operation/converse.ts'
import { priorities, priorityRank, type Priority } from '../../operation/matrix.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import { afterClaim, retryAfterMs, unknownDrainRate } from '../drain-rate.ts'
import { assertClaim, assertDelay, assertInstant, assertLease, assertPage, checkedPayload } from '../message-checks.ts'
import type { ClassDepth, DeliveryRecord, Message, MessageQueue, QueueOptions, QueueSignal } from '../message-queue.ts'
import { messageStates, type MessageRow } from '../message-table.ts'
import type { QueueCore } from '../queue-core.ts'
import { StoreError } from '../store-error.ts'
import type { SteadyClock } from './steady-clock.ts'

export type CallQueue = <Method extends keyof QueueCore>(method: Method, ...args: Parameters<QueueCore[Method]>) => Promise<ReturnType<QueueCore[Method]>>

export interface LocalQueueParts {
  readonly clock: Clock
  readonly steady: SteadyClock
  readonly options: QueueOptions
  readonly call: CallQueue
  readonly check: () => Promise<void>
  readonly close: () => Promise<void>
}

export function createLocalMessageQueue({ clock, steady, options, call, check, close }: LocalQueueParts): MessageQueue {
  const tokenPrefix = randomUUID()
  const listeners = new Set<(signal: QueueSignal) => void>()
  let tokens = 0
  let drainRate = unknownDrainRate
  let wake: { readonly atMs: number; readonly cancel: CancelSchedule } | undefined
  let closed = false

  const assertOpen = (): void => {
    if (closed) throw new StoreError('closed', 'The queue is closed.')
  }

  const signal = (what: QueueSignal): void => {
    for (const listener of listeners) listener(what)
  }

  /** Wakes at that steady instant, unless it will be awake earlier anyway. */
  const wakeAt = (steadyMs: number): void => {
    if (closed || (wake !== undefined && wake.atMs <= steadyMs)) return
    wake?.cancel()
    const inMs = Math.max(0, steadyMs - steady.nowMs())
    wake = { atMs: steadyMs, cancel: clock.schedule(clock.monotonicMs() + inMs, () => void tick()) }
  }

  const tick = async (): Promise<void> => {
    wake = undefined
    try {
      const next = await call('tick', steady.nowMs())
      if (next.nextMs !== undefined) wakeAt(next.nextMs)
      if (next.work) signal('work')
      if (next.ended) signal('ended')
    } catch {
      // The engine is closed or out of order: the next call says so to somebody who can do something about it.
    }
  }

  const nextToken = (): string => {
    tokens += 1
    return `${tokenPrefix}.${tokens}`
  }

  const messageOf = (row: MessageRow): Message => ({
    id: row.id,
    priority: priorityOf(row.rank),
    payload: JSON.parse(row.payload) as JsonValue,
    enqueuedAtMs: steady.toWall(row.enqueuedMs),
    expiresAtMs: steady.toWall(row.expiresMs),
    deadlineMs: steady.toWall(row.deadlineMs),
    maxDeliveries: row.maxDeliveries,
  })

  const historyOf = (row: MessageRow): readonly DeliveryRecord[] => row.history.map((record) => ({ ...record, atMs: steady.toWall(record.atMs) }))

  const isDead = (row: MessageRow): boolean => row.state >= messageStates.dead

  const endReason = (row: MessageRow): string => {
    const last = row.history.at(-1)
    if (isDead(row)) return last?.reason ?? 'no delivery is left'
    return last === undefined ? 'it waited in the queue until its time was over' : `its time was over; the last delivery ${last.ended}: ${last.reason}`
  }

  void tick()

  return {
    async enqueue(message) {
      assertOpen()
      const payload = checkedPayload(message)
      const expiresMs = steady.fromWall(message.expiresAtMs)
      const outcome = await call('enqueue', {
        id: message.id,
        rank: priorityRank(message.priority),
        payload,
        enqueuedMs: steady.fromWall(message.enqueuedAtMs),
        expiresMs,
        deadlineMs: steady.fromWall(message.deadlineMs),
        maxDeliveries: message.maxDeliveries,
      })
      switch (outcome.kind) {
        case 'duplicate':
          return outcome
        case 'refused':
          return { kind: 'refused', depth: outcome.depth, retryAfterMs: retryAfterMs(drainRate, outcome.depth) }
        case 'enqueued':
          wakeAt(expiresMs)
          signal('work')
          return { kind: 'enqueued', depth: outcome.depth }
      }
    },

    async claim(request) {
      assertOpen()
      assertClaim(request)
      const row = await call('claim', { ...request, token: nextToken() }, steady.nowMs())
      if (row === undefined) return undefined
      drainRate = afterClaim(drainRate, clock.monotonicMs())
      wakeAt(row.dueMs)
      return {
        lease: { id: row.id, token: row.token },
        leaseUntilMs: steady.toWall(row.dueMs),
        message: messageOf(row),
        delivery: row.deliveries,
        history: historyOf(row),
      }
    },

    async claimEnded({ workerId, leaseMs, limit }) {
      assertOpen()
      assertLease(leaseMs)
      assertPage(limit)
      const rows = await call('claimEnded', { workerId, leaseMs, token: nextToken() }, limit, steady.nowMs())
      const first = rows[0]
      if (first !== undefined) wakeAt(first.dueMs)
      return rows.map((row) => ({
        lease: { id: row.id, token: row.token },
        leaseUntilMs: steady.toWall(row.dueMs),
        message: messageOf(row),
        ended: isDead(row) ? 'dead_lettered' : 'expired',
        reason: endReason(row),
        deliveries: row.deliveries,
        history: historyOf(row),
      }))
    },

    async extend(lease, leaseMs) {
      assertOpen()
      assertLease(leaseMs)
      const untilMs = await call('extend', lease.id, lease.token, leaseMs, steady.nowMs())
      if (untilMs === undefined) return { kind: 'lost' }
      wakeAt(untilMs)
      return { kind: 'extended', leaseUntilMs: steady.toWall(untilMs) }
    },

    async complete(lease) {
      assertOpen()
      return { kind: (await call('complete', lease.id, lease.token)) ? 'completed' : 'lost' }
    },

    async release(lease, { delayMs, reason, attempted }) {
      assertOpen()
      assertDelay(delayMs)
      const outcome = await call('release', lease.id, lease.token, delayMs, reason, attempted, steady.nowMs())
      if (outcome.kind === 'ended') signal('ended')
      if (outcome.kind !== 'released') return outcome
      wakeAt(outcome.availableMs)
      return { kind: 'released', availableAtMs: steady.toWall(outcome.availableMs) }
    },

    async deadLetter(lease, reason) {
      assertOpen()
      const outcome = await call('deadLetter', lease.id, lease.token, reason, steady.nowMs())
      if (outcome.kind === 'ended') signal('ended')
      return outcome.kind === 'released' ? { kind: 'released', availableAtMs: steady.toWall(outcome.availableMs) } : outcome
    },

    async remove(id) {
      assertOpen()
      const outcome = await call('remove', id, steady.nowMs())
      switch (outcome.kind) {
        case 'removed':
          return { kind: 'removed', message: messageOf(outcome.row) }
        case 'leased':
          return { kind: 'leased', workerId: outcome.workerId, leaseUntilMs: steady.toWall(outcome.untilMs) }
        default:
          return outcome
      }
    },

    async inspect() {
      assertOpen()
      const nowMs = steady.nowMs()
      const { depth, classes, unreported, deadLetters } = await call('inspect', nowMs)
      const classDepth = (priority: Priority): ClassDepth => {
        const { waiting = 0, delayed = 0, leased = 0, oldestMs = null } = classes[priorityRank(priority)] ?? {}
        return { waiting, delayed, leased, oldestAgeMs: oldestMs === null ? null : Math.max(0, nowMs - oldestMs) }
      }
      return {
        depth,
        maxDepth: options.maxDepth,
        classes: { critical: classDepth('critical'), high: classDepth('high'), medium: classDepth('medium'), low: classDepth('low') },
        unreported,
        deadLetters,
      }
    },

    async listDeadLetters({ limit, after }) {
      assertOpen()
      assertPage(limit)
      const rows = await call('listDeadLetters', after, limit)
      return rows.map((row) => ({
        message: messageOf(row),
        deliveries: row.deliveries,
        reason: endReason(row),
        diedAtMs: steady.toWall(row.history.at(-1)?.atMs ?? row.enqueuedMs),
        history: historyOf(row),
        reported: row.state === messageStates.resting,
      }))
    },

    async retryDeadLetter(id, { expiresAtMs, deadlineMs }) {
      assertOpen()
      assertInstant('expiresAtMs', expiresAtMs)
      assertInstant('deadlineMs', deadlineMs)
      const expiresMs = steady.fromWall(expiresAtMs)
      const isBack = await call('retryDeadLetter', id, expiresMs, steady.fromWall(deadlineMs))
      if (isBack) {
        wakeAt(expiresMs)
        signal('work')
      }
      return isBack
    },

    async dropDeadLetter(id) {
      assertOpen()
      return await call('dropDeadLetter', id)
    },

    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    async check() {
      assertOpen()
      await check()
    },

    async close() {
      if (closed) return
      closed = true
      wake?.cancel()
      listeners.clear()
      await close()
    },
  }
}

function priorityOf(rank: number): Priority {
  return priorities[rank] ?? 'low'
}
