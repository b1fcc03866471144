/**
 * The queue's table in memory: a map by id and a heap for each ordered question, so that everything is O(log n). A message
 * is in the heaps that its state belongs to and nowhere else.
 */
import { createIndexedHeap, type HeapNode, type IndexedHeap } from '../indexed-heap.ts'
import { messageStates as states, rankCount, stateCount, type MessageRow, type MessageState, type MessageTable } from '../message-table.ts'

interface Entry {
  row: MessageRow
  /** Each heap that it is in, and its node there. */
  places: { readonly heap: IndexedHeap<Entry>; readonly node: HeapNode<Entry> }[]
}

export function createMemoryMessageTable(): MessageTable {
  const byId = new Map<string, Entry>()
  const byDeadline = Array.from({ length: rankCount }, () =>
    createIndexedHeap<Entry>((a, b) => a.row.deadlineMs < b.row.deadlineMs || (a.row.deadlineMs === b.row.deadlineMs && a.row.seq < b.row.seq)),
  )
  const byArrival = Array.from({ length: rankCount }, () => createIndexedHeap<Entry>((a, b) => a.row.seq < b.row.seq))
  const byDue = createIndexedHeap<Entry>((a, b) => a.row.dueMs < b.row.dueMs)
  const byExpiry = createIndexedHeap<Entry>((a, b) => a.row.expiresMs < b.row.expiresMs)
  const deadByArrival = createIndexedHeap<Entry>((a, b) => a.row.seq < b.row.seq)
  /** Dead in any way: few, and listed in order of arrival. */
  const dead = new Map<string, Entry>()
  const counts = Array.from({ length: stateCount * rankCount }, () => 0)
  let lastSeq = 0

  const heapsFor = ({ state, rank }: MessageRow): readonly (IndexedHeap<Entry> | undefined)[] => {
    switch (state) {
      case states.waiting:
        return [byDeadline[rank], byArrival[rank], byExpiry]
      case states.delayed:
        return [byDue, byExpiry]
      case states.leased:
      case states.reportingExpired:
      case states.reportingDead:
        return [byDue]
      case states.expired:
        return [byExpiry]
      case states.dead:
        return [deadByArrival]
      case states.resting:
        return []
    }
  }

  const enter = (entry: Entry): void => {
    const { row } = entry
    entry.places = heapsFor(row).flatMap((heap) => (heap === undefined ? [] : [{ heap, node: heap.push(entry) }]))
    bump(row, 1)
    if (row.state >= states.dead) dead.set(row.id, entry)
  }

  const leave = (entry: Entry): void => {
    for (const { heap, node } of entry.places) heap.remove(node)
    entry.places = []
    bump(entry.row, -1)
    dead.delete(entry.row.id)
  }

  const bump = (row: MessageRow, by: number): void => {
    const index = row.state * rankCount + row.rank
    counts[index] = (counts[index] ?? 0) + by
  }

  return {
    insert(message, progress) {
      lastSeq += 1
      const entry: Entry = { row: { ...message, ...progress, seq: lastSeq }, places: [] }
      byId.set(message.id, entry)
      enter(entry)
    },
    has: (id) => byId.has(id),
    find: (id) => byId.get(id)?.row,
    update(row, progress) {
      const entry = byId.get(row.id)
      if (entry === undefined) return
      leave(entry)
      entry.row = { ...entry.row, ...progressOf(progress) }
      enter(entry)
    },
    delete(row) {
      const entry = byId.get(row.id)
      if (entry === undefined) return
      leave(entry)
      byId.delete(row.id)
    },
    head: (rank) => byDeadline[rank]?.first()?.row,
    oldest: (rank) => byArrival[rank]?.first()?.row,
    nextDue(untilMs) {
      const row = byDue.first()?.row
      return row !== undefined && row.dueMs <= untilMs ? row : undefined
    },
    nextExpired(untilMs) {
      const row = byExpiry.first()?.row
      return row !== undefined && row.expiresMs <= untilMs ? row : undefined
    },
    nextDead: () => deadByArrival.first()?.row,
    nextInState(state) {
      for (const entry of byId.values()) if (entry.row.state === state) return entry.row
      return undefined
    },
    listDead: (afterSeq, limit) =>
      [...dead.values()]
        .map((entry) => entry.row)
        .filter((row) => row.seq > afterSeq)
        .sort((a, b) => a.seq - b.seq)
        .slice(0, limit),
    count: (state: MessageState, rank: number) => counts[state * rankCount + rank] ?? 0,
  }
}

/** A caller may hand in a whole row: only what changes is taken from it. */
function progressOf({ state, deliveries, dueMs, token, holder, history }: Pick<MessageRow, 'state' | 'deliveries' | 'dueMs' | 'token' | 'holder' | 'history'>) {
  return { state, deliveries, dueMs, token, holder, history }
}
