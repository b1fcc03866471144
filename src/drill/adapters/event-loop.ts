/**
 * How long the process itself was late: a drill on a busy machine measures the machine, and its report must say so.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'

const resolutionMs = 5
const nanosecondsPerMs = 1_000_000

/** The returned function ends the watch and tells the 99th percentile of the delay, in ms. */
export function watchEventLoop(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  return () => {
    histogram.disable()
    return Math.max(0, histogram.percentile(99) / nanosecondsPerMs - resolutionMs)
  }
}
