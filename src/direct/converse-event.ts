/**
 * One event of Bedrock's stream, from its name and parsed payload to the canonical event. Only what the program relies on
 * is checked; a payload is passed on as it came. An event that AWS adds tomorrow is `unknown` and skipped, as the AWS SDKs
 * skip it; one that contradicts the API reference (`API_runtime_ConverseStreamOutput`) is `malformed`.
 */
import type { ConverseStreamEvent } from '../operation/converse.ts'

export function toConverseEvent(type: string, payload: unknown): ConverseStreamEvent | 'unknown' | 'malformed' {
  if (typeof payload !== 'object' || payload === null) return 'malformed'
  const fields = payload as Readonly<Record<string, unknown>>
  switch (type) {
    case 'contentBlockDelta':
      if (!isIndex(fields['contentBlockIndex']) || !isObject(fields['delta'])) return 'malformed'
      break
    case 'messageStart':
      if (fields['role'] !== 'assistant' && fields['role'] !== 'user') return 'malformed'
      break
    case 'contentBlockStart':
      if (!isIndex(fields['contentBlockIndex'])) return 'malformed'
      if (fields['start'] !== undefined && !isObject(fields['start'])) return 'malformed'
      break
    case 'contentBlockStop':
      if (!isIndex(fields['contentBlockIndex'])) return 'malformed'
      break
    case 'messageStop':
      if (typeof fields['stopReason'] !== 'string') return 'malformed'
      break
    case 'metadata':
      break
    default:
      return 'unknown'
  }
  return { type, payload } as ConverseStreamEvent
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
