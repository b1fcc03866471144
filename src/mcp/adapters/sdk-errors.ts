/**
 * From what the MCP SDK throws to the facts that the fault classifier reads: the one place that knows the SDK's errors.
 * The SDK reports an abort of ours as a timeout too; whoever aborted knows better and does not ask here.
 */
import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError, UnauthorizedError } from '@modelcontextprotocol/client'
import type { McpFailure } from '../fault-classifier.ts'

export function failureOf(error: unknown): McpFailure {
  if (error instanceof UnauthorizedError) return { type: 'unauthorized' }
  if (error instanceof ProtocolError) return { type: 'rpc_error', code: error.code }
  if (error instanceof SdkHttpError) return { type: 'http_status', status: error.status }
  if (error instanceof SdkError) return sdkFailure(error)
  if (error instanceof TokenMissing) return { type: 'no_token' }
  // The SDK parses an answer before it looks for the call: what is not JSON or not JSON-RPC surfaces as it was thrown.
  if (error instanceof SyntaxError || isSchemaError(error)) return { type: 'malformed' }
  // Plain errors of a transport: the child is gone, the socket broke, `fetch` failed.
  return connectionFailure(error)
}

/** What the system says of a connection: its code is on the error of a child's start, and on the cause of a failed `fetch`. */
export function connectionFailure(error: unknown): McpFailure {
  const isStart = error instanceof Error && 'syscall' in error && String(error.syscall).startsWith('spawn')
  switch (codeOf(error) ?? codeOf(error instanceof Error ? error.cause : undefined)) {
    case 'UND_ERR_CONNECT_TIMEOUT':
      return { type: 'connect_timeout' }
    case 'ECONNREFUSED':
      return { type: 'unreachable', why: 'refused' }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { type: 'unreachable', why: 'unknown_name' }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return { type: 'unreachable', why: 'no_network_way' }
    default:
      return isStart ? { type: 'unreachable', why: 'not_started' } : { type: 'connection_lost' }
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

/** The configured source of a bearer token has none at present. */
export class TokenMissing extends Error {}

function sdkFailure(error: SdkError): McpFailure {
  switch (error.code) {
    case SdkErrorCode.RequestTimeout:
      return { type: 'deadline' }
    case SdkErrorCode.ClientHttpAuthentication:
      return { type: 'unauthorized' }
    case SdkErrorCode.NotConnected:
    case SdkErrorCode.ConnectionClosed:
    case SdkErrorCode.SendFailed:
      return { type: 'connection_lost' }
    case SdkErrorCode.InputRequiredRoundsExceeded:
      return { type: 'input_required' }
    case SdkErrorCode.UnsupportedResultType: {
      const data = error.data
      const resultType = typeof data === 'object' && data !== null && 'resultType' in data ? data.resultType : undefined
      return { type: resultType === 'input_required' ? 'input_required' : 'malformed' }
    }
    case SdkErrorCode.EraNegotiationFailed:
      // The cause tells a server that cannot be reached from one that speaks another language.
      return error.cause === undefined || isSchemaError(error.cause) ? { type: 'malformed' } : failureOf(error.cause)
    default:
      return { type: 'malformed' }
  }
}

/** Zod's errors carry `issues`; the class itself is bundled inside the SDK. */
function isSchemaError(error: unknown): boolean {
  return error instanceof Error && 'issues' in error && Array.isArray(error.issues)
}
