/**
 * What the audit trail may hold and how long it waits, each with its unit and its reason.
 */
export const auditLimits = {
  /** Records that wait because the store is away: an outage of an hour with a lever every few seconds. */
  waiting: 1_000,
  /** ms between two attempts to write while the store is away. */
  retryMs: 500,
  /** ms after its event at which a record counts as late and says when it was written. */
  lateAfterMs: 5_000,
  /** Records that other instances may have written between reading the end and writing, before an append waits and retries. */
  appendAttempts: 64,
  /** Records that are read at once, by listing, verification and export. */
  readAtOnce: 500,
  /** Records that one request of the listing looks at: a filter that fits nothing must not read the whole trail. */
  scannedPerRequest: 5_000,
  /** Records of one page: the contract's limit on listings, and what is given without a wish. */
  pageLimit: 500,
  pageDefault: 50,
  /** Findings of one verification that are listed; the first one already says where to look. */
  findings: 100,
  /** Records kept beside the age: half of what the memory engine holds, all collections. */
  records: 100_000,
  /** Records that retention removes in one go. */
  removedAtOnce: 500,
  /** ms between two runs of retention. */
  retentionEveryMs: 3_600_000,
  /** ms between two lines of the log that hold the signed head, while records are added. */
  headLoggedEveryMs: 600_000,
  /** Records after which the head is logged without waiting. */
  headLoggedEvery: 100,
  /** Characters of a text that a caller gives, such as a reason. */
  textCharacters: 1_000,
  /** Failed logins: addresses that are told apart at once; those beyond are counted together. */
  loginAddresses: 64,
  /** ms over which the failures of one address are one record, after its first. */
  loginWindowMs: 60_000,
  /** Entries of the operations log are kept as long as two years' reviews look back. */
  operationsLogMs: 800 * 86_400_000,
} as const
