/**
 * The queue's table in SQLite: one prepared statement for each question and change. The numbers of the states stand in the
 * statements as they stand in the indexes (`sqlite-schema.ts`), so that SQLite sees that an index answers a question.
 */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { DeliveryRecord } from '../message-queue.ts'
import { rankCount, stateCount, type MessageRow, type MessageState, type MessageTable } from '../message-table.ts'

export interface SqliteMessageTable extends MessageTable {
  /** Counts again after a transaction was rolled back. */
  recount(): void
}

const none = '[]'

export function createSqliteMessageTable(database: DatabaseSync): SqliteMessageTable {
  const select = `SELECT message.*, payload.text AS payload FROM message JOIN payload USING (seq)`
  const insertMessage = database.prepare(
    'INSERT INTO message (id, state, rank, enqueued, expires, deadline, max_deliveries, deliveries, due, token, holder, history) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const insertPayload = database.prepare('INSERT INTO payload (seq, text) VALUES (?, ?)')
  const exists = database.prepare('SELECT 1 FROM message WHERE id = ?')
  const byId = database.prepare(`${select} WHERE id = ?`)
  const update = database.prepare('UPDATE message SET state = ?, deliveries = ?, due = ?, token = ?, holder = ?, history = ? WHERE seq = ?')
  const deleteMessage = database.prepare('DELETE FROM message WHERE seq = ?')
  const deletePayload = database.prepare('DELETE FROM payload WHERE seq = ?')
  const head = database.prepare(`${select} WHERE state = 0 AND rank = ? ORDER BY deadline, seq LIMIT 1`)
  const oldest = database.prepare(`${select} WHERE state = 0 AND rank = ? ORDER BY seq LIMIT 1`)
  const nextDue = database.prepare(`${select} WHERE state IN (1, 2, 4, 6) AND due <= ? ORDER BY due LIMIT 1`)
  const nextExpired = database.prepare(`${select} WHERE state IN (0, 1, 3) AND expires <= ? ORDER BY expires LIMIT 1`)
  const nextDead = database.prepare(`${select} WHERE state = 5 ORDER BY seq LIMIT 1`)
  const inState = database.prepare(`${select} WHERE state IN (1, 2, 4, 6) AND state = ? LIMIT 1`)
  const listDead = database.prepare(`${select} WHERE state IN (5, 6, 7) AND seq > ? ORDER BY seq LIMIT ?`)
  const countAll = database.prepare('SELECT state, rank, count(*) AS count FROM message GROUP BY state, rank')

  const counts = new Map<number, number>()
  const slot = (state: number, rank: number): number => state * rankCount + rank
  const bump = (state: number, rank: number, by: number): void => {
    counts.set(slot(state, rank), (counts.get(slot(state, rank)) ?? 0) + by)
  }
  const recount = (): void => {
    for (let index = 0; index < stateCount * rankCount; index += 1) counts.set(index, 0)
    for (const row of countAll.all()) counts.set(slot(Number(row['state']), Number(row['rank'])), Number(row['count']))
  }
  recount()

  return {
    recount,
    insert(message, progress) {
      const history = progress.history.length === 0 ? none : JSON.stringify(progress.history)
      const { lastInsertRowid } = insertMessage.run(
        message.id,
        progress.state,
        message.rank,
        message.enqueuedMs,
        message.expiresMs,
        message.deadlineMs,
        message.maxDeliveries,
        progress.deliveries,
        progress.dueMs,
        progress.token,
        progress.holder,
        history,
      )
      insertPayload.run(lastInsertRowid, message.payload)
      bump(progress.state, message.rank, 1)
    },
    has: (id) => exists.get(id) !== undefined,
    find: (id) => toRow(byId.get(id)),
    update(row, progress) {
      const history = progress.history.length === 0 ? none : JSON.stringify(progress.history)
      update.run(progress.state, progress.deliveries, progress.dueMs, progress.token, progress.holder, history, row.seq)
      bump(row.state, row.rank, -1)
      bump(progress.state, row.rank, 1)
    },
    delete(row) {
      deleteMessage.run(row.seq)
      deletePayload.run(row.seq)
      bump(row.state, row.rank, -1)
    },
    head: (rank) => toRow(head.get(rank)),
    oldest: (rank) => toRow(oldest.get(rank)),
    nextDue: (untilMs) => toRow(nextDue.get(untilMs)),
    nextExpired: (untilMs) => toRow(nextExpired.get(untilMs)),
    nextDead: () => toRow(nextDead.get()),
    nextInState: (state) => toRow(inState.get(state)),
    listDead: (afterSeq, limit) => listDead.all(afterSeq, limit).flatMap((columns) => toRow(columns) ?? []),
    count: (state, rank) => counts.get(slot(state, rank)) ?? 0,
  }
}

function toRow(columns: Record<string, SQLOutputValue> | undefined): MessageRow | undefined {
  if (columns === undefined) return undefined
  const history = String(columns['history'])
  return {
    seq: Number(columns['seq']),
    id: String(columns['id']),
    state: Number(columns['state']) as MessageState,
    rank: Number(columns['rank']),
    payload: String(columns['payload']),
    enqueuedMs: Number(columns['enqueued']),
    expiresMs: Number(columns['expires']),
    deadlineMs: Number(columns['deadline']),
    maxDeliveries: Number(columns['max_deliveries']),
    deliveries: Number(columns['deliveries']),
    dueMs: Number(columns['due']),
    token: String(columns['token']),
    holder: String(columns['holder']),
    history: history === none ? [] : (JSON.parse(history) as readonly DeliveryRecord[]),
  }
}
