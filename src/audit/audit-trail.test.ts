import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../operation/converse.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { createEventStream } from '../runtime/event-stream.ts'
import { createCountingIds } from '../runtime/ids.ts'
import { createVirtualClock, type VirtualClock } from '../runtime/virtual-clock.ts'
import { createMemoryStateStore } from '../store/adapters/memory-state-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { obtainAuditKey } from './adapters/audit-key.ts'
import { createSeal } from './adapters/seal.ts'
import { recordKey } from './audit-record.ts'
import { createAuditTrail, type AuditTrail } from './audit-trail.ts'
import { auditLimits } from './limits.ts'
import { createOperationsLog } from './operations-log.ts'

let clock: VirtualClock
let store: StateStore
let trails: AuditTrail[]
const ids = createCountingIds()
const dayMs = 86_400_000

beforeEach(() => {
  clock = createVirtualClock()
  store = createMemoryStateStore(clock)
  trails = []
})
afterEach(async () => {
  for (const trail of trails) await trail.close()
})

function open(options: { retentionMs?: number; seen?: SystemEvent[] } = {}): { readonly trail: AuditTrail; readonly events: ReturnType<typeof createEventStream<SystemEvent>> } {
  const events = createEventStream<SystemEvent>((error) => expect.fail(String(error)))
  events.subscribe((event) => options.seen?.push(event))
  const trail = createAuditTrail({ state: store, clock, ids, events, seal: createSeal('the key of the tests, long enough'), retentionMs: () => options.retentionMs ?? 400 * dayMs, onInternalError: (error) => expect.fail(String(error)) })
  trails.push(trail)
  return { trail, events }
}

const write = (trail: AuditTrail, what: string, who = 'ops'): Promise<void> => trail.append({ kind: 'lever', who, what, component: 'hybrid-router', reason: null, before: null, after: { what } }).written

async function six(): Promise<AuditTrail> {
  const { trail } = open()
  for (let index = 1; index <= 6; index += 1) await write(trail, `lever-${index}`)
  return trail
}

const change = async (sequence: number, alter: (record: JsonObject) => JsonValue): Promise<void> => {
  const record = await store.get('audit', recordKey(sequence))
  await store.put('audit', recordKey(sequence), alter(record?.value as JsonObject))
}

describe('what somebody does to the store is found by verify, which says where', () => {
  it('nothing was done', async () => {
    expect(await (await six()).verify()).toMatchObject({ ok: true, records: 6, firstSequence: 1, lastSequence: 6, findings: [], waiting: 0 })
  })

  it.each([
    ['altered', () => change(3, (record) => ({ ...record, who: 'nobody' })), [['altered', 3]]],
    ['removed', () => store.delete('audit', recordKey(4)), [['removed', 4]]],
    ['overwritten with something else', () => store.put('audit', recordKey(2), 'x'), [['unreadable', 2]]],
    ['inserted', async () => store.put('audit', recordKey(7), { ...((await store.get('audit', recordKey(6)))?.value as JsonObject), sequence: 7 }), [['altered', 7], ['reordered', 7]]],
    ['cut off at the end', () => store.delete('audit', recordKey(6)), [['truncated', 6]]],
    ['head removed', () => store.delete('audit-marks', 'head'), [['head_missing', 6]]],
    ['cut off at the beginning', () => store.delete('audit', recordKey(1)), [['removed', 1]]],
  ] as const)('%s', async (_what, tamper, expected) => {
    const trail = await six()
    await tamper()
    // A fresh reader: nothing is remembered but what the store holds.
    const { trail: fresh } = open()
    for (const reader of [fresh, trail]) {
      const result = await reader.verify()
      expect(result.ok).toBe(false)
      expect(result.findings.map(({ kind, sequence }) => [kind, sequence])).toEqual(expect.arrayContaining(expected.map((finding) => [...finding])))
    }
  })

  it('two records exchanged', async () => {
    const trail = await six()
    const [two, three] = [await store.get('audit', recordKey(2)), await store.get('audit', recordKey(3))]
    await store.put('audit', recordKey(2), three?.value ?? null)
    await store.put('audit', recordKey(3), two?.value ?? null)
    expect((await trail.verify()).findings.map(({ sequence }) => sequence)).toEqual(expect.arrayContaining([2, 3]))
  })

  it('the end cut off and an old head put back: the process that saw more knows, and so does a line of the log', async () => {
    const trail = await six()
    const logged = (await trail.verify()).head
    const { trail: other } = open()
    const oldHead = await store.get('audit-marks', 'head')
    await write(trail, 'what nobody should know')
    await store.delete('audit', recordKey(7))
    await store.put('audit-marks', 'head', oldHead?.value ?? null)
    expect((await trail.verify()).findings).toMatchObject([{ kind: 'truncated', sequence: 7 }])
    expect(await other.verify()).toMatchObject({ ok: true })
    expect(await other.verify(logged === null ? [] : [{ ...logged, sequence: 7 }])).toMatchObject({ ok: false, findings: [{ kind: 'truncated' }] })
    expect(await other.verify(logged === null ? [] : [logged])).toMatchObject({ ok: true })
  })
})

describe('the trail', () => {
  it('of two instances is one chain without a gap', async () => {
    const { trail: one } = open()
    const { trail: two } = open()
    await Promise.all(Array.from({ length: 20 }, (_, index) => [write(one, `a${index}`), write(two, `b${index}`)]).flat())
    const result = await one.verify()
    expect(result).toMatchObject({ ok: true, records: 40, lastSequence: 40, head: { sequence: 40 } })
    const { records } = await two.list({}, 100)
    expect(new Set(records.map(({ what }) => what)).size).toBe(40)
  })

  it('writes its head into the log: at the first record, then not for each', async () => {
    const seen: SystemEvent[] = []
    const { trail } = open({ seen })
    for (let index = 0; index < 10; index += 1) await write(trail, 'x')
    const heads = seen.filter((event) => event.type === 'audit_head')
    expect(heads).toHaveLength(1)
    await clock.advanceAsync(auditLimits.headLoggedEveryMs)
    await write(trail, 'x')
    expect(seen.filter((event) => event.type === 'audit_head').at(-1)).toMatchObject({ sequence: 11 })
    expect(await trail.verify(heads)).toMatchObject({ ok: true })
  })

  it('is listed newest first, page by page, by any member', async () => {
    const { trail } = open()
    for (let index = 0; index < 30; index += 1) await write(trail, index % 3 === 0 ? 'force-mcp' : 'other', index % 2 === 0 ? 'anna' : 'ben')
    const first = await trail.list({ what: 'force-mcp', who: 'anna' }, 3)
    const second = await trail.list({ what: 'force-mcp', who: 'anna' }, 3, first.before)
    expect([...first.records, ...second.records].map(({ sequence }) => sequence)).toEqual([25, 19, 13, 7, 1])
    expect(second.before).toBeUndefined()
  })

  it('is exported as lines that begin with the oldest and end with the head', async () => {
    const trail = await six()
    let text = ''
    for await (const lines of trail.exportLines({})) text += lines
    const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line) as JsonObject)
    expect(lines.map((line) => line['sequence'] ?? Object.keys(line)[0])).toEqual([1, 2, 3, 4, 5, 6, 'head'])
  })

  it('keeps no more than its retention, behind a signed checkpoint, and verifies from there', async () => {
    const { trail } = open({ retentionMs: 2 * dayMs })
    for (let index = 0; index < 5; index += 1) {
      await write(trail, `day-${index}`)
      await clock.advanceAsync(dayMs)
    }
    const result = await trail.verify()
    expect(result).toMatchObject({ ok: true, checkpoint: { sequence: result.firstSequence - 1 } })
    expect(result.firstSequence).toBeGreaterThan(2)
    expect((await trail.list({ kind: 'retention' }, 10)).records.length).toBeGreaterThan(0)
    await store.put('audit-marks', 'checkpoint', { sequence: result.firstSequence, hash: 'x', atMs: 0, signature: 'x' })
    expect((await trail.verify()).findings[0]).toMatchObject({ kind: 'checkpoint_forged' })
  })

  it('has one record for a login that fails once, and one with the number for a guesser', async () => {
    const { trail, events } = open()
    for (let index = 0; index < 500; index += 1) events.publish({ type: 'authentication_failed', atMs: clock.nowMs(), remoteAddress: index === 0 ? '10.0.0.1' : '10.0.0.2', correlationId: 'cor_x' } as SystemEvent)
    await clock.advanceAsync(2 * auditLimits.loginWindowMs)
    const { records } = await trail.list({ kind: 'login_failure' }, 100)
    expect(records.map(({ who, after }) => [who, (after as JsonObject)['failures']]).reverse()).toEqual([['10.0.0.1', 1], ['10.0.0.2', 1], ['10.0.0.2', 498]])
  })

  it('is not filled by a guesser with many addresses', async () => {
    const { trail, events } = open()
    for (let index = 0; index < 5_000; index += 1) events.publish({ type: 'authentication_failed', atMs: clock.nowMs(), remoteAddress: `10.0.${index >> 8}.${index & 255}`, correlationId: 'cor_x' } as SystemEvent)
    await clock.advanceAsync(2 * auditLimits.loginWindowMs)
    const { records } = await trail.list({}, 500)
    expect(records.length).toBeLessThanOrEqual(auditLimits.loginAddresses + 2)
    expect(records.reduce((sum, { after }) => sum + Number((after as JsonObject)['failures']), 0)).toBe(5_000)
  })

  it('tells of a changed configuration and of one that was refused', async () => {
    const { trail, events } = open()
    events.publish({ type: 'config_reloaded', atMs: 0, changed: ['logs.level'], needsRestart: [] })
    events.publish({ type: 'config_reloaded', atMs: 0, changed: [], needsRestart: [] })
    events.publish({ type: 'config_rejected', atMs: 0, errors: [{ path: 'a', message: 'b' }] })
    await clock.advanceAsync(1)
    expect((await trail.list({}, 10)).records.map(({ what }) => what)).toEqual(['config-rejected', 'config-reload'])
  })
})

describe('the key', () => {
  it('beside a store is made once, for its owner alone, and never replaced', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'audit-key-'))
    try {
      const path = join(folder, 'data', 'store.db.audit-key')
      const key = await obtainAuditKey({ kind: 'file', path }, store)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(await obtainAuditKey({ kind: 'file', path }, store)).toBe(key)
      expect(readFileSync(path, 'utf8').trim()).toBe(key)
      writeFileSync(path, '')
      await expect(obtainAuditKey({ kind: 'file', path }, store)).rejects.toThrow('holds no audit key')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('of several instances is the same', async () => {
    const keys = await Promise.all([1, 2, 3].map(() => obtainAuditKey({ kind: 'store' }, store)))
    expect(new Set(keys).size).toBe(1)
  })
})

describe('the operations log', () => {
  it('keeps entries with their author, newest first, page by page, and each is audited', async () => {
    const { trail } = open()
    const log = createOperationsLog({ state: store, clock, ids, audit: trail })
    for (let index = 0; index < 3; index += 1) await log.add({ title: `Morning ${index}`, findings: ['all well'], actions: [] }, 'anna', 'cor_1')
    const first = await log.list(2)
    expect(first.entries.map(({ title, author }) => [title, author])).toEqual([['Morning 2', 'anna'], ['Morning 1', 'anna']])
    expect((await log.list(2, first.after)).entries.map(({ title }) => title)).toEqual(['Morning 0'])
    await clock.advanceAsync(1)
    expect((await trail.list({ kind: 'operations_log' }, 10)).records).toHaveLength(3)
  })
})
