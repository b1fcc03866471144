/**
 * What went wrong with a tool call, in the vocabulary of `operation/fault.ts`: the one place where the MCP path's failures
 * get their kind. The adapters tell it facts (a JSON-RPC code, an HTTP status, a lost connection); it never sees an error
 * object and never copies a server's text: every message is written here.
 *
 * The JSON-RPC codes are those of JSON-RPC 2.0, section 5.1, and of the MCP specification of 2026-07-28 (-32020 to -32022).
 * A tool that rejects its arguments is `not_found`, not `validation`: the arguments are made from this program's
 * configuration, so that another route may well carry the operation.
 */
import { faultKinds } from '../operation/fault.ts'
import type { Fault, FaultKind } from '../operation/fault.ts'

export type McpFailure =
  /** A JSON-RPC error answer. */
  | { readonly type: 'rpc_error'; readonly code: number }
  | { readonly type: 'http_status'; readonly status: number; readonly retryAfterMs?: number }
  /** The child died, the socket broke, or the answer's stream ended before the answer. */
  | { readonly type: 'connection_lost' }
  /** It ended before the server was ready for the first call. */
  | { readonly type: 'not_ready' }
  /** No connection came about; nothing was sent. */
  | { readonly type: 'unreachable'; readonly why: Unreachable }
  | { readonly type: 'connect_timeout' }
  /** The attempt's deadline passed. */
  | { readonly type: 'deadline' }
  /** No sign of life for longer than the limit. */
  | { readonly type: 'silence' }
  /** The stream ran longer than an operation's stream may. */
  | { readonly type: 'stream_too_long' }
  | { readonly type: 'oversized' }
  /** Not JSON, not JSON-RPC, not a tool result, or not what was streamed before. */
  | { readonly type: 'malformed' }
  | { readonly type: 'unauthorized' }
  /** The token's source has none. */
  | { readonly type: 'no_token' }
  /** The server asks for something only a person can give. */
  | { readonly type: 'input_required' }
  /** `isError: true`; a server of ours says which fault it met. */
  | { readonly type: 'tool_error'; readonly fault?: ReportedFault }
  /** Refused by us, before anything was sent. */
  | { readonly type: 'rejected'; readonly why: Rejection }

/** `not_started`: a child whose command cannot be run. */
export type Unreachable = 'refused' | 'unknown_name' | 'no_network_way' | 'not_started'

export type Rejection = 'busy' | 'capability' | 'unknown_server' | 'no_route' | 'disabled' | 'no_tool' | 'down' | 'closed'

/** What the operations MCP server tells of a failed execution, in `structuredContent.fault`. */
export interface ReportedFault {
  readonly kind: FaultKind
  readonly retryable: boolean
  readonly retryAfterMs?: number
}

/** @param server the configured name: the operator's own word, safe to show. */
export function classifyFailure(failure: McpFailure, server: string): Fault {
  const at = `the MCP server \`${server}\``
  switch (failure.type) {
    case 'rpc_error':
      return classifyRpcError(failure.code, at)
    case 'http_status':
      return classifyStatus(failure.status, failure.retryAfterMs, at)
    case 'connection_lost':
      return { kind: 'network', retryable: true, message: `The connection to ${at} was lost before the answer was complete.` }
    case 'not_ready':
      return { kind: 'network', retryable: true, message: `The connection to ${at} ended before it was ready for a call.` }
    case 'unreachable':
      return { kind: 'network', retryable: true, message: unreachable(failure.why, at), upstreamCode: failure.why }
    case 'connect_timeout':
      return { kind: 'timeout', retryable: true, message: `Connecting to ${at} took too long.` }
    case 'deadline':
      return { kind: 'timeout', retryable: true, message: `No answer from ${at} before the deadline.` }
    case 'silence':
      return { kind: 'timeout', retryable: true, message: `No sign of life from ${at} within the silence limit.` }
    case 'stream_too_long':
      return { kind: 'timeout', retryable: false, message: `The stream from ${at} ran longer than a stream may.` }
    case 'oversized':
      return { kind: 'protocol', retryable: false, message: `The answer of ${at} is larger than an answer may be.` }
    case 'malformed':
      return { kind: 'protocol', retryable: true, message: `The answer of ${at} is not a valid tool result.` }
    case 'unauthorized':
      return { kind: 'auth', retryable: false, message: `The credentials for ${at} are missing or not accepted.`, upstreamStatus: 401 }
    case 'no_token':
      return { kind: 'auth', retryable: false, message: `The configured source of the token for ${at} holds none.` }
    case 'input_required':
      return { kind: 'model_error', retryable: false, message: `The tool of ${at} asks for a person's input, which nobody here can give.`, upstreamCode: 'input_required' }
    case 'tool_error':
      return toolError(failure.fault, at)
    case 'rejected':
      return { ...rejection(failure.why, at), rejected: true }
  }
}

/** A fault that a server reports about its own upstream: only words of the closed list are taken over. */
export function readReportedFault(value: unknown): ReportedFault | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, retryable, retryAfterMs } = value as { kind?: unknown; retryable?: unknown; retryAfterMs?: unknown }
  const known = faultKinds.find((name) => name === kind)
  if (known === undefined || typeof retryable !== 'boolean') return undefined
  const waitable = typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0
  return { kind: known, retryable, ...(waitable ? { retryAfterMs } : {}) }
}

function unreachable(why: Unreachable, at: string): string {
  switch (why) {
    case 'refused':
      return `Connection refused by ${at}: nobody listens at its address.`
    case 'unknown_name':
      return `No connection to ${at}: its host name is not known.`
    case 'no_network_way':
      return `No connection to ${at}: the network knows no way to it.`
    case 'not_started':
      return `The command of ${at} could not be started.`
  }
}

function classifyRpcError(code: number, at: string): Fault {
  const upstreamCode = `jsonrpc ${String(code)}`
  switch (code) {
    case -32700:
    case -32600:
    case -32020:
    case -32022:
      return { kind: 'protocol', retryable: false, message: `To ${at} the call was not valid protocol.`, upstreamCode }
    case -32601:
      return { kind: 'not_found', retryable: false, message: `Tool calls are unknown to ${at}.`, upstreamCode }
    case -32602:
      return { kind: 'not_found', retryable: false, message: `The tool, or an argument that it was given, is unknown to ${at}.`, upstreamCode }
    case -32021:
      return { kind: 'model_error', retryable: false, message: `The tool of ${at} asks for a person's input, which nobody here can give.`, upstreamCode }
    case -32001:
      return { kind: 'timeout', retryable: true, message: `A time limit passed inside ${at}.`, upstreamCode }
    default:
      return { kind: 'overloaded', retryable: true, message: `An internal error in ${at}.`, upstreamCode }
  }
}

function classifyStatus(status: number, retryAfterMs: number | undefined, at: string): Fault {
  const facts = { upstreamStatus: status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  if (status === 401) return { kind: 'auth', retryable: false, message: `The credentials for ${at} are missing or not accepted.`, ...facts }
  if (status === 403) return { kind: 'access', retryable: false, message: `The credentials for ${at} may not do this.`, ...facts }
  if (status === 404) return { kind: 'not_found', retryable: true, message: `The endpoint or the session is unknown to ${at}.`, ...facts }
  if (status === 408 || status === 504) return { kind: 'timeout', retryable: true, message: `A time limit passed inside ${at}.`, ...facts }
  if (status === 429) return { kind: 'throttled', retryable: true, message: `Too many calls, says ${at}.`, ...facts }
  if (status >= 500) return { kind: 'overloaded', retryable: true, message: `An internal error in ${at}.`, ...facts }
  return { kind: 'protocol', retryable: false, message: `The call was refused by ${at} with an HTTP status that the protocol does not foresee.`, ...facts }
}

function toolError(fault: ReportedFault | undefined, at: string): Fault {
  if (fault === undefined) return { kind: 'model_error', retryable: false, message: `The tool of ${at} reports an error.`, upstreamCode: 'isError' }
  return { ...fault, message: `Behind ${at} the execution failed: ${fault.kind}.`, upstreamCode: 'isError' }
}

function rejection(why: Rejection, at: string): Fault {
  switch (why) {
    case 'busy':
      return { kind: 'overloaded', retryable: true, message: `No free place on ${at}: its concurrency limit is reached.` }
    case 'capability':
      return { kind: 'not_found', retryable: false, message: `The operation needs more than the text that the route over ${at} carries.` }
    case 'unknown_server':
      return { kind: 'not_found', retryable: false, message: `Not configured: ${at}.` }
    case 'no_route':
      return { kind: 'not_found', retryable: false, message: `No route for this operation leads over ${at}.` }
    case 'disabled':
      return { kind: 'not_found', retryable: false, message: `Switched off in the configuration: ${at}.` }
    case 'no_tool':
      return { kind: 'not_found', retryable: false, message: `The configured tool is missing on ${at}.` }
    case 'down':
      return { kind: 'network', retryable: true, message: `Not connected at present: ${at}.` }
    case 'closed':
      return { kind: 'network', retryable: true, message: `Being closed: ${at}.` }
  }
}
