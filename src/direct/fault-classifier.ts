/**
 * The one place where Bedrock's errors become ours: the errors of an HTTP answer, the exception and error frames inside a
 * stream that began with 200, and what the connection itself can do. Everything that decides what happens next (retry,
 * fallback, breaker, alert) reads only the `Fault` that is made here.
 *
 * The error's name decides before its HTTP status: the same error comes with several statuses (a `ServiceUnavailableException`
 * is seen with 400 and with 503), a name means one thing. Only where no known name is found does the status decide. The text
 * of the upstream is never copied, since it may quote the prompt; it is read in one case, told below.
 *
 * Sources: API reference "Common Errors", `API_runtime_Converse`, `API_runtime_ConverseStream`, and the user guide's
 * "Troubleshooting Amazon Bedrock API Error Codes".
 */
import type { Fault, FaultKind } from '../operation/fault.ts'

/** A delay asked for by one answer is obeyed up to this, in ms: an absurd value must not take a target away for hours. */
export const longestRetryAfterMs = 300_000

export interface UpstreamError {
  /** Null inside a stream: its HTTP status was 200. */
  readonly status: number | null
  /** The name as it came: of the header, the body, the exception or the error frame. */
  readonly code: string | null
  /** Read for what the name does not tell; never shown. */
  readonly text: string
  readonly retryAfterMs?: number | undefined
}

interface Rule {
  readonly kind: FaultKind
  readonly retryable: boolean
  readonly message: string
}

const throttled: Rule = { kind: 'throttled', retryable: true, message: 'Bedrock asks to send less.' }
const overloaded: Rule = { kind: 'overloaded', retryable: true, message: 'Bedrock has no capacity for the request at the moment.' }
const broken: Rule = { kind: 'overloaded', retryable: true, message: 'Bedrock reports an error of its own.' }
const expired: Rule = { kind: 'auth', retryable: false, message: 'The AWS credentials are expired.' }
const badCredentials: Rule = { kind: 'auth', retryable: false, message: 'Bedrock does not accept the AWS credentials.' }
const badSignature: Rule = { kind: 'auth', retryable: false, message: 'Bedrock does not accept the signature: wrong secret key, or a clock that is off.' }
const denied: Rule = { kind: 'access', retryable: false, message: 'The AWS credentials may not use this model.' }
const notFound: Rule = { kind: 'not_found', retryable: false, message: 'Bedrock does not know this model or inference profile.' }
const invalid: Rule = { kind: 'validation', retryable: false, message: 'Bedrock does not accept the request.' }
const quota: Rule = { kind: 'quota', retryable: false, message: 'A quota of the AWS account is used up.' }
const modelTimeout: Rule = { kind: 'timeout', retryable: true, message: 'The model took too long.' }
const modelError: Rule = { kind: 'model_error', retryable: false, message: 'The model failed on this request.' }
const modelStreamError: Rule = { kind: 'model_error', retryable: true, message: 'The model failed while it answered.' }
const notReady: Rule = { kind: 'overloaded', retryable: true, message: 'The model is not ready yet.' }

/** Every name that we know, and no other ever appears in a fault. */
const rules: ReadonlyMap<string, Rule> = new Map([
  ['ThrottlingException', throttled],
  ['Throttling', throttled],
  ['TooManyRequestsException', throttled],
  ['RequestThrottled', throttled],
  ['RequestThrottledException', throttled],
  ['RequestLimitExceeded', throttled],
  ['SlowDown', throttled],
  ['ServiceUnavailableException', overloaded],
  ['ServiceUnavailable', overloaded],
  ['ModelNotReadyException', notReady],
  ['InternalServerException', broken],
  ['InternalServerError', broken],
  ['InternalFailure', broken],
  ['InternalFailureException', broken],
  ['ConflictException', broken],
  ['ModelTimeoutException', modelTimeout],
  ['RequestTimeout', modelTimeout],
  ['RequestTimeoutException', modelTimeout],
  ['ModelErrorException', modelError],
  ['ModelStreamErrorException', modelStreamError],
  ['ServiceQuotaExceededException', quota],
  ['AccessDeniedException', denied],
  ['AccessDenied', denied],
  ['NotAuthorized', denied],
  ['OptInRequired', denied],
  ['SubscriptionRequiredException', denied],
  ['ResourceNotFoundException', notFound],
  ['ValidationException', invalid],
  ['ValidationError', invalid],
  ['SerializationException', invalid],
  ['ExpiredTokenException', expired],
  ['ExpiredToken', expired],
  ['RequestExpired', expired],
  ['TokenRefreshRequired', expired],
  ['UnrecognizedClientException', badCredentials],
  ['InvalidClientTokenId', badCredentials],
  ['InvalidAccessKeyId', badCredentials],
  ['InvalidToken', badCredentials],
  ['AuthFailure', badCredentials],
  ['UnauthorizedException', badCredentials],
  ['MissingAuthenticationToken', badCredentials],
  ['MissingAuthenticationTokenException', badCredentials],
  ['InvalidSignatureException', badSignature],
  ['SignatureDoesNotMatch', badSignature],
  ['IncompleteSignature', badSignature],
  ['IncompleteSignatureException', badSignature],
  ['RequestTimeTooSkewed', badSignature],
])

/** Names after which the same credentials cannot succeed, so that others are fetched at once. */
export function asksForNewCredentials(fault: Fault): boolean {
  return fault.kind === 'auth'
}

export function classifyUpstreamError(error: UpstreamError): Fault {
  const name = error.code === null ? null : normalName(error.code)
  const named = name === null ? undefined : rules.get(name)
  const rule = named === undefined ? ruleOfStatus(error.status) : refine(named, error.text)
  return {
    kind: rule.kind,
    retryable: rule.retryable,
    message: rule.message,
    ...(rule.retryable && error.retryAfterMs !== undefined ? { retryAfterMs: Math.min(Math.max(0, error.retryAfterMs), longestRetryAfterMs) } : {}),
    ...(named === undefined || name === null ? {} : { upstreamCode: name }),
    ...(error.status === null ? {} : { upstreamStatus: error.status }),
  }
}

/**
 * A header says `Type` or `Type:http://…`, a body `namespace#Type`, a frame `throttlingException`, an error frame `Type`.
 */
export function normalName(code: string): string {
  const bare = code.slice(code.indexOf('#') + 1).split(':', 1)[0]?.trim() ?? ''
  return bare.charAt(0).toUpperCase() + bare.slice(1)
}

/**
 * Bedrock has one name for a request that is wrong everywhere and for a model id that is wrong at this target. Only its
 * text tells them apart, and the difference is whether another target may still answer. Likewise a daily quota comes as a
 * throttle. Both are worth reading a text for: the wrong guess costs a fallback or a minute of retries, never a secret.
 */
function refine(rule: Rule, text: string): Rule {
  if (rule === invalid && /model identifier is invalid|on-demand throughput isn|inference profile/i.test(text)) return notFound
  if (rule === throttled && /tokens per day/i.test(text)) return quota
  return rule
}

function ruleOfStatus(status: number | null): Rule {
  if (status === null) return broken
  if (status === 401) return badCredentials
  if (status === 403) return denied
  if (status === 404) return notFound
  if (status === 408) return modelTimeout
  if (status === 424) return modelError
  if (status === 429) return throttled
  if (status === 503) return overloaded
  if (status >= 500) return broken
  if (status === 400 || status === 413 || status === 422) return invalid
  return { kind: 'protocol', retryable: false, message: 'The answer is not one that Bedrock gives.' }
}

/** The name and the text of an HTTP error: the header first, then the body's members, where it is JSON at all. */
export function readErrorBody(headerType: string | undefined, body: string): { code: string | null; text: string } {
  let fields: Readonly<Record<string, unknown>> = {}
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null) fields = parsed as Readonly<Record<string, unknown>>
  } catch {
    // HTML of a proxy, or nothing at all: the header or the status tells.
  }
  return { code: stringOf(headerType) ?? stringOf(fields['__type']) ?? stringOf(fields['code']) ?? stringOf(fields['Code']), text: stringOf(fields['message']) ?? stringOf(fields['Message']) ?? '' }
}

function stringOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

export type LimitName = 'connect' | 'first_byte' | 'silence' | 'deadline'

const limitMessages: Readonly<Record<LimitName, string>> = {
  connect: 'No connection to Bedrock in time.',
  first_byte: 'Bedrock did not begin to answer in time.',
  silence: 'Bedrock fell silent in the middle of its answer.',
  deadline: 'Bedrock did not answer in time.',
}

export function limitFault(limit: LimitName): Fault {
  return { kind: 'timeout', retryable: true, message: limitMessages[limit] }
}

export type ProtocolProblem =
  | 'frame_length'
  | 'frame_checksum'
  | 'frame_headers'
  | 'frame_payload'
  | 'truncated'
  | 'no_end'
  | 'too_large'
  | 'content_type'
  | 'not_json'
  | 'no_message'
  | 'order'
  | 'tool_input'
  | 'http'

const protocolMessages: Readonly<Record<ProtocolProblem, string>> = {
  frame_length: 'A frame of the stream declares an impossible length.',
  frame_checksum: 'A frame of the stream has a wrong checksum.',
  frame_headers: 'A frame of the stream has unreadable headers.',
  frame_payload: 'A frame of the stream has an unreadable payload.',
  truncated: 'The stream ended in the middle of a frame.',
  no_end: 'The stream ended before the answer was complete.',
  too_large: 'The answer is larger than allowed.',
  content_type: 'The answer has a content type that Bedrock does not use.',
  not_json: 'The answer is not JSON.',
  no_message: 'The answer holds no message.',
  order: 'The events of the stream are out of order.',
  tool_input: 'The answer calls a tool with input that is not JSON.',
  http: 'The answer is not HTTP/1.1.',
}

export function protocolFault(problem: ProtocolProblem, status?: number): Fault {
  return { kind: 'protocol', retryable: true, message: protocolMessages[problem], ...(status === undefined ? {} : { upstreamStatus: status }) }
}

/** What the connection did, by the code of Node's or undici's error; `UND_ERR_PARSER` is ours for what is no HTTP. */
export function classifyConnectionError(code: string | undefined, sent: boolean): Fault {
  if (code !== undefined) {
    if (code === 'UND_ERR_HEADERS_OVERFLOW') return protocolFault('too_large')
    if (code.startsWith('UND_ERR_RES') || code === 'UND_ERR_PARSER') return protocolFault('http')
    if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return limitFault(sent ? 'silence' : 'connect')
    if (code === 'ENOTFOUND') return { kind: 'network', retryable: true, message: 'The name of the Bedrock endpoint is not known.' }
    if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || code.includes('CERT')) {
      return { kind: 'network', retryable: false, message: 'No trusted TLS connection to the Bedrock endpoint.' }
    }
  }
  return { kind: 'network', retryable: true, message: sent ? 'The connection to Bedrock broke.' : 'No connection to Bedrock.' }
}

export const noCredentials: Fault = Object.freeze({ kind: 'auth', retryable: false, message: 'No AWS credentials could be obtained.' })
export const unknownTarget: Fault = Object.freeze({ kind: 'not_found', retryable: false, message: 'The target is not configured.', rejected: true })
export const clientClosed: Fault = Object.freeze({ kind: 'network', retryable: false, message: 'The Direct Bedrock Client is closed.', rejected: true })
export const connectionsUsedUp: Fault = Object.freeze({ kind: 'overloaded', retryable: true, message: 'All connections to the target are in use.', rejected: true })
