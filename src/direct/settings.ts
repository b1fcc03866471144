/**
 * What the Direct Bedrock Client must be told: its targets, the model and inference settings of each operation, and its
 * limits. These are the client's own words; the composition root maps the configuration onto them.
 *
 * A target is one model, or inference profile, in one region. Its default endpoint is the regional one of the Bedrock
 * Runtime (AWS General Reference, "Amazon Bedrock endpoints and quotas"); an override keeps its base path, as the AWS SDKs
 * do, and then serves the control plane as well, since an emulator or a gateway has one origin for both.
 */
import type { OperationType } from '../operation/matrix.ts'

export interface DirectTarget {
  /** The name by which attempts, breakers and operators speak of it. */
  readonly id: string
  readonly region: string
  /** A model id, an inference profile id, or the ARN of either. */
  readonly modelId: string
  /** Instead of the regional endpoint: an origin, with or without a base path. */
  readonly endpoint?: string
}

/** Applied where the request itself gives none. */
export interface OperationSettings {
  readonly modelId?: string
  readonly maxTokens?: number
  readonly temperature?: number
  readonly topP?: number
  readonly stopSequences?: readonly string[]
}

export interface DirectLimits {
  /** From the start of an attempt until it has a connection, name look-up and TLS included. */
  readonly connectMs: number
  /** From the request being sent to the first event of a streamed answer. A whole answer comes at its end: its deadline bounds it. */
  readonly firstByteMs: number
  /** Between two events of a stream, or two pieces of a whole answer. An operation's own `streamSilenceMs` may be tighter. */
  readonly silenceMs: number
  /** One frame of the event stream. */
  readonly maxFrameBytes: number
  /** One answer, streamed or whole. */
  readonly maxResponseBytes: number
  /** Attempts at once per target: each has a connection of its own. */
  readonly connectionsPerTarget: number
}

export interface DirectSettings {
  readonly targets: readonly DirectTarget[]
  readonly operations: Readonly<Partial<Record<OperationType, OperationSettings>>>
  readonly limits: DirectLimits
}

export const defaultDirectLimits: DirectLimits = Object.freeze({
  // A round trip within a continent, three times over for TCP and TLS, is below 300 ms; beyond 3 s nobody is there.
  connectMs: 3_000,
  // Long prompts take seconds until the first token; the tightest hard timeout of the matrix, 10 s, cuts an emergency before.
  firstByteMs: 30_000,
  // Models that think are silent for tens of seconds.
  silenceMs: 60_000,
  // Frames of Bedrock's streams are some hundred bytes; the event-stream format itself allows 16 MiB of payload.
  maxFrameBytes: 4_194_304,
  // An answer of 128k tokens is about 0.5 MiB of text, and 30 MiB of frames where each token has its own.
  maxResponseBytes: 67_108_864,
  connectionsPerTarget: 2_048,
})

/** Limits that nobody needs to tune. */
export const directBounds = Object.freeze({
  /** Bytes kept of an answer that is no success: AWS's own error bodies are below 1 KiB. */
  errorBodyBytes: 65_536,
  /** Bytes of response headers. */
  headerBytes: 32_768,
  /** An idle connection is closed after this, in ms: below 60 s, the default idle limit of AWS's load balancers (Elastic Load Balancing user guide). */
  idleConnectionMs: 50_000,
  /** Credentials are renewed this long before they end, in ms: the lead of the AWS SDKs. */
  credentialLeadMs: 300_000,
  /** Least time between two attempts to renew credentials in the background, in ms. */
  credentialRetryMs: 15_000,
})

export interface Endpoint {
  /** Scheme, host and port. */
  readonly origin: string
  /** As the `host` header says it: the default port is left out. */
  readonly host: string
  /** `''`, or begins with a slash and does not end with one. */
  readonly basePath: string
}

export function runtimeEndpoint(target: DirectTarget): Endpoint {
  return endpointOf(target.endpoint ?? `https://bedrock-runtime.${target.region}.amazonaws.com`)
}

export function controlPlaneEndpoint(target: DirectTarget): Endpoint {
  return endpointOf(target.endpoint ?? `https://bedrock.${target.region}.amazonaws.com`)
}

function endpointOf(address: string): Endpoint {
  const url = new URL(address)
  return { origin: url.origin, host: url.host, basePath: url.pathname.replace(/\/+$/, '') }
}
