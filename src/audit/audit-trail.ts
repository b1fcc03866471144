/**
 * The shell of the audit trail: appends records one after the other, keeps the signed head, reads, verifies, exports, and
 * removes what is too old behind a signed checkpoint.
 *
 * Appending never makes anybody wait who cannot: `append` takes the record at once and tells when it is written. While the
 * store is away records wait in order, up to a limit (`hasRoom`), and are marked late. Several instances on one store write
 * one chain: a record is written only where its number is free, and whoever comes second reads the new end and tries the
 * next number.
 *
 * It must not know what levers are. Sources: runbook, "audit trail"; public contract, part 7.
 */
import type { SystemEvent } from '../operation/system-event.ts'
import type { JsonValue } from '../operation/converse.ts'
import type { Clock } from '../runtime/clock.ts'
import { sleep } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Ids } from '../runtime/ids.ts'
import type { StateStore } from '../store/state-store.ts'
import { fitsFilter, isAuditRecord, recordKey, type AuditDraft, type AuditFilter, type AuditRecord } from './audit-record.ts'
import { appendTo, chainStart, createChainReader, signPoint, type ChainFinding, type ChainPoint, type Seal, type SignedPoint } from './chain.ts'
import { auditLimits } from './limits.ts'
import { countFailure, endWindows, noFailures, type LoginFailures } from './login-failures.ts'

export type AuditEntry = Omit<AuditDraft, 'id' | 'atMs'> & { readonly id?: string; readonly atMs?: number }

export interface AuditPage {
  /** The newest first. */
  readonly records: readonly AuditRecord[]
  /** Records before this number are the next page; undefined: there is none. */
  readonly before: number | undefined
}

export interface Verification {
  readonly ok: boolean
  readonly records: number
  readonly firstSequence: number
  readonly lastSequence: number
  readonly head: { readonly sequence: number; readonly hash: string } | null
  readonly checkpoint: { readonly sequence: number; readonly hash: string } | null
  readonly findings: readonly ChainFinding[]
  /** Records that wait because the store is away. */
  readonly waiting: number
}

export interface AuditTrail {
  /** Takes the record; `written` resolves once it is in the chain, and never rejects. */
  append(entry: AuditEntry): { readonly id: string; readonly written: Promise<void> }
  /** False when so many records wait that no further one may be taken. */
  hasRoom(): boolean
  waiting(): number
  list(filter: AuditFilter, limit: number, before?: number): Promise<AuditPage>
  find(id: string): Promise<AuditRecord | undefined>
  /** @param anchors heads that somebody noted elsewhere, as the log does */
  verify(anchors?: readonly ChainPoint[]): Promise<Verification>
  /** The whole trail as JSON Lines, oldest first; the last line is the signed head. */
  exportLines(filter: AuditFilter): AsyncGenerator<string>
  /** Removes what is too old or too much; runs by itself every hour. */
  removeOld(): Promise<number>
  /** Writes what waits, as far as the store answers. */
  close(): Promise<void>
}

export interface AuditTrailParts {
  readonly state: StateStore
  readonly clock: Clock
  readonly ids: Ids
  readonly events: EventStream<SystemEvent>
  readonly seal: Seal
  readonly retentionMs: () => number
  readonly onInternalError: (error: unknown) => void
}

const collection = 'audit'
const marks = 'audit-marks'

interface Waiting {
  readonly draft: AuditDraft
  readonly done: () => void
}

export function createAuditTrail(parts: AuditTrailParts): AuditTrail {
  const { state, clock, ids, events, seal } = parts
  const waiting: Waiting[] = []
  const closing = new AbortController()
  let end: ChainPoint | null = null
  let writing: Promise<void> | null = null
  let away = false
  let loggedSequence = 0
  let loggedAtMs = Number.NEGATIVE_INFINITY
  let logins = noFailures
  let dropped = 0

  const append: AuditTrail['append'] = (entry) => {
    const draft: AuditDraft = { ...entry, id: entry.id ?? ids.next('aud'), atMs: entry.atMs ?? clock.nowMs() }
    let done = (): void => undefined
    const written = new Promise<void>((resolve) => {
      done = resolve
    })
    waiting.push({ draft, done })
    writing ??= writeAll()
    return { id: draft.id, written }
  }

  const writeAll = async (): Promise<void> => {
    // The caller goes on first: what it appends in the same turn is written in one go.
    await Promise.resolve()
    while (waiting.length > 0) {
      try {
        await writeNext()
        if (away) recovered()
      } catch (error) {
        if (!away) {
          away = true
          events.publish({ type: 'audit_unwritten', atMs: clock.nowMs(), waiting: waiting.length, reason: error instanceof Error ? error.message : 'the store failed' })
        }
        end = null
        if (closing.signal.aborted) break
        try {
          await sleep(clock, auditLimits.retryMs, closing.signal)
        } catch {
          // Told to close while waiting: one more attempt, then what is left is in the log alone.
        }
      }
    }
    writing = null
    if (waiting.length > 0 && !closing.signal.aborted) writing = writeAll()
  }

  const recovered = (): void => {
    away = false
  }

  const writeNext = async (): Promise<void> => {
    for (let attempt = 0; attempt < auditLimits.appendAttempts; attempt += 1) {
      const next = waiting[0]
      if (next === undefined) return
      end ??= await readEnd()
      const record = appendTo(end, next.draft, clock.nowMs(), seal)
      const outcome = await state.put(collection, recordKey(record.sequence), record as unknown as JsonValue, { ifVersion: 'absent' })
      const current = outcome.stored ? record : outcome.current?.value
      if (typeof current === 'object' && current !== null && isAuditRecord(current as JsonValue)) {
        const there = current as AuditRecord
        end = { sequence: there.sequence, hash: there.hash }
        // An earlier attempt whose outcome was unknown had been carried out after all.
        const ours = outcome.stored || there.id === next.draft.id
        if (!ours) continue
        waiting.shift()
        await writeHead(end)
        next.done()
        return
      }
      // It was there and is gone: look again.
      end = null
    }
    throw new Error('other instances write without pause')
  }

  const readEnd = async (): Promise<ChainPoint> => {
    const [last] = await state.list(collection, { limit: 1, descending: true })
    if (last === undefined) return (await readMark('checkpoint')) ?? chainStart
    if (!isAuditRecord(last.value)) return { sequence: Number(last.key), hash: '' }
    const record = last.value as unknown as AuditRecord
    return { sequence: Number(last.key), hash: record.hash }
  }

  const readMark = async (kind: 'head' | 'checkpoint'): Promise<SignedPoint | null> => {
    const record = await state.get(marks, kind)
    return record === undefined ? null : (record.value as unknown as SignedPoint)
  }

  /** A head is never put back: of two instances the one with the higher number wins. */
  const writeHead = async (point: ChainPoint): Promise<void> => {
    const signed = signPoint('head', point, clock.nowMs(), seal)
    for (let attempt = 0; attempt < auditLimits.appendAttempts; attempt += 1) {
      const current = await state.get(marks, 'head')
      if (current !== undefined && (current.value as unknown as SignedPoint).sequence >= point.sequence) break
      const outcome = await state.put(marks, 'head', signed as unknown as JsonValue, { ifVersion: current?.version ?? 'absent' })
      if (outcome.stored) break
    }
    const nowMs = clock.monotonicMs()
    if (point.sequence - loggedSequence < auditLimits.headLoggedEvery && nowMs - loggedAtMs < auditLimits.headLoggedEveryMs) return
    loggedSequence = point.sequence
    loggedAtMs = nowMs
    events.publish({ type: 'audit_head', atMs: clock.nowMs(), sequence: point.sequence, hash: point.hash })
  }

  const appendLogins = ({ address, count, sinceMs }: LoginFailures, correlationId?: string): void => {
    if (waiting.length >= auditLimits.waiting) {
      dropped += count
      return
    }
    const lost = dropped
    dropped = 0
    append({
      kind: 'login_failure',
      who: address,
      what: 'login',
      component: 'hybrid-router',
      reason: null,
      before: null,
      after: { failures: count, sinceMs, ...(lost === 0 ? {} : { notRecorded: lost }) },
      ...(correlationId === undefined ? {} : { correlationId }),
    })
  }

  const unsubscribe = events.subscribe((event) => {
    switch (event.type) {
      case 'authentication_failed': {
        const counted = countFailure(logins, event.remoteAddress, clock.nowMs())
        logins = counted.tally
        if (counted.record !== null) appendLogins(counted.record, event.correlationId)
        return
      }
      case 'address_locked_out':
        if (waiting.length >= auditLimits.waiting) return
        append({ kind: 'login_failure', who: event.remoteAddress, what: 'lock-out', component: 'hybrid-router', reason: null, before: null, after: { failures: event.failures, lockMs: event.lockMs }, correlationId: event.correlationId })
        return
      case 'config_reloaded':
        if (event.changed.length === 0 && event.needsRestart.length === 0) return
        append({ kind: 'configuration', who: 'configuration-file', what: 'config-reload', component: 'hybrid-router', reason: null, before: null, after: { changed: event.changed, needsRestart: event.needsRestart } })
        return
      case 'config_rejected':
        append({ kind: 'configuration', who: 'configuration-file', what: 'config-rejected', component: 'hybrid-router', reason: null, before: null, after: { errors: event.errors.slice(0, 10).map(({ path, message }) => `${path}: ${message}`) } })
        return
      default:
    }
  })

  let cancelLogins = (): void => undefined
  const endLoginWindows = (): void => {
    const ended = endWindows(logins, clock.nowMs())
    logins = ended.tally
    for (const record of ended.records) appendLogins(record)
    cancelLogins = clock.schedule(clock.monotonicMs() + auditLimits.loginWindowMs / 2, endLoginWindows)
  }
  cancelLogins = clock.schedule(clock.monotonicMs() + auditLimits.loginWindowMs / 2, endLoginWindows)

  let cancelRetention = (): void => undefined
  const retain = (): void => {
    removeOld().catch(parts.onInternalError)
    cancelRetention = clock.schedule(clock.monotonicMs() + auditLimits.retentionEveryMs, retain)
  }
  cancelRetention = clock.schedule(clock.monotonicMs() + auditLimits.retentionEveryMs, retain)

  const removeOld = async (): Promise<number> => {
    let removed = 0
    for (;;) {
      const checkpoint = (await state.get(marks, 'checkpoint')) ?? null
      const start = checkpoint === null ? chainStart : (checkpoint.value as unknown as SignedPoint)
      await removeThrough(start.sequence)
      const [last] = await state.list(collection, { limit: 1, descending: true })
      const page = await state.list(collection, { after: recordKey(start.sequence), limit: auditLimits.removedAtOnce })
      const tooMany = last === undefined ? 0 : Number(last.key) - start.sequence - auditLimits.records
      const oldestKeptMs = clock.nowMs() - parts.retentionMs()
      let cut: AuditRecord | undefined
      // The newest record stays whatever its age, so that the chain always has an end to go on from.
      for (const stored of page.filter(({ key }) => key !== last?.key)) {
        if (!isAuditRecord(stored.value)) break
        const record = stored.value as unknown as AuditRecord
        if ((record.lateAtMs ?? record.atMs) >= oldestKeptMs && record.sequence - start.sequence > tooMany) break
        cut = record
      }
      if (cut === undefined) break
      const signed = signPoint('checkpoint', { sequence: cut.sequence, hash: cut.hash }, clock.nowMs(), seal)
      // Another instance was quicker: then it removes them.
      const outcome = await state.put(marks, 'checkpoint', signed as unknown as JsonValue, { ifVersion: checkpoint?.version ?? 'absent' })
      if (!outcome.stored) break
      removed += await removeThrough(cut.sequence)
    }
    if (removed > 0) {
      append({ kind: 'retention', who: 'audit', what: 'retention', component: 'hybrid-router', reason: 'records beyond the retention were removed behind a signed checkpoint', before: null, after: { removed } })
    }
    return removed
  }

  const removeThrough = async (sequence: number): Promise<number> => {
    let removed = 0
    for (;;) {
      const page = (await state.list(collection, { limit: auditLimits.removedAtOnce })).filter(({ key }) => key <= recordKey(sequence))
      if (page.length === 0) return removed
      for (const { key } of page) if (await state.delete(collection, key)) removed += 1
    }
  }

  const list: AuditTrail['list'] = async (filter, limit, before) => {
    const records: AuditRecord[] = []
    let after = before === undefined ? undefined : recordKey(before)
    let scanned = 0
    for (;;) {
      const page = await state.list(collection, { limit: auditLimits.readAtOnce, descending: true, ...(after === undefined ? {} : { after }) })
      for (const stored of page) {
        scanned += 1
        after = stored.key
        if (!isAuditRecord(stored.value)) continue
        const record = stored.value as unknown as AuditRecord
        if (!fitsFilter(record, filter)) continue
        records.push(record)
        if (records.length === limit) return { records, before: Number(after) }
      }
      if (page.length < auditLimits.readAtOnce) return { records, before: undefined }
      if (scanned >= auditLimits.scannedPerRequest) return { records, before: Number(after) }
    }
  }

  const readChain = async (anchors: readonly ChainPoint[]): Promise<Verification> => {
    const head = await readMark('head')
    const checkpoint = await readMark('checkpoint')
    const reader = createChainReader({ head, checkpoint, anchors }, seal)
    const strays: ChainFinding[] = []
    let after = checkpoint === null ? undefined : recordKey(checkpoint.sequence)
    for (;;) {
      const page = await state.list(collection, { limit: auditLimits.readAtOnce, ...(after === undefined ? {} : { after }) })
      for (const { key, value } of page) {
        if (/^\d{12}$/.test(key)) reader.read(Number(key), isAuditRecord(value) ? (value as unknown as AuditRecord) : null)
        else strays.push({ kind: 'unreadable', sequence: 0, message: 'There is a record under a key that is no number.' })
        after = key
      }
      if (page.length < auditLimits.readAtOnce) break
    }
    const { records, end: last, findings } = reader.finish()
    const all = [...findings, ...strays].slice(0, auditLimits.findings)
    const point = (mark: SignedPoint | null): ChainPoint | null => (mark === null ? null : { sequence: mark.sequence, hash: mark.hash })
    return { ok: all.length === 0, records, firstSequence: (checkpoint?.sequence ?? 0) + 1, lastSequence: last.sequence, head: point(head), checkpoint: point(checkpoint), findings: all, waiting: waiting.length }
  }

  return {
    append,
    hasRoom: () => waiting.length < auditLimits.waiting,
    waiting: () => waiting.length,
    list,
    async find(id) {
      let before: number | undefined
      do {
        const page = await list({}, auditLimits.pageLimit, before)
        const found = page.records.find((record) => record.id === id)
        if (found !== undefined) return found
        before = page.before
      } while (before !== undefined)
      return undefined
    },
    async verify(anchors = []) {
      const remembered = end === null ? anchors : [...anchors, end]
      for (let attempt = 0; ; attempt += 1) {
        const checkpointBefore = await readMark('checkpoint')
        const result = await readChain(remembered)
        // Retention that ran meanwhile took records away while they were read: look again.
        if (result.ok || attempt === 2 || (await readMark('checkpoint'))?.sequence === checkpointBefore?.sequence) return result
      }
    },
    async *exportLines(filter) {
      const head = await readMark('head')
      const checkpoint = await readMark('checkpoint')
      if (checkpoint !== null) yield `${JSON.stringify({ checkpoint })}\n`
      let after: string | undefined
      for (;;) {
        const page = await state.list(collection, { limit: auditLimits.readAtOnce, ...(after === undefined ? {} : { after }) })
        let lines = ''
        for (const { key, value } of page) {
          after = key
          if (isAuditRecord(value) && fitsFilter(value as unknown as AuditRecord, filter)) lines += `${JSON.stringify(value)}\n`
        }
        if (lines !== '') yield lines
        if (page.length < auditLimits.readAtOnce) break
      }
      if (head !== null) yield `${JSON.stringify({ head })}\n`
    },
    removeOld,
    async close() {
      cancelLogins()
      cancelRetention()
      unsubscribe()
      closing.abort()
      await writing
    },
  }
}
