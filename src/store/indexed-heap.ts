/**
 * A binary heap from which any entry can be taken, not only the first: every node knows its place. Insertion, removal and
 * taking the first are O(log n). The order is a strict one that the maker hands in; equal entries leave in no set order.
 */
export interface HeapNode<Item> {
  readonly item: Item
  /** -1 once it has left the heap. Written by the heap alone. */
  index: number
}

export interface IndexedHeap<Item> {
  push(item: Item): HeapNode<Item>
  first(): Item | undefined
  /** Takes the node out; nothing happens when it has already left. */
  remove(node: HeapNode<Item>): void
  size(): number
}

export function createIndexedHeap<Item>(before: (a: Item, b: Item) => boolean): IndexedHeap<Item> {
  const nodes: HeapNode<Item>[] = []

  const place = (node: HeapNode<Item>, index: number): void => {
    nodes[index] = node
    node.index = index
  }

  const siftUp = (node: HeapNode<Item>): void => {
    let index = node.index
    while (index > 0) {
      const above = nodes[(index - 1) >> 1]
      if (above === undefined || !before(node.item, above.item)) break
      const parent = above.index
      place(above, index)
      index = parent
    }
    place(node, index)
  }

  const siftDown = (node: HeapNode<Item>): void => {
    let index = node.index
    for (;;) {
      const left = nodes[2 * index + 1]
      if (left === undefined) break
      const right = nodes[2 * index + 2]
      const child = right !== undefined && before(right.item, left.item) ? right : left
      if (!before(child.item, node.item)) break
      const below = child.index
      place(child, index)
      index = below
    }
    place(node, index)
  }

  return {
    push(item) {
      const node: HeapNode<Item> = { item, index: nodes.length }
      nodes.push(node)
      siftUp(node)
      return node
    },
    first: () => nodes[0]?.item,
    remove(node) {
      const index = node.index
      if (index < 0) return
      node.index = -1
      const last = nodes.pop()
      if (last === undefined || last === node) return
      place(last, index)
      siftUp(last)
      siftDown(last)
    },
    size: () => nodes.length,
  }
}
