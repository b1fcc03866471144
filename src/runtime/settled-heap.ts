/**
 * Gives back what starting has left behind. Loading some hundred modules fills the heap with source texts and compiler data
 * that nobody needs any more, a quarter of an idle process; V8 would keep the room until a garbage collection that an idle
 * process never comes to.
 *
 * From then on the young generation grows to its full size in one step when load comes, instead of by doublings over the first
 * waves of it: what a process needs is seen at its first peak, and not at its third.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Collects once, for some 30 ms: call it when the start is over and nothing runs yet. */
export function settleHeap(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  setFlagsFromString('--semi-space-growth-factor=16')
}
