import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DenseSet } from './dense-set.ts'
import { SlotMap } from './slot-map.ts'

const step = fc.record({ key: fc.integer({ min: 0, max: 12 }), add: fc.boolean() })

describe('what comes and goes', () => {
  it('a slot map holds what a Map would hold', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const map = new SlotMap<{ readonly number: number }>()
        const model = new Map<string, { readonly number: number }>()
        steps.forEach(({ key, add }, number) => {
          const name = `op_${key}`
          const value = { number }
          if (add) {
            map.set(name, value)
            model.set(name, value)
          } else {
            map.delete(name)
            model.delete(name)
          }
          expect(map.get(name)).toBe(model.get(name))
          expect(map.size).toBe(model.size)
          expect(new Set(map.values())).toEqual(new Set(model.values()))
        })
      }),
    )
  })

  it('a dense set holds what a Set would hold, and each member knows whether it is in it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const objects = Array.from({ length: 13 }, (_, number) => ({ number, place: -1 }))
        const set = new DenseSet<(typeof objects)[number]>()
        const model = new Set<(typeof objects)[number]>()
        for (const { key, add } of steps) {
          const member = objects[key] ?? expect.unreachable()
          if (add) {
            set.add(member)
            model.add(member)
          } else {
            set.delete(member)
            model.delete(member)
          }
          expect(set.size).toBe(model.size)
          expect(new Set(set.members())).toEqual(model)
          for (const each of objects) expect(each.place >= 0).toBe(model.has(each))
        }
      }),
    )
  })

  it('members may leave while the set is gone through', () => {
    const set = new DenseSet<{ place: number }>()
    for (let count = 0; count < 5; count += 1) set.add({ place: -1 })
    for (const member of set.members()) set.delete(member)
    expect(set.size).toBe(0)
  })
})
