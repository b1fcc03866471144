/**
 * What every state store does, as tests. An engine's own test file opens the engine and calls `testStateStore`.
 */
import * as fc from 'fast-check'
import { describe, expect, onTestFinished } from 'vitest'
import type { JsonValue } from '../operation/converse.ts'
import type { VirtualClock } from '../runtime/virtual-clock.ts'
import { registerConformance, type ConformanceExceptions } from './conformance.ts'
import { compareKeys } from './key-order.ts'
import { storeLimits } from './limits.ts'
import { JsonText, type StateRecord, type StateStore } from './state-store.ts'

export interface StateStoreEngine {
  readonly name: string
  readonly exceptions?: ConformanceExceptions
  /** Sequences that the model-based test tries. */
  readonly modelRuns: number
  /** An empty store on this clock; `close` also removes what it left behind. */
  open(): Promise<{ readonly store: StateStore; readonly clock: VirtualClock; close(): Promise<void> }>
}

export function testStateStore(engine: StateStoreEngine): void {
  const open = async () => {
    const opened = await engine.open()
    onTestFinished(() => opened.close())
    return opened
  }

  describe(`state store: ${engine.name}`, () => {
    registerConformance(engine.exceptions ?? {}, (conforms) => {
      conforms('a record is read back as it was written, and an absent one is undefined', async () => {
        const { store } = await open()
        const value = { text: 'Zürich \u{1f600}', list: [1, null, true, 'x'], nested: { empty: {} } }
        expect(await store.put('results', 'op_1', value)).toMatchObject({ stored: true })
        expect(await store.get('results', 'op_1')).toEqual({ key: 'op_1', value, version: expect.any(Number), expiresAtMs: null })
        expect(await store.get('results', 'op_2')).toBeUndefined()
        expect(await store.get('other', 'op_1')).toBeUndefined()
      })

      conforms('a value that is given as JSON is read back as what the JSON says', async () => {
        const { store } = await open()
        expect(await store.put('results', 'op_1', new JsonText('{"text":"Zürich","list":[1,null]}'))).toMatchObject({ stored: true })
        expect(await store.get('results', 'op_1')).toMatchObject({ value: { text: 'Zürich', list: [1, null] } })
        const tooLong = new JsonText(JSON.stringify('x'.repeat(storeLimits.valueBytes)))
        await expect(store.put('results', 'op_2', tooLong)).rejects.toMatchObject({ fault: 'invalid' })
      })

      conforms('null, false, zero and the empty text are values, not absence', async () => {
        const { store } = await open()
        for (const value of [null, false, 0, '']) {
          await store.put('results', 'key', value)
          expect(await store.get('results', 'key')).toMatchObject({ value })
        }
      })

      conforms('what the caller does with its object afterwards does not change the record', async () => {
        const { store } = await open()
        const value = { list: [1] }
        await store.put('results', 'key', value)
        value.list.push(2)
        const first = await store.get('results', 'key')
        expect(first?.value).toEqual({ list: [1] })
        const copy = first?.value as { list: number[] } | undefined
        copy?.list.push(3)
        expect((await store.get('results', 'key'))?.value).toEqual({ list: [1] })
      })

      conforms('the version grows with every write, over a deletion and an expiry too', async () => {
        const { store, clock } = await open()
        const versions: number[] = []
        const write = async (expiresAtMs?: number): Promise<void> => {
          const outcome = await store.put('overrides', 'key', versions.length, expiresAtMs === undefined ? {} : { expiresAtMs })
          if (outcome.stored) versions.push(outcome.version)
        }
        await write()
        await write()
        await store.delete('overrides', 'key')
        await write(clock.nowMs() + 1_000)
        clock.advance(2_000)
        await write()
        expect(versions).toHaveLength(4)
        expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
        expect((await store.get('overrides', 'key'))?.version).toBe(versions.at(-1))
      })

      conforms('a write on condition of absence succeeds once and shows what is there otherwise', async () => {
        const { store } = await open()
        const first = await store.put('idempotency', 'key', 'first', { ifVersion: 'absent' })
        expect(first.stored).toBe(true)
        const second = await store.put('idempotency', 'key', 'second', { ifVersion: 'absent' })
        expect(second).toEqual({ stored: false, current: { key: 'key', value: 'first', version: first.stored ? first.version : 0, expiresAtMs: null } })
        expect((await store.get('idempotency', 'key'))?.value).toBe('first')
      })

      conforms('of many writers over the same version exactly one succeeds', async () => {
        const { store } = await open()
        const begin = await store.put('results', 'op_1', 'running')
        const ifVersion = begin.stored ? begin.version : 0
        const outcomes = await Promise.all(Array.from({ length: 20 }, (_, index) => store.put('results', 'op_1', index, { ifVersion })))
        const winners = outcomes.flatMap((outcome, index) => (outcome.stored ? [index] : []))
        expect(winners).toHaveLength(1)
        expect((await store.get('results', 'op_1'))?.value).toBe(winners[0])
      })

      conforms('a condition on a version fails when the record is gone', async () => {
        const { store } = await open()
        const written = await store.put('results', 'key', 1)
        await store.delete('results', 'key')
        expect(await store.put('results', 'key', 2, { ifVersion: written.stored ? written.version : 0 })).toEqual({ stored: false, current: undefined })
      })

      conforms('a deletion says whether a record was there, and minds the version', async () => {
        const { store } = await open()
        const written = await store.put('results', 'key', 1)
        const version = written.stored ? written.version : 0
        expect(await store.delete('results', 'key', { ifVersion: version + 1 })).toBe(false)
        expect(await store.delete('results', 'key', { ifVersion: version })).toBe(true)
        expect(await store.delete('results', 'key')).toBe(false)
        expect(await store.get('results', 'key')).toBeUndefined()
      })

      conforms('a record is there until just before its expiry and never from that instant on', async () => {
        const { store, clock } = await open()
        await store.put('results', 'key', 1, { expiresAtMs: clock.nowMs() + 1_000 })
        clock.advance(999)
        expect((await store.get('results', 'key'))?.value).toBe(1)
        clock.advance(1)
        expect(await store.get('results', 'key')).toBeUndefined()
        expect(await store.list('results', { limit: 10 })).toEqual([])
        expect(await store.delete('results', 'key')).toBe(false)
        expect(await store.put('results', 'key', 2, { ifVersion: 'absent' })).toMatchObject({ stored: true })
      })

      conforms('a later write replaces the expiry, and one without an expiry removes it', async () => {
        const { store, clock } = await open()
        await store.put('results', 'key', 1, { expiresAtMs: clock.nowMs() + 1_000 })
        await store.put('results', 'key', 2)
        clock.advance(5_000)
        expect(await store.get('results', 'key')).toMatchObject({ value: 2, expiresAtMs: null })
        for (let index = 0; index < 50; index += 1) await store.put('results', `other_${index}`, index)
        expect(await store.get('results', 'key')).toMatchObject({ value: 2 })
      })

      conforms('a listing is in byte order, both ways, by pages that neither repeat nor skip', async () => {
        const { store } = await open()
        const keys = ['a', 'a/b', 'ab', 'b', 'z', '\u00e9', '\uffee', '\u{1f600}']
        for (const key of keys.toReversed()) await store.put('results', key, key)
        const all = await store.list('results', { limit: 100 })
        expect(all.map((record) => record.key)).toEqual(keys)
        for (const descending of [false, true]) {
          const paged: StateRecord[] = []
          for (;;) {
            const after = paged.at(-1)?.key
            const page = await store.list('results', { limit: 3, descending, ...(after === undefined ? {} : { after }) })
            expect(page.length).toBeLessThanOrEqual(3)
            if (page.length === 0) break
            paged.push(...page)
          }
          expect(paged.map((record) => record.key)).toEqual(descending ? keys.toReversed() : keys)
        }
      })

      conforms('a listing by prefix holds that prefix alone, from a cursor before, inside and behind it', async () => {
        const { store } = await open()
        for (const key of ['acme', 'acme/1', 'acme/2', 'acme/3', 'acme0', 'zeta/1', 'acme/\u{10ffff}']) await store.put('results', key, 0)
        const keys = async (after: string | undefined, descending: boolean): Promise<string[]> => {
          const page = await store.list('results', { prefix: 'acme/', limit: 10, descending, ...(after === undefined ? {} : { after }) })
          return page.map((record) => record.key)
        }
        expect(await keys(undefined, false)).toEqual(['acme/1', 'acme/2', 'acme/3', 'acme/\u{10ffff}'])
        expect(await keys('acme/2', false)).toEqual(['acme/3', 'acme/\u{10ffff}'])
        expect(await keys('acme/25', false)).toEqual(['acme/3', 'acme/\u{10ffff}'])
        expect(await keys('a', false)).toHaveLength(4)
        expect(await keys('b', false)).toEqual([])
        expect(await keys(undefined, true)).toEqual(['acme/\u{10ffff}', 'acme/3', 'acme/2', 'acme/1'])
        expect(await keys('acme/2', true)).toEqual(['acme/1'])
        expect(await keys('b', true)).toHaveLength(4)
        expect(await keys('a', true)).toEqual([])
      })

      conforms('a listing that meets expired records is still filled up to its limit', async () => {
        const { store, clock } = await open()
        for (let index = 0; index < 30; index += 1) {
          const key = `key_${String(index).padStart(2, '0')}`
          await store.put('results', key, index, index % 3 === 0 ? {} : { expiresAtMs: clock.nowMs() + 1_000 })
        }
        clock.advance(1_000)
        expect((await store.list('results', { limit: 5 })).map((record) => record.value)).toEqual([0, 3, 6, 9, 12])
      })

      conforms('a key that not every engine could keep is refused as invalid', async () => {
        const { store } = await open()
        for (const key of ['', 'a\0b', '\ud800', 'x'.repeat(storeLimits.keyBytes + 1), '\u00e9'.repeat(storeLimits.keyBytes)]) {
          await expect(store.put('results', key, 1)).rejects.toMatchObject({ name: 'StoreError', fault: 'invalid' })
          await expect(store.put(key, 'key', 1)).rejects.toMatchObject({ name: 'StoreError', fault: 'invalid' })
        }
        expect(await store.put('results', 'x'.repeat(storeLimits.keyBytes), 1)).toMatchObject({ stored: true })
      })

      conforms('a value that is too large is refused as invalid', async () => {
        const { store } = await open()
        await expect(store.put('results', 'key', 'x'.repeat(storeLimits.valueBytes))).rejects.toMatchObject({ name: 'StoreError', fault: 'invalid' })
        expect(await store.get('results', 'key')).toBeUndefined()
      })

      conforms('a closed store says so', async () => {
        const { store } = await open()
        await expect(store.check()).resolves.toBeUndefined()
        await store.close()
        await expect(store.get('results', 'key')).rejects.toMatchObject({ name: 'StoreError', fault: 'closed' })
        await expect(store.check()).rejects.toMatchObject({ name: 'StoreError', fault: 'closed' })
        await expect(store.close()).resolves.toBeUndefined()
      })

      conforms('any sequence of writes, deletions, waits and readings behaves as a plain map with expiry does', async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(arbitraryStep, { maxLength: 60 }), async (steps) => {
            const opened = await engine.open()
            try {
              await compareWithMap(opened.store, opened.clock, steps)
            } finally {
              await opened.close()
            }
          }),
          { numRuns: engine.modelRuns, endOnFailure: true },
        )
      }, 60_000)
    })
  })
}

type Step =
  | { readonly do: 'put'; readonly key: string; readonly value: JsonValue; readonly lifetimeMs: number | undefined; readonly condition: 'none' | 'absent' | 'held' | 'stale' }
  | { readonly do: 'delete'; readonly key: string; readonly condition: 'none' | 'held' | 'stale' }
  | { readonly do: 'wait'; readonly durationMs: number }
  | { readonly do: 'list'; readonly prefix: string; readonly limit: number; readonly descending: boolean; readonly after: string | undefined }

const arbitraryKey = fc.constantFrom('a', 'a/', 'a/1', 'a/2', 'b', 'b\uffee', 'b\u{1f600}')
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('put' as const),
    key: arbitraryKey,
    value: fc.integer(),
    lifetimeMs: fc.option(fc.integer({ min: -5, max: 50 }), { nil: undefined }),
    condition: fc.constantFrom('none', 'absent', 'held', 'stale'),
  }),
  fc.record({ do: fc.constant('delete' as const), key: arbitraryKey, condition: fc.constantFrom('none', 'held', 'stale') }),
  fc.record({ do: fc.constant('wait' as const), durationMs: fc.integer({ min: 0, max: 30 }) }),
  fc.record({
    do: fc.constant('list' as const),
    prefix: fc.constantFrom('', 'a', 'a/', 'b', 'c'),
    limit: fc.integer({ min: 1, max: 8 }),
    descending: fc.boolean(),
    after: fc.option(arbitraryKey, { nil: undefined }),
  }),
)

async function compareWithMap(store: StateStore, clock: VirtualClock, steps: readonly Step[]): Promise<void> {
  const model = new Map<string, StateRecord>()
  let greatestVersion = 0
  const held = (key: string): StateRecord | undefined => {
    const record = model.get(key)
    return record !== undefined && (record.expiresAtMs === null || record.expiresAtMs > clock.nowMs()) ? record : undefined
  }

  for (const step of steps) {
    switch (step.do) {
      case 'put': {
        const current = held(step.key)
        const expiresAtMs = step.lifetimeMs === undefined ? null : clock.nowMs() + step.lifetimeMs
        const ifVersion = { none: undefined, absent: 'absent' as const, held: current?.version ?? ('absent' as const), stale: greatestVersion + 1_000 }[step.condition]
        const fits = ifVersion === undefined || ifVersion === (current?.version ?? 'absent')
        const outcome = await store.put('model', step.key, step.value, {
          ...(expiresAtMs === null ? {} : { expiresAtMs }),
          ...(ifVersion === undefined ? {} : { ifVersion }),
        })
        expect(outcome.stored).toBe(fits)
        if (outcome.stored) {
          expect(outcome.version).toBeGreaterThan(model.get(step.key)?.version ?? 0)
          greatestVersion = Math.max(greatestVersion, outcome.version)
          model.set(step.key, { key: step.key, value: step.value, version: outcome.version, expiresAtMs })
        } else {
          expect(outcome.current).toEqual(current)
        }
        break
      }
      case 'delete': {
        const current = held(step.key)
        const ifVersion = { none: undefined, held: current?.version ?? 0, stale: greatestVersion + 1_000 }[step.condition]
        const fits = current !== undefined && step.condition !== 'stale'
        expect(await store.delete('model', step.key, ifVersion === undefined ? {} : { ifVersion })).toBe(fits)
        if (fits) model.delete(step.key)
        break
      }
      case 'wait':
        clock.advance(step.durationMs)
        break
      case 'list': {
        const ordered = [...model.keys()].sort(compareKeys)
        if (step.descending) ordered.reverse()
        const wanted = ordered.filter((key) => {
          if (held(key) === undefined || !key.startsWith(step.prefix)) return false
          if (step.after === undefined) return true
          return step.descending ? compareKeys(key, step.after) < 0 : compareKeys(key, step.after) > 0
        })
        const { prefix, limit, descending, after } = step
        expect(await store.list('model', { prefix, limit, descending, ...(after === undefined ? {} : { after }) })).toEqual(
          wanted.slice(0, limit).map((key) => held(key)),
        )
        break
      }
    }
    for (const key of model.keys()) expect(await store.get('model', key)).toEqual(held(key))
  }
}
