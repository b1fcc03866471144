/**
 * The limits of the intake. Those that an operator may move come from the configuration (its section `limits` says their
 * units and reasons); the others are here.
 */
export interface IntakeLimits {
  readonly inFlightOperations: number
  readonly retainedResults: number
  readonly retainedResultBytes: number
  readonly retainedResultMs: number
  readonly idempotencyMs: number
  readonly eventsPerOperation: number
  readonly streamBufferBytes: number
}

export const intakeLimits = {
  /** Results that wait to be written, besides those that somebody must be able to fetch: more means that the store hangs. */
  pendingWrites: 1_000,
  /** ms. How long the answer to a keyed operation waits for the store; the answer matters more than the record of it. */
  storeWaitMs: 1_000,
  /** ms after which a write beside the path of the answers counts as lost: a store that hangs must not hold up the stop of the service. */
  writeLimitMs: 5_000,
  /** ms for which results that were delivered gather before they are written together, and how many at most: a few milliseconds make one transaction of a hundred. */
  gatherMs: 5,
  gatheredWrites: 64,
  /** Writes of a result that somebody must be able to fetch, and the ms between them: a store that restarts is back by then. */
  writeAttempts: 10,
  writeRetryMs: 1_000,
  /** ms between looks at the record of an operation that is followed and runs elsewhere: a person takes it for at once. */
  recordPollMs: 200,
  /** ms between looks for what processes that are gone have left behind; instances of one store only. */
  resumeEveryMs: 5_000,
  /** ms after which an operation that met a full router is tried again. */
  overloadedDelayMs: 500,
  /** ms after which an operation that met a stopping service is handed out again, to another one. */
  drainDelayMs: 250,
  /** Records that one listing looks at before it hands back a cursor: a filter that nothing fits must not read the whole store. */
  listedRecords: 5_000,
  /** Records that one read of the store brings. */
  listPage: 500,
  /** ms between looks at a repeated operation that runs in another process. */
  elsewherePollMs: 250,
  /** ms that the others have to say that they carry out an operation that the store does not know: far more than the relay takes. */
  locateMs: 250,
  /** ms between two words of a listener to the instance that tells it events: each brings a sign of life back. */
  listeningSignMs: 1_000,
  /** ms without any word after which the instance that tells events counts as gone, and the record tells the rest. */
  tellerLostMs: 3_500,
  /** ms without any word after which a listener counts as gone. */
  listenerLostMs: 10_000,
  /** Characters of text in one batch of events to another instance. */
  batchCharacters: 65_536,
  /** ms after which one without a key whose process is gone, and of which the store knows nothing, counts as expired: a lease, and the report of its end. */
  tracelessMs: 20_000,
  /** ms without a trace of a bound operation after which its process is taken to have died between binding the key and noting the start: two writes, each bounded by `storeWaitMs`. */
  neverStartedMs: 3_000,
  /** ms after its latest end when an operation that is nowhere to be found is given up: clocks differ, and writes take time. */
  elsewhereGraceMs: 5_000,
} as const
