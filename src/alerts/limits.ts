/**
 * What the Alert Manager may hold and how long it waits, in one table, each with its unit and its reason. What an operator
 * may move is in the configuration (`config/schema-alerts.ts`); these are the bounds that keep a long incident, a flood of
 * alerts or a dead receiver from growing the process.
 */
export const alertLimits = {
  /** Share of the ticks of a rule's time in which its condition must be there (runbook, "Alert rules"). */
  holdsShare: 0.8,
  /** Failed operations below which an error rate is chance: one that fails at night is 100 % of its five minutes. */
  leastFailures: 3,
  /** ms after a cause is over in which its symptoms are still held back: error rate and P95 look back over 5 min. */
  aftermathMs: 300_000,
  /** ms for which an alert that an operator resolved is not raised again: the mending must have its chance to show. */
  dismissedMs: 300_000,
  /** Alerts that are over and still listed: with the longest message about 150 kB of the one record that is written. */
  resolvedKept: 200,
  /** ms for which they are listed: the morning check reads the night. */
  resolvedKeptMs: 24 * 3_600_000,
  /** Alerts that are active at once: rules times components stay far below it; beyond it no further one is raised. */
  active: 500,
  /** Suppressions that are in force at once: a person enters them one by one. */
  suppressions: 100,
  /** ms. The longest suppression: what should be silent for longer is switched off in the configuration. */
  suppressionMs: 7 * 24 * 3_600_000,
  /** Notifications that wait for delivery: a storm is one, so that hundreds mean that nobody can be reached. */
  outbox: 300,
  /** ms after which a notification that cannot be delivered is given up: by then the receiver is an alert of its own. */
  deliveryMs: 900_000,
  /** ms between two updates of a storm that is no worse than told. */
  stormUpdateMs: 60_000,
  /** Alerts that one notification lists; further ones are counted. */
  listed: 50,
  /** Outcomes of deliveries that are remembered until the store has them: beyond it a repetition may follow. */
  settledKept: 2_000,
  /** Characters of a message, and of a name that an operator gives. */
  messageCharacters: 500,
  whoCharacters: 200,
  /** ms for which a preferred route holds unless it is renewed: when no instance evaluates, the preference ends by itself. */
  preferenceMs: 600_000,
  /** The preference is renewed when less than this is left of it. */
  preferenceRenewMs: 300_000,
  /** Writes that are tried when other instances write between reading and writing. */
  writeAttempts: 8,
  /** Ticks for which the lease of the evaluating instance holds without renewal, and its least length in ms. */
  leaseTicks: 4,
  leaseLeastMs: 2_000,
  /** Ticks between two records of the conditions that are pending, from which a restarted instance goes on. */
  windowsEveryTicks: 6,
  /** ms for one attempt of a delivery. */
  attemptMs: 10_000,
  /** ms. Bounds of the backoff between attempts; the actual wait is uniform below it (full jitter). */
  backoffMs: { first: 500, most: 30_000 },
  /** ms. The most of a receiver's Retry-After that is obeyed. */
  retryAfterMs: 60_000,
  /** Notifications that wait for one receiver. */
  deliveriesPerNotifier: 300,
  /** ms for which a receiver may fail before it counts as failing; one that gives a definite refusal does so at once. */
  notifierFailingMs: 60_000,
  /** Bytes of a receiver's answer that are read. */
  answerBytes: 65_536,
} as const
