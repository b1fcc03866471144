import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createIndexedHeap, type HeapNode } from './indexed-heap.ts'

test('after any insertions and removals the first entry is the least of those left', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.record({ push: fc.integer({ min: 0, max: 20 }) }), fc.record({ remove: fc.nat() }))), (steps) => {
      const heap = createIndexedHeap<number>((a, b) => a < b)
      let left: HeapNode<number>[] = []
      for (const step of steps) {
        if ('push' in step) {
          left.push(heap.push(step.push))
        } else {
          const node = left[step.remove % Math.max(1, left.length)]
          if (node === undefined) continue
          heap.remove(node)
          heap.remove(node)
          left = left.filter((other) => other !== node)
        }
        expect(heap.size()).toBe(left.length)
        expect(heap.first()).toBe(left.length === 0 ? undefined : Math.min(...left.map((entry) => entry.item)))
      }
    }),
  )
})
