import * as bedrock from '@aws-sdk/client-bedrock-runtime'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { faultKinds } from '../operation/fault.ts'
import { classifyConnectionError, classifyUpstreamError, limitFault, longestRetryAfterMs, normalName, protocolFault, readErrorBody } from './fault-classifier.ts'

const quiet = { text: '', status: null } as const

describe('an error that Bedrock names', () => {
  test.each<[string, number, string, boolean, string]>([
    ['ThrottlingException', 429, 'throttled', true, 'the account sends too much'],
    ['TooManyRequestsException', 429, 'throttled', true, 'the same, by its older name'],
    ['ServiceUnavailableException', 503, 'overloaded', true, 'no capacity: another region may have it'],
    ['serviceUnavailableException', 400, 'overloaded', true, 'the name counts, not the status it is labelled with'],
    ['InternalServerException', 500, 'overloaded', true, 'broken on their side'],
    ['ModelNotReadyException', 429, 'overloaded', true, 'says 429 and is not about how much we send'],
    ['ModelTimeoutException', 408, 'timeout', true, 'the model was too slow this time'],
    ['ModelErrorException', 424, 'model_error', false, 'it would fail on this input again'],
    ['ModelStreamErrorException', 424, 'model_error', true, 'AWS says to retry'],
    ['ServiceQuotaExceededException', 400, 'quota', false, 'a 400 that another account or region may not have'],
    ['ValidationException', 400, 'validation', false, 'wrong everywhere'],
    ['AccessDeniedException', 403, 'access', false, 'good credentials, not this model'],
    ['ResourceNotFoundException', 404, 'not_found', false, 'not here'],
    ['ExpiredTokenException', 403, 'auth', false, 'our credentials ended'],
    ['UnrecognizedClientException', 403, 'auth', false, 'not a key AWS knows'],
    ['InvalidSignatureException', 403, 'auth', false, 'wrong secret, or the clock'],
    ['MissingAuthenticationTokenException', 403, 'auth', false, 'unsigned'],
  ])('%s (%i) is %s, retryable %s: %s', (code, status, kind, retryable) => {
    expect(classifyUpstreamError({ status, code, text: '' })).toMatchObject({ kind, retryable, upstreamCode: normalName(code), upstreamStatus: status })
    // The same inside a stream, where there is no status.
    expect(classifyUpstreamError({ status: null, code, text: '' })).toMatchObject({ kind, retryable })
  })

  test('has every exception class of the AWS SDK\'s Bedrock Runtime among its names', () => {
    const modelled = Object.keys(bedrock).filter((name) => name.endsWith('Exception') && name !== 'BedrockRuntimeServiceException')
    expect(modelled.length).toBeGreaterThan(10)
    for (const code of modelled) expect(classifyUpstreamError({ ...quiet, code })).toMatchObject({ upstreamCode: code })
  })

  test.each([
    ['ThrottlingException:http://internal.amazon.com/coral/', 'ThrottlingException'],
    ['com.amazon.coral.service#ExpiredTokenException', 'ExpiredTokenException'],
    ['throttlingException', 'ThrottlingException'],
    ['', ''],
  ])('is found in the spelling "%s"', (spelled, name) => {
    expect(normalName(spelled)).toBe(name)
  })

  test('reads the text where one name has two meanings', () => {
    const invalid = (text: string) => classifyUpstreamError({ status: 400, code: 'ValidationException', text }).kind
    expect(invalid('The provided model identifier is invalid.')).toBe('not_found')
    expect(invalid('Invocation of model ID x with on-demand throughput isn\'t supported.')).toBe('not_found')
    expect(invalid('1 validation error detected: temperature')).toBe('validation')
    expect(classifyUpstreamError({ status: 429, code: 'ThrottlingException', text: 'Too many tokens per day, please wait' })).toMatchObject({ kind: 'quota', retryable: false })
  })
})

describe('an error without a known name', () => {
  test.each([
    [400, 'validation'],
    [401, 'auth'],
    [403, 'access'],
    [404, 'not_found'],
    [408, 'timeout'],
    [413, 'validation'],
    [424, 'model_error'],
    [429, 'throttled'],
    [500, 'overloaded'],
    [502, 'overloaded'],
    [503, 'overloaded'],
    [504, 'overloaded'],
    [204, 'protocol'],
    [301, 'protocol'],
    [418, 'protocol'],
  ])('is judged by its status: %i is %s', (status, kind) => {
    const fault = classifyUpstreamError({ status, code: 'Made up by someone', text: '' })
    expect(fault.kind).toBe(kind)
    expect(fault).not.toHaveProperty('upstreamCode')
  })
})

describe('every fault', () => {
  const codes = fc.oneof(fc.string(), fc.constantFrom('ThrottlingException', 'ValidationException', 'ModelErrorException'))

  test('shows nothing of what the upstream wrote', () => {
    fc.assert(
      fc.property(fc.option(fc.integer({ min: 100, max: 599 })), fc.option(codes), fc.stringMatching(/^secret-[a-z]{12}$/), (status, code, secret) => {
        const fault = classifyUpstreamError({ status, code: code === null ? null : `${code}${secret}`, text: secret })
        expect(JSON.stringify(fault)).not.toContain(secret)
        expect(faultKinds).toContain(fault.kind)
      }),
    )
  })

  test('bounds the wait it asks for, and asks for none where retrying is no use', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.constantFrom('ThrottlingException', 'ServiceUnavailableException', 'ValidationException', 'AccessDeniedException'), (wish, code) => {
        const fault = classifyUpstreamError({ ...quiet, code, retryAfterMs: wish })
        if (!fault.retryable) expect(fault).not.toHaveProperty('retryAfterMs')
        else {
          expect(fault.retryAfterMs).toBeGreaterThanOrEqual(0)
          expect(fault.retryAfterMs).toBeLessThanOrEqual(longestRetryAfterMs)
        }
      }),
    )
  })
})

describe('the body of an error', () => {
  test.each([
    ['the header before the body', 'A', '{"__type":"B","message":"m"}', { code: 'A', text: 'm' }],
    ['the body\'s type', undefined, '{"__type":"B","Message":"m"}', { code: 'B', text: 'm' }],
    ['the body\'s code', undefined, '{"code":"C"}', { code: 'C', text: '' }],
    ['an empty header is none', '', '{"code":"C"}', { code: 'C', text: '' }],
    ['HTML tells nothing', undefined, '<html>', { code: null, text: '' }],
    ['nothing tells nothing', undefined, '', { code: null, text: '' }],
    ['JSON that is no object', undefined, 'null', { code: null, text: '' }],
    ['members that are no text', undefined, '{"__type":1,"message":{}}', { code: null, text: '' }],
  ])('%s', (_name, header, body, expected) => {
    expect(readErrorBody(header, body)).toEqual(expected)
  })
})

describe('what the connection did', () => {
  test.each<[string | undefined, boolean, string, boolean]>([
    ['ECONNREFUSED', false, 'network', true],
    ['ECONNRESET', true, 'network', true],
    ['UND_ERR_SOCKET', true, 'network', true],
    ['ENOTFOUND', false, 'network', true],
    ['ETIMEDOUT', false, 'timeout', true],
    ['UND_ERR_PARSER', true, 'protocol', true],
    ['UND_ERR_HEADERS_OVERFLOW', true, 'protocol', true],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', true, 'protocol', true],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', false, 'network', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', false, 'network', false],
    [undefined, true, 'network', true],
  ])('%s (sent %s) is %s, retryable %s', (code, sent, kind, retryable) => {
    expect(classifyConnectionError(code, sent)).toMatchObject({ kind, retryable })
  })

  test('our own limits and the protocol\'s violations may be tried again', () => {
    expect(limitFault('silence')).toMatchObject({ kind: 'timeout', retryable: true })
    expect(protocolFault('truncated', 200)).toMatchObject({ kind: 'protocol', retryable: true, upstreamStatus: 200 })
  })
})
