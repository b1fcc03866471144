/**
 * The limits of the dispatcher and of the MCP path's messages, each with its unit and its reason.
 */
export const queueLimits = {
  /** ms of a lease: a worker that died is noticed within it, one that lives extends it three times. */
  leaseMs: 15_000,
  /** The part of a lease after which it is extended. */
  extendShare: 1 / 3,
  /** How often a message is handed out before it counts as poison: a crash or two is bad luck, five are its own doing. */
  deliveries: 5,
  /** Operations that run in workers at once, besides the calls that the MCP servers take: a worker mostly waits for an upstream, and a few slow ones must not keep the callers of the MCP path waiting. */
  operationSlots: 256,
  /** Claims that are under way at once: one more than a group of the store makes no claim earlier. */
  claims: 4,
  /** How fast messages are begun for which nobody waits (`pace.ts`). Shares are of the event loop's time. */
  pace: {
    /** ms between two readings of the loop: longer than a turn, far below what a person notices. */
    readEveryMs: 50,
    /**
     * While direct operations are about, with them: a request that finds the loop busy waits for what is left of its turn, some
     * tenths of a millisecond, so one in ten or so may (`bench/queue-beside-direct.ts`).
     */
    busyShareBesideDirect: 0.25,
    /** ms after the last direct attempt for which others are expected. */
    directActiveMs: 1_000,
    /** Per second, at the start. */
    firstPerSecond: 200,
    /** Per second, however busy the loop is: accepted work must not stand still. */
    leastPerSecond: 20,
    /** Per second: more than any server takes. */
    mostPerSecond: 5_000,
    /** Messages that may be begun in one go after a rest. */
    atOnce: 8,
    /** Factors by which the rate changes from one reading to the next, at most. */
    slowest: 0.5,
    fastest: 1.2,
  },
  /** Messages whose callers wait and that have not been claimed for: as many as one process waits for at once. */
  awaited: 1_000,
  /** Messages that have ended, per look. */
  endedPerLook: 50,
  /** ms that a caller waits for the queue to take a message: a healthy one needs less than one. */
  enqueueMs: 1_000,
  /** ms before a store that failed is asked again. */
  retryMs: 1_000,
  /** ms that a stop waits for the store to take what is being reported. */
  closeMs: 2_000,
  /** ms that a callback is tried for: a receiver that is down for an hour is told after it. */
  callbackMs: 2 * 3_600_000,
  /** Tries of one callback, with growing delays: they reach over the two hours. */
  callbackDeliveries: 20,
} as const
