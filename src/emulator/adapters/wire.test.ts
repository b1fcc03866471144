import { Sha256 } from '@aws-crypto/sha256-js'
import { EventStreamCodec } from '@smithy/eventstream-codec'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadFaultFile } from './fault-file.ts'
import { createFrameEncoder, withBadChecksum } from './frames.ts'
import { createSignatureVerifier } from './signature.ts'

describe('signatures', () => {
  const signer = new SignatureV4({ service: 'bedrock', region: 'eu-central-1', sha256: Sha256, credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator' } })
  const verify = createSignatureVerifier([{ accessKeyId: 'emulator', secretAccessKey: 'emulator' }], [])
  const at = new Date('2026-03-04T05:06:07Z')

  const segment = fc.string({ unit: fc.constantFrom('a', 'Z', '0', ':', '/', ' ', '*', "'", '(', '%', 'ü', '.', '~'), minLength: 1, maxLength: 12 })
  const query = fc.dictionary(fc.constantFrom('a', 'b', 'byProvider', 'x y'), fc.string({ maxLength: 5 }), { maxKeys: 3 })

  it('of another implementation are accepted over any path, query, host name and body, and only with the same body', async () => {
    await fc.assert(
      fc.asyncProperty(segment, query, fc.string({ maxLength: 20 }), fc.constantFrom('host', ':authority'), async (name, parameters, body, host) => {
        const path = `/model/${encodeURIComponent(name)}/converse`
        const signed = await signer.sign({ protocol: 'http:', hostname: 'localhost', method: 'POST', path, query: parameters, headers: { [host]: 'localhost:9001', 'x-spaced': ' a   b ' }, body }, { signingDate: at })
        const text = Object.entries(parameters).map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join('&')
        const url = text === '' ? path : `${path}?${text}`
        const request = { method: 'POST', url, headers: signed.headers, body: Buffer.from(body) }
        expect(verify(request, at.getTime())).toEqual({ scheme: 'sigv4', accessKeyId: 'emulator', region: 'eu-central-1' })
        expect(verify({ ...request, body: Buffer.from(`${body}!`) }, at.getTime())).toMatchObject({ exception: 'InvalidSignatureException' })
        expect(verify({ ...request, method: 'PUT' }, at.getTime())).toMatchObject({ exception: 'InvalidSignatureException' })
        expect(verify({ ...request, headers: { ...request.headers, 'x-amz-added': '1' } }, at.getTime())).toMatchObject({ exception: 'InvalidSignatureException' })
      }),
      { numRuns: 60 },
    )
  })

  it('for another service are refused', async () => {
    const other = new SignatureV4({ service: 's3', region: 'eu-central-1', sha256: Sha256, credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator' } })
    const signed = await other.sign({ protocol: 'http:', hostname: 'localhost', method: 'POST', path: '/', headers: { host: 'localhost' } }, { signingDate: at })
    expect(verify({ method: 'POST', url: '/', headers: signed.headers, body: Buffer.alloc(0) }, at.getTime())).toMatchObject({ exception: 'InvalidSignatureException', message: "Credential should be scoped to correct service: 'bedrock'." })
  })
})

describe('frames', () => {
  const codec = new EventStreamCodec(
    (bytes) => (typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes)),
    (text) => new TextEncoder().encode(text),
  )

  it('are what the codec of Smithy reads', () => {
    const frames = createFrameEncoder()
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.constantFrom('messageStart', 'chunk'), (payload, type) => {
        const message = codec.decode(frames.event(type, payload))
        expect(new TextDecoder().decode(message.body)).toBe(payload)
        expect(message.headers[':event-type']?.value).toBe(type)
        expect(message.headers[':message-type']?.value).toBe('event')
      }),
    )
    expect(codec.decode(frames.exception('throttlingException', '{}')).headers[':exception-type']?.value).toBe('throttlingException')
    expect(() => codec.decode(withBadChecksum(frames.event('chunk', '{}')))).toThrow(/checksum/)
  })
})

describe('a file of faults', () => {
  it('may be YAML, and its mistakes name the file and the path', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'faults-'))
    const good = join(folder, 'good.yaml')
    await writeFile(good, 'faults:\n  - kind: throttle\n    share: 0.1\n    target: { region: eu-* }\n')
    expect(await loadFaultFile(good)).toMatchObject([{ kind: 'throttle', share: 0.1, target: { region: 'eu-*' } }])
    const bad = join(folder, 'bad.yaml')
    await writeFile(bad, 'faults:\n  - kind: slow\n    factor: fast\n')
    await expect(loadFaultFile(bad)).rejects.toThrow(`${bad}: faults[0].factor: "fast" is not a number in [1, 10000]`)
    await writeFile(bad, 'faults: [')
    await expect(loadFaultFile(bad)).rejects.toThrow('is neither YAML nor JSON')
  })
})
