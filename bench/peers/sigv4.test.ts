import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { expect, it } from 'vitest'
import { Signer } from './sigv4.ts'

it('the bare proxy signs as the AWS SDK does, percent-encoded model ids included', async () => {
  const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
  const now = new Date('2026-11-20T10:11:12Z')
  const path = '/model/eu.anthropic.claude-v1%3A0/converse'
  const body = '{"messages":[]}'
  const judge = new SignatureV4({ credentials: keys, region: 'eu-central-1', service: 'bedrock', sha256: Sha256, applyChecksum: false })
  const signed = await judge.sign(
    { method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path, headers: { 'content-type': 'application/json', host: '127.0.0.1:9001' }, body },
    { signingDate: now },
  )
  const headers = new Signer(keys, 'eu-central-1', 'bedrock').headers('127.0.0.1:9001', path, body, now)
  expect(headers['authorization']).toBe(signed.headers['authorization'])
})
