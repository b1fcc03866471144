/**
 * The queue's rules for engines that belong to one process: what may be claimed, by whom, when a lease lapses, what expires
 * and what dies. Synchronous, over a `MessageTable`; instants are arguments; all that must survive is in the table, so a
 * transaction that is rolled back takes nothing with it that the rules still believe. It knows neither SQLite nor threads.
 *
 * The rules are those of the port (`message-queue.ts`). Work that time has made due (delays that ended, leases that lapsed)
 * is done a bounded number at a time before each question, so that no call is long.
 */
import { storeLimits } from './limits.ts'
import type { DeliveryEnd, DeliveryRecord, QueueOptions } from './message-queue.ts'
import { messageStates as states, rankCount, type MessageProgress, type MessageRow, type MessageState, type MessageTable, type NewMessage } from './message-table.ts'

export type CoreEnqueueOutcome = { readonly kind: 'enqueued' | 'refused'; readonly depth: number } | { readonly kind: 'duplicate' }
export type CoreEnd = 'expired' | 'dead_lettered'
export type CoreRelease =
  | { readonly kind: 'released'; readonly availableMs: number }
  | { readonly kind: 'ended'; readonly as: CoreEnd }
  | { readonly kind: 'lost' }
export type CoreRemove =
  | { readonly kind: 'removed'; readonly row: MessageRow }
  | { readonly kind: 'leased'; readonly workerId: string; readonly untilMs: number }
  | { readonly kind: 'ended'; readonly as: CoreEnd }
  | { readonly kind: 'absent' }
export interface CoreInspection {
  readonly depth: number
  readonly classes: readonly { readonly waiting: number; readonly delayed: number; readonly leased: number; readonly oldestMs: number | null }[]
  readonly unreported: number
  readonly deadLetters: number
}
export interface CoreClaim {
  readonly workerId: string
  readonly token: string
  readonly leaseMs: number
}

export interface QueueCore {
  enqueue(message: NewMessage): CoreEnqueueOutcome
  claim(claim: CoreClaim, nowMs: number): MessageRow | undefined
  claimEnded(claim: CoreClaim, limit: number, nowMs: number): readonly MessageRow[]
  extend(id: string, token: string, leaseMs: number, nowMs: number): number | undefined
  complete(id: string, token: string): boolean
  release(id: string, token: string, delayMs: number, reason: string, attempted: boolean, nowMs: number): CoreRelease
  deadLetter(id: string, token: string, reason: string, nowMs: number): CoreRelease
  remove(id: string, nowMs: number): CoreRemove
  inspect(nowMs: number): CoreInspection
  listDeadLetters(afterId: string | undefined, limit: number): readonly MessageRow[]
  retryDeadLetter(id: string, expiresMs: number, deadlineMs: number): boolean
  dropDeadLetter(id: string): boolean
  /** Does what has become due; the next instant at which something will be, and what there is to fetch now. */
  tick(nowMs: number): { readonly nextMs: number | undefined; readonly work: boolean; readonly ended: boolean }
  /** After a start: whoever held a lease is gone. */
  recover(nowMs: number): void
}

const idle = { dueMs: 0, token: '', holder: '' } as const

export function createQueueCore(table: MessageTable, options: QueueOptions): QueueCore {
  let claims = 0

  const countAll = (state: MessageState): number => {
    let sum = 0
    for (let rank = 0; rank < rankCount; rank += 1) sum += table.count(state, rank)
    return sum
  }
  const depth = (): number => countAll(states.waiting) + countAll(states.delayed)

  const withRecord = (row: MessageRow, ended: DeliveryEnd, reason: string, atMs: number): readonly DeliveryRecord[] => {
    const record = { delivery: row.deliveries, workerId: row.holder, ended, reason: reason.slice(0, storeLimits.reasonCharacters), atMs }
    return [...row.history, record].slice(-storeLimits.historyRecords)
  }

  /** Makes room by dropping dead letters that were reported, the oldest first. */
  const bury = (row: MessageRow, progress: MessageProgress): void => {
    table.update(row, progress)
    if (countAll(states.dead) + countAll(states.reportingDead) + countAll(states.resting) <= storeLimits.deadLetters) return
    const oldest = table.listDead(-1, storeLimits.deadLetters).find((candidate) => candidate.state === states.resting)
    if (oldest !== undefined) table.delete(oldest)
  }

  /** Where a message goes whose delivery ended without success. */
  const putBack = (row: MessageRow, history: readonly DeliveryRecord[], deliveries: number, availableMs: number, nowMs: number): CoreRelease => {
    if (row.expiresMs <= nowMs) {
      table.update(row, { ...idle, state: states.expired, deliveries, history })
      return { kind: 'ended', as: 'expired' }
    }
    if (deliveries >= row.maxDeliveries) {
      bury(row, { ...idle, state: states.dead, deliveries, history, dueMs: nowMs })
      return { kind: 'ended', as: 'dead_lettered' }
    }
    const state = availableMs > nowMs ? states.delayed : states.waiting
    table.update(row, { ...idle, state, deliveries, history, dueMs: state === states.delayed ? availableMs : 0 })
    return { kind: 'released', availableMs }
  }

  const lapse = (row: MessageRow, nowMs: number): void => {
    if (row.state === states.leased) {
      putBack(row, withRecord(row, 'lapsed', 'the lease ran out: the worker died or stalled', nowMs), row.deliveries, nowMs, nowMs)
    } else if (row.state === states.reportingExpired) {
      table.update(row, { ...idle, state: states.expired, deliveries: row.deliveries, history: row.history })
    } else {
      table.update(row, { ...idle, state: states.dead, deliveries: row.deliveries, history: row.history, dueMs: diedMs(row, nowMs) })
    }
  }

  const settle = (nowMs: number): void => {
    for (let count = 0; count < storeLimits.duePerCall; count += 1) {
      const row = table.nextDue(nowMs)
      if (row === undefined) return
      if (row.state === states.delayed) table.update(row, { ...idle, state: states.waiting, deliveries: row.deliveries, history: row.history })
      else lapse(row, nowMs)
    }
  }

  const firstByPriority = (): MessageRow | undefined => {
    for (let rank = 0; rank < rankCount; rank += 1) {
      if (table.count(states.waiting, rank) > 0) return table.head(rank)
    }
    return undefined
  }

  const longestWaitingBelow = (): MessageRow | undefined => {
    let top = 0
    while (top < rankCount && table.count(states.waiting, top) === 0) top += 1
    let chosen: MessageRow | undefined
    for (let rank = top + 1; rank < rankCount; rank += 1) {
      const row = table.count(states.waiting, rank) > 0 ? table.oldest(rank) : undefined
      if (row !== undefined && (chosen === undefined || row.seq < chosen.seq)) chosen = row
    }
    return chosen
  }

  const held = (id: string, token: string): MessageRow | undefined => {
    const row = table.find(id)
    return row !== undefined && isLease(row.state) && row.token === token ? row : undefined
  }

  return {
    enqueue(message) {
      if (table.has(message.id)) return { kind: 'duplicate' }
      const depthNow = depth()
      if (depthNow >= Math.floor(options.maxDepth * (storeLimits.depthShares[message.rank] ?? 1))) return { kind: 'refused', depth: depthNow }
      table.insert(message, { ...idle, state: states.waiting, deliveries: 0, history: [] })
      return { kind: 'enqueued', depth: depthNow + 1 }
    },

    claim(claim, nowMs) {
      settle(nowMs)
      claims += 1
      const reserved = options.reservedClaimEvery > 0 && claims % options.reservedClaimEvery === 0
      // Each turn moves one expired message out of the way for good: the cost is the message's own, paid once.
      for (let count = 0; count < storeLimits.expiredPerClaim; count += 1) {
        const row = (reserved ? longestWaitingBelow() : undefined) ?? firstByPriority()
        if (row === undefined) return undefined
        if (row.expiresMs <= nowMs) {
          table.update(row, { ...idle, state: states.expired, deliveries: row.deliveries, history: row.history })
          continue
        }
        const progress = { state: states.leased, deliveries: row.deliveries + 1, history: row.history, dueMs: nowMs + claim.leaseMs, token: claim.token, holder: claim.workerId }
        table.update(row, progress)
        return { ...row, ...progress }
      }
      return undefined
    },

    claimEnded(claim, limit, nowMs) {
      settle(nowMs)
      const ended: MessageRow[] = []
      while (ended.length < limit) {
        const row = table.nextExpired(nowMs) ?? table.nextDead()
        if (row === undefined) break
        const isDead = row.state === states.dead
        const progress = {
          state: isDead ? states.reportingDead : states.reportingExpired,
          deliveries: row.deliveries,
          history: row.history,
          dueMs: nowMs + claim.leaseMs,
          token: `${claim.token}.${ended.length}`,
          holder: claim.workerId,
        }
        table.update(row, progress)
        ended.push({ ...row, ...progress })
      }
      return ended
    },

    extend(id, token, leaseMs, nowMs) {
      const row = held(id, token)
      if (row === undefined) return undefined
      table.update(row, { ...row, dueMs: nowMs + leaseMs })
      return nowMs + leaseMs
    },

    complete(id, token) {
      const row = held(id, token)
      if (row === undefined) return false
      if (row.state === states.reportingDead) {
        table.update(row, { ...idle, state: states.resting, deliveries: row.deliveries, history: row.history, dueMs: diedMs(row, row.dueMs) })
      } else {
        table.delete(row)
      }
      return true
    },

    release(id, token, delayMs, reason, attempted, nowMs) {
      const row = held(id, token)
      if (row === undefined) return { kind: 'lost' }
      if (row.state !== states.leased) {
        lapse(row, nowMs)
        return { kind: 'ended', as: row.state === states.reportingDead ? 'dead_lettered' : 'expired' }
      }
      const history = attempted ? withRecord(row, 'released', reason, nowMs) : row.history
      return putBack(row, history, attempted ? row.deliveries : row.deliveries - 1, nowMs + delayMs, nowMs)
    },

    deadLetter(id, token, reason, nowMs) {
      const row = held(id, token)
      if (row === undefined) return { kind: 'lost' }
      bury(row, { ...idle, state: states.dead, deliveries: row.deliveries, history: withRecord(row, 'dead_lettered', reason, nowMs), dueMs: nowMs })
      return { kind: 'ended', as: 'dead_lettered' }
    },

    remove(id, nowMs) {
      const found = table.find(id)
      if (found !== undefined && isLease(found.state) && found.dueMs <= nowMs) lapse(found, nowMs)
      const row = table.find(id)
      if (row === undefined) return { kind: 'absent' }
      if (isLease(row.state)) return { kind: 'leased', workerId: row.holder, untilMs: row.dueMs }
      if (row.state === states.dead || row.state === states.resting) return { kind: 'ended', as: 'dead_lettered' }
      if (row.expiresMs <= nowMs || row.state === states.expired) return { kind: 'ended', as: 'expired' }
      table.delete(row)
      return { kind: 'removed', row }
    },

    inspect(nowMs) {
      settle(nowMs)
      const classes = Array.from({ length: rankCount }, (_, rank) => ({
        waiting: table.count(states.waiting, rank),
        delayed: table.count(states.delayed, rank),
        leased: table.count(states.leased, rank),
        oldestMs: table.count(states.waiting, rank) > 0 ? (table.oldest(rank)?.enqueuedMs ?? null) : null,
      }))
      const dead = countAll(states.dead) + countAll(states.reportingDead)
      return {
        depth: depth(),
        classes,
        unreported: dead + countAll(states.expired) + countAll(states.reportingExpired),
        deadLetters: dead + countAll(states.resting),
      }
    },

    listDeadLetters(afterId, limit) {
      const afterSeq = afterId === undefined ? -1 : (table.find(afterId)?.seq ?? -1)
      return table.listDead(afterSeq, limit)
    },

    retryDeadLetter(id, expiresMs, deadlineMs) {
      const row = table.find(id)
      if (row === undefined || (row.state !== states.dead && row.state !== states.resting)) return false
      table.delete(row)
      table.insert({ ...newMessageOf(row), expiresMs, deadlineMs }, { ...idle, state: states.waiting, deliveries: 0, history: row.history })
      return true
    },

    dropDeadLetter(id) {
      const row = table.find(id)
      if (row === undefined || (row.state !== states.dead && row.state !== states.resting)) return false
      table.delete(row)
      return true
    },

    tick(nowMs) {
      settle(nowMs)
      const nextDue = table.nextDue(Number.MAX_SAFE_INTEGER)?.dueMs
      const nextExpiry = table.nextExpired(Number.MAX_SAFE_INTEGER)?.expiresMs
      const ended = (nextExpiry !== undefined && nextExpiry <= nowMs) || countAll(states.dead) > 0
      // What has expired waits for its report; only the expiries to come need a call of their own, and the report asks again.
      const instants = [nextDue, nextExpiry !== undefined && nextExpiry > nowMs ? nextExpiry : undefined].filter((instant) => instant !== undefined)
      return { nextMs: instants.length === 0 ? undefined : Math.min(...instants), work: countAll(states.waiting) > 0, ended }
    },

    recover(nowMs) {
      // Delays are kept; leases have no holder any more, whatever their instant says.
      for (const state of [states.leased, states.reportingExpired, states.reportingDead]) {
        for (let left = countAll(state); left > 0; left -= 1) {
          const row = table.nextInState(state)
          if (row === undefined) break
          lapse(row, nowMs)
        }
      }
    },
  }
}

function isLease(state: MessageState): boolean {
  return state === states.leased || state === states.reportingExpired || state === states.reportingDead
}

/** The lease's instant has overwritten when it died: the last record of its history knows. */
function diedMs(row: MessageRow, otherwiseMs: number): number {
  return row.history.at(-1)?.atMs ?? otherwiseMs
}

function newMessageOf(row: MessageRow): NewMessage {
  const { id, rank, payload, enqueuedMs, expiresMs, deadlineMs, maxDeliveries } = row
  return { id, rank, payload, enqueuedMs, expiresMs, deadlineMs, maxDeliveries }
}
