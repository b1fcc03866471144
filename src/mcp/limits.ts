/**
 * Every limit of the MCP Router, with its unit and its reason. What a configuration may change has its default here; what it
 * may not change stands below. Nothing else in this folder states a number that bounds time, memory or concurrency.
 */

/** Defaults of what a configuration may set. */
export const mcpDefaults = Object.freeze({
  /** Calls in flight per server: an HTTP server of the SDK is saturated near 16 calls on one core. */
  concurrency: 16,
  /** The longest silence of a call, between two signs of life. A thinking model is quiet for tens of seconds. */
  timeoutMs: 60_000,
  /** How long a call waits for a place beyond the concurrency limit: longer waits belong into the durable queue. */
  queueWaitMs: 1_000,
  /** `initialize` of a server that starts: a package runner may first unpack its package. */
  connectTimeoutMs: 15_000,
  /** The probe for the newer wire: a stdio server that ignores it costs this on every negotiation. */
  probeTimeoutMs: 2_000,
  /** One `ping`, `server/discover` or `tools/list`. They do no work, so a slow one is a sign of trouble. */
  checkTimeoutMs: 5_000,
  /** Between two health checks of a server that is up. */
  checkIntervalMs: 30_000,
  /** How long the negotiated wire is believed: a server that was replaced by a newer one is noticed after that. */
  eraExpiryMs: 3_600_000,
})

export const mcpLimits = Object.freeze({
  /** Bytes of one result, transport framing included: the largest answer a model gives is far below it. */
  resultBytes: 8 * 1_048_576,
  /** Bytes of a child's error output that are kept, for the view of the server. */
  stderrTailBytes: 4_096,
  /** Calls that may wait for a place on one server; each holds its whole request in memory. */
  waitingCalls: 1_024,
  /** First delay of the backoff before a new connection; doubled with every failure, drawn from zero up (full jitter). */
  reconnectBaseMs: 500,
  /** Longest delay of the backoff: a server that comes back is used again within this. */
  reconnectCapMs: 30_000,
  /** A connection that lived this long was good: the next failure starts the backoff anew. */
  stableAfterMs: 10_000,
  /** A tool list older than this is read again with the next check: tools come and go. */
  toolsExpiryMs: 300_000,
  /** Between two listings that a server's own notifications ask for: one that notifies without end is not listed without end. */
  toolsRenewalMs: 250,
  /** A stdio server has this long to leave after its input was closed, before SIGTERM. */
  stdioLeaveMs: 300,
  /** And this long after SIGTERM, before SIGKILL. */
  stdioTerminateMs: 1_000,
  /** After the end of an HTTP response: how long its last message may take through the parser before the answer counts as missing. */
  answerGraceMs: 250,
  /** Our own timers cut a call; the SDK's fires this much later, as a backstop for a timer that was lost. */
  sdkTimeoutSlackMs: 5_000,
  /** Depth of an arguments template: it comes from a configuration, but recursion needs an end. */
  templateDepth: 16,
  /** How long a token that was read from a file is believed: rotated tokens are used within this. */
  tokenExpiryMs: 10_000,
  /** A changed server is let finish its calls before its connection is closed, but no longer than the longest hard timeout. */
  retireMs: 120_000,
})
