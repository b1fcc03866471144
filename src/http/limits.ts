/**
 * The limits of the HTTP layer that no operator needs to move, each with its unit and reason. The others are the
 * configuration's section `limits`.
 */
export const httpLimits = {
  /** ms. A first byte that takes longer is no client of ours. */
  firstByteTimeoutMs: 10_000,
  /** ms for a whole request, body included: 4 MiB at 70 kB/s. */
  requestTimeoutMs: 60_000,
  /** ms. Longer than the 60 s of common load balancers, so that they close first and never meet a closing connection. */
  keepAliveTimeoutMs: 72_000,
  /** Header bytes beyond the limit that Node still reads, so that the refusal is ours: URI and headers share Node's limit. */
  headerSlackBytes: 8_192,
  /** Requests at once on one HTTP/2 session: the AWS SDK's pool opens a second session beyond. */
  maxConcurrentStreams: 1_000,
  /** ms between the end of the drain and the moment when connections are cut. */
  closeGraceMs: 1_000,
  /** ms of silence after which a comment keeps a stream's proxies from closing it; common ones wait 60 s, some 30 s. */
  heartbeatMs: 15_000,
  /** ms for which a client may take nothing of its stream: a phone that changes networks is back by then, or gone. */
  stalledReaderMs: 60_000,
  /** Characters written at once to a stream that has much to catch up. */
  writeCharacters: 65_536,
  /** Characters of a correlation id: a W3C trace id, a UUID and an ARN fit. */
  correlationIdCharacters: 128,
  /** Characters of an Idempotency-Key. */
  idempotencyKeyCharacters: 255,
  /** Characters of a client's value that an error shows. */
  shownCharacters: 64,
  /** Events of one page of operations: the contract's limit, and what is given without a wish. */
  pageLimit: 500,
  pageDefault: 50,
} as const
