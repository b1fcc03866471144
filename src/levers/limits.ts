/**
 * What the levers may hold and how long they wait, each with its unit and its reason.
 */
export const leverLimits = {
  /** ms that a lever waits for the store before it answers that storing goes on: half of the 100 ms it must be done in. */
  storeWaitMs: 50,
  /** ms between two looks at what other instances have pulled: their levers are in force here within a second. */
  pollMs: 400,
  /** ms that a start waits for the stored levers; then it starts without them and takes them over when they come. */
  startWaitMs: 2_000,
  /** ms between two attempts to store while the store is away. */
  retryMs: 500,
  /** Steps that wait to be stored; beyond it a lever is refused. */
  waiting: 500,
  /** Levers of one slot that lie below the one in force and come back when it ends. */
  beneath: 4,
  /** Steps whose ids are remembered, so that one whose outcome was unknown is not taken twice. */
  remembered: 128,
  /** Resets that are listed. */
  resets: 20,
  /** Seconds. A lever for longer than 30 days is a configuration. */
  durationSeconds: 30 * 86_400,
  /** Characters of a reason. */
  reasonCharacters: 500,
  /** ms for the free check of one target. */
  probeMs: 5_000,
  /** Attempts to write when other instances write between reading and writing. */
  writeAttempts: 16,
} as const
