/**
 * Every limit of the operations MCP server, with its unit and its reason.
 */
export const operationsServerLimits = Object.freeze({
  /** Executions at once: each holds a request and an answer in memory and a connection upstream. */
  running: 64,
  /** How long an answer is kept for a repeat of its operation: longer than any hard timeout and its redelivery. */
  rememberMs: 600_000,
  /** Answers that are kept, and the characters of all of them together. */
  remembered: 1_000,
  rememberedCharacters: 16_000_000,
  /** When the caller gives no deadline, and the longest that it may give. */
  defaultDeadlineMs: 120_000,
  longestDeadlineMs: 600_000,
  /** After first content of a stream, where the caller says nothing else: silence between events, and the whole stream. */
  streamSilenceMs: 30_000,
  streamMaxMs: 600_000,
  /** Between two signs of life while the model says nothing: well below the usual silence limits of MCP hosts, 60 s. */
  signOfLifeMs: 5_000,
  /** One request: an operation's body of 4 MiB travels twice, as `messages` and inside `converse`, plus its framing. */
  requestBytes: 16 * 1_048_576,
  /** The headers of one request, and how long they may take. */
  headerBytes: 16_384,
  headersTimeoutMs: 10_000,
  /** An operation id is our own or another router's; a longer key would only cost memory. */
  operationIdLength: 200,
})
