/** How busy this thread's event loop is. Time in which the machine gave the processor to others counts as busy: it is lost all the same. */
export interface LoopLoad {
  /** The busy part of the time since the last call, 0 to 1. */
  busyShare(): number
}

export function createLoopLoad(): LoopLoad {
  let last = performance.eventLoopUtilization()
  return {
    busyShare() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, last)
      last = now
      return utilization
    },
  }
}
