import { describe, expect, it } from 'vitest'
import { classifyFailure, readReportedFault } from './fault-classifier.ts'
import type { McpFailure } from './fault-classifier.ts'

const sheet: readonly [McpFailure, string, boolean, string][] = [
  [{ type: 'rpc_error', code: -32700 }, 'protocol', false, 'our message was no JSON to it: the same message would be none again'],
  [{ type: 'rpc_error', code: -32600 }, 'protocol', false, 'no valid request'],
  [{ type: 'rpc_error', code: -32601 }, 'not_found', false, 'a server without tools'],
  [{ type: 'rpc_error', code: -32602 }, 'not_found', false, 'unknown tool or arguments: a fault of configuration, another route may carry it'],
  [{ type: 'rpc_error', code: -32603 }, 'overloaded', true, 'an internal error may pass'],
  [{ type: 'rpc_error', code: -32001 }, 'timeout', true, 'its own request timed out'],
  [{ type: 'rpc_error', code: -32020 }, 'protocol', false, 'headers disagree with the body'],
  [{ type: 'rpc_error', code: -32021 }, 'model_error', false, 'it needs a capability that only a person has'],
  [{ type: 'rpc_error', code: -32022 }, 'protocol', false, 'no common version'],
  [{ type: 'rpc_error', code: -31999 }, 'overloaded', true, 'an error of its own making'],
  [{ type: 'http_status', status: 400 }, 'protocol', false, 'refused as malformed'],
  [{ type: 'http_status', status: 401 }, 'auth', false, 'who are you'],
  [{ type: 'http_status', status: 403 }, 'access', false, 'you may not'],
  [{ type: 'http_status', status: 404 }, 'not_found', true, 'a lost session looks like this'],
  [{ type: 'http_status', status: 408 }, 'timeout', true, 'too slow for it'],
  [{ type: 'http_status', status: 429 }, 'throttled', true, 'too many'],
  [{ type: 'http_status', status: 500 }, 'overloaded', true, 'broken'],
  [{ type: 'http_status', status: 504 }, 'timeout', true, 'a gateway gave up'],
  [{ type: 'http_status', status: 302 }, 'protocol', false, 'redirects are not followed to elsewhere'],
  [{ type: 'connection_lost' }, 'network', true, 'died in mid-call'],
  [{ type: 'not_ready' }, 'network', true, 'a child that ends at once'],
  [{ type: 'unreachable', why: 'refused' }, 'network', true, 'nobody listens'],
  [{ type: 'unreachable', why: 'unknown_name' }, 'network', true, 'a resolver may be away'],
  [{ type: 'unreachable', why: 'no_network_way' }, 'network', true, 'a cable may be put back'],
  [{ type: 'unreachable', why: 'not_started' }, 'network', true, 'a command may be installed'],
  [{ type: 'connect_timeout' }, 'timeout', true, 'no answer to SYN'],
  [{ type: 'deadline' }, 'timeout', true, 'another server may be quicker'],
  [{ type: 'silence' }, 'timeout', true, 'hangs'],
  [{ type: 'stream_too_long' }, 'timeout', false, 'the same stream would be too long again'],
  [{ type: 'oversized' }, 'protocol', false, 'the same answer would be too large again'],
  [{ type: 'malformed' }, 'protocol', true, 'may have been a glitch'],
  [{ type: 'unauthorized' }, 'auth', false, '401 as the SDK tells it'],
  [{ type: 'no_token' }, 'auth', false, 'our configuration'],
  [{ type: 'input_required' }, 'model_error', false, 'nobody is here to answer'],
  [{ type: 'tool_error' }, 'model_error', false, 'the tool failed on this input'],
  [{ type: 'tool_error', fault: { kind: 'validation', retryable: false } }, 'validation', false, 'a server of ours says so'],
  [{ type: 'rejected', why: 'busy' }, 'overloaded', true, 'our own limit'],
  [{ type: 'rejected', why: 'capability' }, 'not_found', false, 'another route carries it'],
  [{ type: 'rejected', why: 'down' }, 'network', true, 'between two tries'],
]

describe('the fault classifier of the MCP path', () => {
  it.each(sheet)('%j is %s, retryable %s: %s', (failure, kind, retryable) => {
    const fault = classifyFailure(failure, 'ops')
    expect(fault).toMatchObject({ kind, retryable })
    expect(fault.message).toContain('`ops`')
    expect(fault.message).toMatch(/^[A-Z].*\.$/)
    expect(fault.rejected ?? false).toBe(failure.type === 'rejected')
  })

  it('keeps how long the server asked to wait', () => {
    expect(classifyFailure({ type: 'http_status', status: 429, retryAfterMs: 7_000 }, 'ops').retryAfterMs).toBe(7_000)
    expect(classifyFailure({ type: 'http_status', status: 429 }, 'ops')).not.toHaveProperty('retryAfterMs')
  })

  it.each([
    [{ kind: 'throttled', retryable: true, retryAfterMs: 5 }, { kind: 'throttled', retryable: true, retryAfterMs: 5 }],
    [{ kind: 'throttled', retryable: true, retryAfterMs: -1, message: 'a prompt' }, { kind: 'throttled', retryable: true }],
    [{ kind: 'made_up', retryable: true }, undefined],
    [{ kind: 'auth', retryable: 'yes' }, undefined],
    ['auth', undefined],
    [null, undefined],
  ])('takes from a reported fault only the words it knows: %j', (reported, expected) => {
    expect(readReportedFault(reported)).toEqual(expected)
  })
})
