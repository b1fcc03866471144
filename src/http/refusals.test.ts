import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { problemCatalogue, type Problem, type ProblemCode } from '../operation/problem.ts'
import { speakHttp1, speakHttp2, speakRaw, startTestService, type Ask, type TestService } from './testing/test-service.ts'

let service: TestService
const warnings: string[] = []
const noteWarning = (warning: Error): void => {
  warnings.push(warning.message)
}
beforeAll(async () => {
  process.on('warning', noteWarning)
  service = await startTestService(() => [{ afterMs: 0, text: 'Hi' }, { afterMs: 0, succeed: true }])
})
afterAll(async () => {
  process.off('warning', noteWarning)
  await service.stop()
})

const post = (body: unknown, headers: Record<string, string> = {}): Ask => ({ path: '/v1/operations', body, headers })
const valid = { operation: 'emergency', prompt: 'Help' }
const secret = 'My-Secret-Prompt'

/** Request, code, the path that `errors` names, words of its message, why. */
const sheet: readonly (readonly [Ask, ProblemCode, string | null, string, string])[] = [
  [post({ prompt: secret }), 'invalid_request', 'operation', 'is required', 'a type is needed'],
  [post({ ...valid, operation: 'emergancy' }), 'invalid_request', 'operation', '"emergancy" is not one of emergency, infrastructure', 'a wrong word is shown with the right ones'],
  [post({ operation: 'emergency' }), 'invalid_request', 'prompt', 'is required, or messages', 'something must be asked'],
  [post({ ...valid, messages: [{ role: 'user', content: [{ text: 'x' }] }] }), 'invalid_request', 'prompt', 'together with messages', 'only one way to ask'],
  [post({ ...valid, prompt: '' }), 'invalid_request', 'prompt', 'must not be empty', 'empty'],
  [post({ ...valid, prompt: ' \n\t' }), 'invalid_request', 'prompt', 'must not be empty', 'blank is empty'],
  [post({ ...valid, prompt: 7 }), 'invalid_request', 'prompt', 'must be a string', 'no coercion'],
  [post({ ...valid, latencyMs: '8000' }), 'invalid_request', 'latencyMs', 'must be a number', 'no coercion'],
  [post({ ...valid, latencyMs: 0 }), 'invalid_request', 'latencyMs', '0 is not in [1, 600000]', 'range'],
  [post({ ...valid, latencyMs: -1 }), 'invalid_request', 'latencyMs', '-1 is not in [1, 600000]', 'range'],
  [post({ ...valid, maxTokens: 1.5 }), 'invalid_request', 'maxTokens', 'must be an integer', 'whole tokens'],
  [post({ ...valid, maxTokens: 0 }), 'invalid_request', 'maxTokens', '0 is not in [1, 1000000]', 'range'],
  [post({ ...valid, temperature: 1.01 }), 'invalid_request', 'temperature', '1.01 is not in [0, 1]', 'range'],
  [post({ ...valid, maxTokens: 5, inferenceConfig: { maxTokens: 5 } }), 'invalid_request', 'maxTokens', 'together with inferenceConfig.maxTokens', 'both forms'],
  [post({ ...valid, temperature: 0, inferenceConfig: { temperature: 0 } }), 'invalid_request', 'temperature', 'together with', 'both forms'],
  [post({ ...valid, inferenceConfig: { topK: 3 } }), 'invalid_request', 'inferenceConfig.topK', 'known are maxTokens, temperature, topP, stopSequences', 'Converse has no topK'],
  [post({ ...valid, mode: 'batch' }), 'invalid_request', 'mode', '"batch" is not one of sync, stream, async', 'closed list'],
  [post({ ...valid, priority: 'urgent' }), 'invalid_request', 'priority', '"urgent" is not one of critical, high, medium, low', 'closed list'],
  [post({ ...valid, promt: secret }), 'invalid_request', 'promt', 'is not a known member', 'unknown members are named, not dropped'],
  [post({ ...valid, context: { tenant: 'acme', user: 'x' } }), 'invalid_request', 'context.user', 'known are tenant, userId, metadata', 'at any depth'],
  [post({ ...valid, context: { metadata: { a: 1 } } }), 'invalid_request', 'context.metadata.a', 'must be a string', 'metadata are texts'],
  [post({ ...valid, context: { metadata: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`k${index}`, 'v'])) } }), 'invalid_request', 'context.metadata', 'at most 32', 'bounded'],
  [post({ ...valid, callbackUrl: 'http://example.com/x' }), 'invalid_request', 'callbackUrl', 'https', 'a callback travels encrypted'],
  [post({ operation: 'emergency', messages: [] }), 'invalid_request', 'messages', 'at least 1', 'empty conversation'],
  [post({ operation: 'emergency', messages: [{ role: 'system', content: [{ text: secret }] }] }), 'invalid_request', 'messages[0].role', '"system" is not one of user, assistant', 'Converse’s roles'],
  [post({ operation: 'emergency', messages: [{ role: 'user', content: [{}] }] }), 'invalid_request', 'messages[0].content[0]', 'exactly one of text, image', 'a block holds one member'],
  [post({ operation: 'emergency', messages: [{ role: 'user', content: [{ text: secret, image: {} }] }] }), 'invalid_request', 'messages[0].content[0]', 'exactly one of', 'not two'],
  [post({ operation: 'emergency', messages: [{ role: 'user', content: [{ picture: {} }] }] }), 'invalid_request', 'messages[0].content[0].picture', 'is not a known member', 'of Bedrock’s union'],
  [post([]), 'invalid_request', 'body', 'must be an object', 'not a list'],
  [post('"text"'), 'invalid_request', 'body', 'must be an object', 'not a text'],
  [post(`{"operation":"emergency","prompt":"${secret}"`), 'invalid_request', 'body', 'is not valid JSON', 'cut'],
  [post(''), 'invalid_request', 'body', '', 'nothing at all'],
  [post(Buffer.concat([Buffer.from('{"operation":"emergency","prompt":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])), 'invalid_request', 'body', 'is not valid UTF-8', 'a replaced character would change the prompt'],
  [post('{"operation":"emergency","prompt":"a \\ud83d b"}'), 'invalid_request', 'prompt', 'is not valid UTF-8', 'half of a surrogate pair cannot be sent on'],
  [post('{"operation":"emergency","messages":[{"role":"user","content":[{"text":"\\uDE00"}]}]}'), 'invalid_request', 'messages[0].content[0].text', 'is not valid UTF-8', 'at any depth'],
  [post('{"operation":"emergency","prompt":"a","prompt":"b"}'), 'invalid_request', 'prompt', 'is given twice', 'two readers might take two prompts'],
  [post('{"operation":"emergency","prompt":"a","__proto__":{"x":1}}'), 'invalid_request', '__proto__', 'is not allowed', 'prototypes are not for clients'],
  [post('{"operation":"emergency","prompt":"a","additionalModelRequestFields":{"\\u005f_proto__":{}}}'), 'invalid_request', 'additionalModelRequestFields.__proto__', 'is not allowed', 'spelled with escapes too'],
  [post(`{"operation":"emergency","prompt":"a","additionalModelRequestFields":${'['.repeat(64)}${']'.repeat(64)}}`), 'invalid_request', 'additionalModelRequestFields', 'nested deeper than 64', 'depth'],
  [post(valid, { 'idempotency-key': 'x'.repeat(256) }), 'invalid_request', 'Idempotency-Key', 'must be 1 to 255', 'bounded'],
  [post(valid, { 'x-correlation-id': 'a b' }), 'invalid_request', 'X-Correlation-Id', 'without spaces', 'it goes into logs'],
  [post(valid, { 'x-correlation-id': 'x'.repeat(129) }), 'invalid_request', 'X-Correlation-Id', '1 to 128', 'bounded'],
  [post({ ...valid, prompt: 'x'.repeat(4 * 1024 * 1024) }), 'payload_too_large', null, '4 MiB', 'the limit on bodies'],
  [post('operation=emergency', { 'content-type': 'application/x-www-form-urlencoded' }), 'unsupported_media_type', null, 'application/json', 'a form'],
  [post(valid, { 'content-type': 'text/plain' }), 'unsupported_media_type', null, 'application/json', 'a text'],
  [post(valid, { 'content-encoding': 'gzip' }), 'unsupported_media_type', null, 'identity', 'compressed bodies are not read'],
  [{ path: '/v1/operation' }, 'not_found', null, '/openapi.json', 'unknown path'],
  [{ path: '/v1/operation', body: 'x', headers: { 'content-type': 'text/plain' } }, 'not_found', null, '', 'unknown path comes before the body'],
  [{ path: '/v1/operations/op_nothing' }, 'not_found', null, 'no operation', 'unknown id'],
  [{ path: '/v1/operations/a%2Fb%2Fc' }, 'not_found', null, 'no operation', 'split before decoding: one segment'],
  [{ path: '/v1/operations/op_nothing/events' }, 'not_found', null, 'no operation', 'unknown id'],
  [{ path: '/v1/operations/%zz' }, 'invalid_request', 'path', 'percent-encoding', 'bad encoding'],
  [{ path: '/problems/%E0%A4%A' }, 'invalid_request', 'path', 'percent-encoding', 'bad encoding'],
  [{ path: '/problems/nothing' }, 'not_found', null, 'invalid_request', 'the known codes are listed'],
  [{ method: 'PUT', path: '/v1/operations', body: valid }, 'method_not_allowed', null, 'GET, HEAD, POST', 'a known path'],
  [{ method: 'DELETE', path: '/health' }, 'method_not_allowed', null, 'GET, HEAD', 'a known path'],
  [{ method: 'POST', path: '/v1/operations/op_x', body: valid }, 'method_not_allowed', null, 'DELETE, GET, HEAD', 'with a parameter'],
  [{ path: '/v1/operations?limit=0' }, 'invalid_request', 'limit', '"0" is not in [1, 500]', 'range'],
  [{ path: '/v1/operations?limit=1e2' }, 'invalid_request', 'limit', 'is not in [1, 500]', 'digits only'],
  [{ path: '/v1/operations?status=done' }, 'invalid_request', 'status', '"done" is not one of queued', 'closed list'],
  [{ path: '/v1/operations?route=queue' }, 'invalid_request', 'route', 'direct, mcp', 'closed list'],
  [{ path: '/v1/operations?since=yesterday' }, 'invalid_request', 'since', 'RFC 3339', 'a time'],
  [{ path: '/v1/operations?since=2026-13-41T00:00:00Z' }, 'invalid_request', 'since', 'RFC 3339', 'a time that exists'],
  [{ path: '/v1/operations?since=2026-02-31T00:00:00Z' }, 'invalid_request', 'since', 'RFC 3339', 'a day that the calendar has'],
  [{ path: '/v1/operations?cursor=garbage' }, 'invalid_request', 'cursor', 'is not one that this service gave', 'opaque'],
  [{ path: '/v1/operations?status=queued&status=running' }, 'invalid_request', 'status', 'more than once', 'which one?'],
  [{ path: '/v1/operations?color=red' }, 'invalid_request', 'color', 'known are status', 'unknown'],
  [{ path: `/v1/operations?cursor=${'x'.repeat(9_000)}` }, 'uri_too_long', null, '8192', 'long URI'],
  [{ path: '/health', headers: { 'x-padding': 'x'.repeat(16_384) } }, 'headers_too_large', null, '16384', 'large headers'],
]

describe.each([
  ['HTTP/1.1', speakHttp1],
  ['HTTP/2', speakHttp2],
])('refusals over %s', (_name, speak) => {
  it.each(sheet.map(([ask, code, path, words, why], index) => [index, code, path ?? ask.path.slice(0, 40), why, ask, path, words] as const))('%i: %s at %s: %s', async (_index, code, _where, _why, ask, path, words) => {
    const answer = await speak(service.port, ask)
    const problem = JSON.parse(answer.text) as Problem
    expect(problem.code).toBe(code)
    expect(answer.status).toBe(problemCatalogue[code].status)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(problem.correlationId).toBe(answer.headers['x-correlation-id'])
    if (path !== null) expect(problem.errors?.map((error) => error.path)).toContain(path)
    expect(`${problem.detail} ${JSON.stringify(problem.errors?.map(({ message }) => message) ?? [])}`.replaceAll('\\"', '"')).toContain(words)
    expect(answer.text).not.toContain(secret)
    expect(answer.text.length).toBeLessThan(8_000)
    if (code === 'method_not_allowed') expect(answer.headers['allow']).toBe(words)
    expect(service.internalErrors).toEqual([])
  })
})

describe('all these refusals', () => {
  it('give Node no reason to write a warning between the lines of the log', () => {
    expect(warnings).toEqual([])
  })
})

describe('what is not HTTP', () => {
  it.each([
    ['NONSENSE\r\n\r\n', 400, 'invalid_request'],
    ['GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', 400, 'invalid_request'],
    [`GET /${'x'.repeat(60_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'uri_too_long'],
    [`GET /health HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(60_000)}\r\n\r\n`, 431, 'headers_too_large'],
  ])('%j is answered with problem details', async (bytes, status, code) => {
    const answer = await speakRaw(service.port, bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toContain('content-type: application/problem+json')
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ code, status })
  })
})
