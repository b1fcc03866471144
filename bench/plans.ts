/** The sizes of every load, in one table: the scenarios put them on, the report names them. */
import type { StreamPlan } from './stream-plan.ts'

export const plans = {
  /** Busy connections of the throughput scenario. */
  connections: 32,
  /** Open-loop rate at which added latency is measured: far below what saturates any subject. */
  requestsPerSecond: 200,
  /**
   * A stream lasts about a second, so as many are open as start in a second. The pace decides the CPU per event: the
   * slower it is, the more often each event is a wake-up of its own. 10 ms is a fast model's.
   */
  paced: { stream: { events: 100, everyMs: 10 } satisfies StreamPlan, startsPerSecond: 32 },
  burst: { stream: { events: 200, everyMs: 0 } satisfies StreamPlan, concurrency: 32 },
  /** 1,000 streams start within 2 s and each lasts 10 s: all are open at once for 8 s, at 4,000 events per second. */
  wave: { stream: { events: 40, everyMs: 250 } satisfies StreamPlan, startsPerSecond: 500, startsMs: 2000 },
} as const
