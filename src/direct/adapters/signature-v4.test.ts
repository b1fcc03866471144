import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { conversePath } from '../converse-request.ts'
import { canonicalPath, payloadHash, SignatureV4Signer } from './signature-v4.ts'

const credentials = fc.record(
  {
    accessKeyId: fc.stringMatching(/^[A-Z0-9]{16,20}$/),
    secretAccessKey: fc.stringMatching(/^[\w+/]{20,40}$/),
    sessionToken: fc.stringMatching(/^[\w+/=]{10,80}$/),
  },
  { requiredKeys: ['accessKeyId', 'secretAccessKey'] },
)
const host = fc.tuple(fc.domain(), fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined })).map(([name, port]) => (port === undefined ? name : `${name}:${port}`))
const region = fc.constantFrom('eu-central-1', 'us-east-1', 'ap-southeast-2')
const body = fc.oneof(fc.string({ unit: 'binary' }), fc.json())
const instantMs = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2040, 0, 1) })

function asRecord(flat: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {}
  for (let index = 0; index < flat.length; index += 2) record[flat[index] ?? ''] = flat[index + 1] ?? ''
  return record
}

describe('the signer', () => {
  test('signs as the AWS SDK does, whatever the path, the host, the body, the credentials and the time', async () => {
    await fc.assert(
      fc.asyncProperty(
        credentials,
        host,
        region,
        // A model id that is a relative path segment would be resolved away by any server.
        fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }).filter((id) => !/^\.+$/.test(id)),
        fc.constantFrom('', '/prefix', '/a/b'),
        body,
        instantMs,
        async (keys, hostname, where, modelId, basePath, text, nowMs) => {
          const path = conversePath(basePath, modelId, 'converse')
          const signer = new SignatureV4Signer(where, 'bedrock')
          const ours = asRecord(
            signer.sign({ method: 'POST', canonicalPath: canonicalPath(path), host: hostname, contentType: 'application/json', payloadHash: payloadHash(text) }, keys, nowMs),
          )
          const judge = new SignatureV4({ service: 'bedrock', region: where, credentials: keys, sha256: Sha256, applyChecksum: false })
          const theirs = await judge.sign(
            { method: 'POST', protocol: 'https:', hostname, path, query: {}, headers: { host: hostname, 'content-type': 'application/json' }, body: text },
            { signingDate: new Date(nowMs) },
          )
          expect(ours['authorization']).toBe(theirs.headers['authorization'])
          expect(ours['x-amz-date']).toBe(theirs.headers['x-amz-date'])
          expect(ours['x-amz-security-token']).toBe(theirs.headers['x-amz-security-token'])
        },
      ),
    )
  })

  test('signs a request without a body, as the control plane needs it', async () => {
    const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
    const signer = new SignatureV4Signer('eu-west-1', 'bedrock')
    const nowMs = Date.UTC(2026, 5, 1, 12)
    const ours = asRecord(signer.sign({ method: 'GET', canonicalPath: '/foundation-models', host: 'bedrock.eu-west-1.amazonaws.com', contentType: null, payloadHash: payloadHash('') }, keys, nowMs))
    const judge = new SignatureV4({ service: 'bedrock', region: 'eu-west-1', credentials: keys, sha256: Sha256, applyChecksum: false })
    const theirs = await judge.sign(
      { method: 'GET', protocol: 'https:', hostname: 'x', path: '/foundation-models', query: {}, headers: { host: 'bedrock.eu-west-1.amazonaws.com' } },
      { signingDate: new Date(nowMs) },
    )
    expect(ours['authorization']).toBe(theirs.headers['authorization'])
  })

  test('one signer follows new credentials, a new day and a new second', () => {
    const signer = new SignatureV4Signer('eu-west-1', 'bedrock')
    const request = { method: 'POST', canonicalPath: '/model/x/converse', host: 'h', contentType: 'application/json', payloadHash: payloadHash('{}') } as const
    const first = { accessKeyId: 'A', secretAccessKey: 'one' }
    const second = { accessKeyId: 'A', secretAccessKey: 'two' }
    const sequence = [
      [first, Date.UTC(2026, 0, 1, 23, 59, 59)],
      [first, Date.UTC(2026, 0, 2)],
      [second, Date.UTC(2026, 0, 2)],
      [first, Date.UTC(2026, 0, 1, 23, 59, 59)],
    ] as const
    const reused = sequence.map(([keys, nowMs]) => signer.sign(request, keys, nowMs))
    const fresh = sequence.map(([keys, nowMs]) => new SignatureV4Signer('eu-west-1', 'bedrock').sign(request, keys, nowMs))
    expect(reused).toEqual(fresh)
    expect(new Set(fresh.map((headers) => headers.join())).size).toBe(3)
  })
})
