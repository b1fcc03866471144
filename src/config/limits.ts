/**
 * Every limit on what a client, an upstream or time can make the process hold, in one table: what it counts, in which unit,
 * within which bounds an operator may move it, and why the default is what it is. The schema's section `limits` and the
 * reference page are made from this table; reaching a limit is a counted outcome of the component that enforces it.
 *
 * The sizes that the public contract fixes (part 8: 4 MiB bodies, JSON depth 64, 16 KiB headers, 10 s for them; part 3:
 * 24 h for repeats) are the defaults; the others follow from the memory that the service may use with 1,000 streams open
 * (400 MiB, of which about 100 MiB are the process itself).
 *
 * The constants at the end bound the reading of the configuration itself, so they cannot be configured.
 */
export interface Limit {
  readonly default: number
  readonly minimum: number
  readonly maximum: number
  readonly unit: string
  readonly description: string
  readonly reason: string
}

const mebibyte = 1_048_576
const dayMs = 86_400_000

export const limitTable = {
  bodyBytes: {
    default: 4 * mebibyte,
    minimum: 1_024,
    maximum: 64 * mebibyte,
    unit: 'bytes',
    description: 'The largest request body; a larger one is 413.',
    reason: 'Public contract. Long prompts with an image fit; a flood of the largest bodies does not exhaust the memory.',
  },
  jsonDepth: {
    default: 64,
    minimum: 8,
    maximum: 512,
    unit: 'levels',
    description: 'The deepest nesting of a JSON body; a deeper one is 400.',
    reason: 'Public contract. Tool schemas are a dozen deep; what recurses over a body stays far from the end of the stack.',
  },
  headerBytes: {
    default: 16_384,
    minimum: 4_096,
    maximum: 262_144,
    unit: 'bytes',
    description: 'The header section of a request; a larger one is 431.',
    reason: 'Public contract. A signed AWS request with a session token needs about 3 kB.',
  },
  headersTimeoutMs: {
    default: 10_000,
    minimum: 100,
    maximum: 120_000,
    unit: 'ms',
    description: 'How long a connection may take to send the headers of a request.',
    reason: 'Public contract. Connections that trickle bytes are closed before they add up.',
  },
  uriBytes: {
    default: 8_192,
    minimum: 1_024,
    maximum: 65_536,
    unit: 'bytes',
    description: 'The path and query of a request; longer ones are 414.',
    reason: 'A percent-encoded ARN and a cursor need below 2 kB; RFC 9110 asks for at least 8,000 octets.',
  },
  connections: {
    default: 10_000,
    minimum: 16,
    maximum: 1_000_000,
    unit: 'connections',
    description: 'Open client connections; a further one is closed at once.',
    reason: 'An idle connection costs about 10 kB: a flood of them stays at 100 MiB.',
  },
  inFlightOperations: {
    default: 2_000,
    minimum: 1,
    maximum: 100_000,
    unit: 'operations',
    description: 'Operations that run at once; beyond it the lowest priority is refused as `overloaded`.',
    reason: 'Twice the 1,000 streams that the service is measured with.',
  },
  concurrentStreams: {
    default: 2_000,
    minimum: 1,
    maximum: 100_000,
    unit: 'streams',
    description: 'Streams to clients, event followers included, that are open at once; a further one is refused as `overloaded`.',
    reason: 'A stream holds its buffers for minutes: 2,000 of them need about 600 MiB at worst.',
  },
  queuedOperations: {
    default: 10_000,
    minimum: 1,
    maximum: 10_000_000,
    unit: 'operations',
    description: 'Operations that wait in the queue; a further one is refused as `overloaded` with `Retry-After`.',
    reason: 'More than can be carried out within the longest hard timeout is only waited for in vain.',
  },
  retainedResults: {
    default: 10_000,
    minimum: 1,
    maximum: 10_000_000,
    unit: 'operations',
    description: 'Finished operations that can be read back; the oldest gives way.',
    reason: 'At about 4 kB each, 40 MiB.',
  },
  retainedResultBytes: {
    default: 64 * mebibyte,
    minimum: mebibyte,
    maximum: 16_384 * mebibyte,
    unit: 'bytes',
    description: 'Memory for finished operations and their events in the memory store; the oldest gives way.',
    reason: 'A few thousand answers of the largest size must not outgrow the process.',
  },
  retainedResultMs: {
    default: dayMs,
    minimum: 1_000,
    maximum: 30 * dayMs,
    unit: 'ms',
    description: 'How long a finished operation can be read back.',
    reason: 'As long as its idempotency key holds, so that a replay finds its answer.',
  },
  idempotencyMs: {
    default: dayMs,
    minimum: 1_000,
    maximum: 30 * dayMs,
    unit: 'ms',
    description: 'How long an `Idempotency-Key` stands for its operation.',
    reason: 'Public contract: 24 h.',
  },
  eventsPerOperation: {
    default: 10_000,
    minimum: 16,
    maximum: 1_000_000,
    unit: 'events',
    description: 'Events of one operation that are kept for a follower that resumes; the oldest give way.',
    reason: 'The longest answers of current models stream in below 10,000 events.',
  },
  streamBufferBytes: {
    default: mebibyte,
    minimum: 16_384,
    maximum: 64 * mebibyte,
    unit: 'bytes',
    description: 'What may wait for a client that reads its stream slowly; beyond it the stream is ended.',
    reason: 'A whole long answer is below 200 kB: whoever is a mebibyte behind does not read any more.',
  },
  retainedDecisions: {
    default: 1_000,
    minimum: 1,
    maximum: 1_000_000,
    unit: 'decisions',
    description: 'Routing decisions that can be looked up.',
    reason: 'A minute of decisions at a usual load, in about 1 MiB.',
  },
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limitTable

/** Bytes. A configuration of 500 targets is below 100 kB; parsing a mebibyte takes about as long as a start may. */
export const configFileBytes = mebibyte
/** YAML aliases that are resolved in one file: a person reuses a block a few times, an expansion bomb thousands of times. */
export const configAliases = 100
/** Levels below a member with a free shape, such as an argument template. */
export const configDepth = 32
/** Faults that are listed; the rest is counted. A file with more is the wrong file. */
export const configFaults = 100
/** Characters of a value that a message shows. */
export const shownValueLength = 80
/** ms without a further change before a changed file is read: editors and volume updates write in several steps. */
export const reloadQuietMs = 100
