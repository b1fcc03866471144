import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { createSeal } from './adapters/seal.ts'
import type { AuditDraft, AuditRecord } from './audit-record.ts'
import { appendTo, chainStart, createChainReader, signPoint, type ChainMarks, type ChainPoint, type SignedPoint } from './chain.ts'

const seal = createSeal('a key of the tests, long enough')
const forger = createSeal('another key')

const draft = (index: number): AuditDraft => ({ id: `aud_${index}`, kind: 'lever', atMs: 1_000 + index, who: 'ops', what: 'force-mcp', component: 'hybrid-router', reason: `reason ${index}`, before: null, after: { route: 'mcp', index } })

function chainOf(length: number): AuditRecord[] {
  const records: AuditRecord[] = []
  let end: ChainPoint = chainStart
  for (let index = 0; index < length; index += 1) {
    const record = appendTo(end, draft(index), 1_000 + index, seal)
    records.push(record)
    end = record
  }
  return records
}

const headOf = (records: readonly AuditRecord[]): SignedPoint => signPoint('head', records.at(-1) ?? chainStart, 5_000, seal)

/** @param placed what the store holds, by the number under which it holds it */
function findingsOf(placed: readonly (readonly [number, AuditRecord | null])[], marks: Partial<ChainMarks>): readonly string[] {
  const reader = createChainReader({ head: null, checkpoint: null, anchors: [], ...marks }, seal)
  for (const [place, record] of placed) reader.read(place, record)
  return reader.finish().findings.map(({ kind, sequence }) => `${kind} ${sequence}`)
}

const inPlace = (records: readonly AuditRecord[]): (readonly [number, AuditRecord])[] => records.map((record) => [record.sequence, record] as const)

describe('what was done to the trail is found, and where', () => {
  const records = chainOf(6)
  const head = headOf(records)
  const at = (index: number): AuditRecord => records[index] ?? expect.fail('there is no such record')

  it('an untouched trail has no finding, also while a record is added that the head does not name yet', () => {
    expect(findingsOf(inPlace(records), { head })).toEqual([])
    expect(findingsOf(inPlace(chainOf(7)), { head })).toEqual([])
    expect(findingsOf([], {})).toEqual([])
  })

  it('an altered record', () => {
    expect(findingsOf(inPlace(records.map((record) => (record.sequence === 3 ? { ...record, who: 'nobody' } : record))), { head })).toEqual(['altered 3'])
  })

  it('an altered record with a hash made to fit: its signature and its follower give it away', () => {
    const forged = appendTo(at(1), { ...draft(2), who: 'nobody' }, 1_002, forger)
    expect(findingsOf(inPlace(records.map((record) => (record.sequence === 3 ? forged : record))), { head })).toEqual(['unsigned 3', 'reordered 4'])
  })

  it('a trail forged from one record to its end, head included', () => {
    const forged = records.slice(0, 3)
    for (let index = 3; index < 6; index += 1) forged.push(appendTo(forged.at(-1) ?? chainStart, { ...draft(index), who: 'nobody' }, 1_000, forger))
    expect(findingsOf(inPlace(forged), { head: signPoint('head', forged.at(-1) ?? chainStart, 5_000, forger) })).toEqual(['unsigned 4', 'unsigned 5', 'unsigned 6', 'head_forged 6'])
  })

  it('a removed record', () => {
    expect(findingsOf(inPlace(records.filter(({ sequence }) => sequence !== 4)), { head })).toEqual(['removed 4'])
  })

  it('a removed record whose followers moved up', () => {
    const moved = records.filter(({ sequence }) => sequence !== 4).map((record, index) => [index + 1, record] as const)
    expect(new Set(findingsOf(moved, { head }))).toEqual(new Set(['reordered 4', 'reordered 5', 'truncated 6']))
  })

  it('two records that changed places', () => {
    const swapped = inPlace(records).map(([place, record]) => (place === 2 ? ([2, at(2)] as const) : place === 3 ? ([3, at(1)] as const) : ([place, record] as const)))
    expect(new Set(findingsOf(swapped, { head }))).toEqual(new Set(['reordered 2', 'reordered 3', 'reordered 4']))
  })

  it('an inserted record', () => {
    const inserted = appendTo(at(5), draft(99), 9_000, forger)
    expect(findingsOf(inPlace([...records, inserted]), { head })).toEqual(['unsigned 7'])
  })

  it('an end that was cut off', () => {
    expect(findingsOf(inPlace(records.slice(0, 4)), { head })).toEqual(['truncated 5'])
  })

  it('an end that was cut off with an old head put back: a head noted in the log shows it', () => {
    const cut = records.slice(0, 4)
    expect(findingsOf(inPlace(cut), { head: headOf(cut) })).toEqual([])
    expect(findingsOf(inPlace(cut), { head: headOf(cut), anchors: [at(5)] })).toEqual(['truncated 5'])
  })

  it('a head that was removed', () => {
    expect(findingsOf(inPlace(records), {})).toEqual(['head_missing 6'])
  })

  it('everything removed', () => {
    expect(findingsOf([], { head })).toEqual(['truncated 1'])
  })

  it('a beginning that was cut off without a checkpoint, and with a forged one', () => {
    expect(findingsOf(inPlace(records.slice(2)), { head })).toEqual(['removed 1'])
    expect(findingsOf(inPlace(records.slice(2)), { head, checkpoint: signPoint('checkpoint', at(1), 5_000, seal) })).toEqual([])
    expect(findingsOf(inPlace(records.slice(2)), { head, checkpoint: signPoint('checkpoint', at(1), 5_000, forger) })).toEqual(['checkpoint_forged 2'])
  })

  it('a checkpoint cannot be taken for a head: what is signed says which it is', () => {
    expect(findingsOf(inPlace(records), { head: signPoint('checkpoint', at(5), 5_000, seal) })).toEqual(['head_forged 6'])
  })

  it('something that is no record', () => {
    expect(findingsOf([...inPlace(records.slice(0, 2)), [3, null], ...inPlace(records.slice(3))], { head })).toEqual(['unreadable 3'])
  })
})

describe('any trail', () => {
  const length = fc.integer({ min: 1, max: 12 })

  it('reads clean as it was written, whatever JSON its records hold', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 8 }), (values) => {
        let end: ChainPoint = chainStart
        const records = values.map((value, index) => {
          // As a store gives it back.
          const record = JSON.parse(JSON.stringify(appendTo(end, { ...draft(index), after: value as never }, 2_000, seal))) as AuditRecord
          end = record
          return record
        })
        expect(findingsOf(inPlace(records), { head: headOf(records) })).toEqual([])
      }),
    )
  })

  it('with any member of any record altered is found at that record', () => {
    fc.assert(
      fc.property(length, fc.nat(), fc.constantFrom('who', 'what', 'atMs', 'reason', 'after', 'component', 'kind', 'id', 'untilMs'), (count, choice, member) => {
        const records = chainOf(count)
        const index = choice % count
        const altered = records.map((record, at) => (at === index ? ({ ...record, [member]: member === 'atMs' || member === 'untilMs' ? -1 : 'altered' }) : record))
        expect(findingsOf(inPlace(altered), { head: headOf(records) })).toEqual([`altered ${index + 1}`])
      }),
    )
  })

  it('with any stretch removed is found where the stretch began', () => {
    fc.assert(
      fc.property(length, fc.nat(), fc.integer({ min: 1, max: 4 }), (count, choice, gap) => {
        const records = chainOf(count)
        const from = choice % count
        const left = records.filter((_record, index) => index < from || index >= from + gap)
        const [finding] = findingsOf(inPlace(left), { head: headOf(records) })
        expect(finding).toBe(from + gap >= count ? `truncated ${from + 1}` : `removed ${from + 1}`)
      }),
    )
  })

  it('in any other order is found', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }).chain((count) => fc.shuffledSubarray([...Array(count).keys()], { minLength: count, maxLength: count })), (order) => {
        const records = chainOf(order.length)
        const placed = order.map((index, place) => [place + 1, records[index] ?? null] as const)
        const findings = findingsOf(placed, { head: headOf(records) })
        expect(findings.length > 0).toBe(order.some((index, place) => index !== place))
      }),
    )
  })
})
