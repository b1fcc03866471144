/**
 * The clock of open-loop load, on a thread of its own. Node's timers fire on whole milliseconds, which is more than the
 * latencies to be measured; a thread that sleeps on a futex wakes within some tenths of a millisecond and costs no CPU.
 * Posts one message per tick, with the instant (process.hrtime, ms) at which the tick was due.
 */
import { parentPort as generator, workerData } from 'node:worker_threads'

export interface PacerOrder {
  readonly firstAtMs: number
  readonly everyMs: number
  readonly ticks: number
}

export const hrtimeMs = (): number => Number(process.hrtime.bigint()) / 1e6

if (generator !== null) {
  const { firstAtMs, everyMs, ticks } = workerData as PacerOrder
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  for (let tick = 0; tick < ticks; tick += 1) {
    const dueMs = firstAtMs + tick * everyMs
    const waitMs = dueMs - hrtimeMs()
    if (waitMs > 0) Atomics.wait(sleeper, 0, 0, waitMs)
    generator.postMessage(dueMs) // oxlint-disable-line unicorn/require-post-message-target-origin -- a worker's port, not a window
  }
}
