/**
 * The limits of both ports, each with its unit and its reason. Engines may be tighter where an engine's file says so.
 */
export const storeLimits = {
  /** UTF-8 bytes of a collection's name or of a key: tenant, client's key and separators fit; an index page still holds several. */
  keyBytes: 1_024,
  /** UTF-8 bytes of one value as JSON: a request body (4 MiB) with its answer and the frame around them. */
  valueBytes: 16 * 1_024 * 1_024,
  /** Records of one page of a listing: the public listing's limit, and one more to know whether there is a next page. */
  listLimit: 1_001,
  /** Records of the memory engine, all collections: about 200 MB at 1 kB each, then it says `full` instead of growing. */
  memoryRecords: 200_000,
  /** Bytes of JSON of the memory engine, all collections, so that large answers cannot take the process with them. */
  memoryBytes: 256 * 1_024 * 1_024,
  /** Messages that wait, unless the configuration says otherwise: minutes of work, beyond which waiting is of no use. */
  queueDepth: 20_000,
  /** Share of the depth up to which a class may fill it, critical first: in overload the lowest class is refused first. */
  depthShares: [1, 0.95, 0.9, 0.8],
  /** One claim in so many goes to the longest-waiting lower class: a tenth keeps it alive and costs the others little. */
  reservedClaimEvery: 10,
  /** Dead letters kept, all classes: enough to see a pattern; the oldest reported one leaves first. */
  deadLetters: 1_000,
  /** Earlier deliveries kept with a message. */
  historyRecords: 20,
  /** Characters of one reason in the history. */
  reasonCharacters: 500,
  /** Delays and leases that one call brings up to date: keeps a call below a millisecond or so. */
  duePerCall: 100,
  /** Expired messages that one claim moves out of its way before it gives up for this time. */
  expiredPerClaim: 500,
  /** Milliseconds of one lease: longer than any hard timeout is a mistake. */
  leaseMs: 3_600_000,
  /** Milliseconds of one delay. */
  delayMs: 24 * 3_600_000,
  /** Messages of one `claimEnded` or page of dead letters. */
  endedPerCall: 1_000,
  /** Bounds of the `Retry-After` hint in milliseconds: shorter invites a stampede, longer gives up on a queue that drains. */
  retryAfterMs: { least: 1_000, most: 30_000 },
  /** Bytes of the SQLite file: a runaway queue ends as `full` here, not as a full disk for everybody. */
  sqliteBytes: 8 * 1_024 * 1_024 * 1_024,
  /** Calls that one transaction of the SQLite engine groups on its worker: bounds how long one caller waits for the others. */
  sqliteGroup: 256,
  /** The same on the calling thread (some 30 us each): what one turn of the event loop gives to the store. */
  sqliteGroupHere: 16,
  /** Transactions between two checkpoints of the SQLite engine: a few MiB of log. */
  sqliteCheckpointEvery: 1_000,
  /** Pages of log above which the engine pauses for a checkpoint that starts the log again (32 MiB). */
  sqliteLogPages: 8_192,
} as const
