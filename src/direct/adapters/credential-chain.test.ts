import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { credentialSource } from './credential-chain.ts'
import type { CredentialOptions } from './credential-chain.ts'
import type { AwsCredentials } from './credential-keeper.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'credentials-'))
  // Nothing of the machine's own: neither its files, nor its instance role.
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_ROLE_ARN']) vi.stubEnv(name, undefined)
  for (const name of ['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'AWS_CONTAINER_CREDENTIALS_FULL_URI']) vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

function obtain(options: CredentialOptions = {}): Promise<AwsCredentials> {
  const source = credentialSource(options)
  if (source.kind !== 'provider') throw new Error('expected the chain')
  return source.obtain()
}

describe('the default chain', () => {
  test('finds the environment, and what changes there at the next renewal', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'FIRST')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    vi.stubEnv('AWS_SESSION_TOKEN', 'token')
    const source = credentialSource({})
    if (source.kind !== 'provider') throw new Error('expected the chain')
    expect(await source.obtain()).toMatchObject({ accessKeyId: 'FIRST', secretAccessKey: 'secret', sessionToken: 'token' })
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'SECOND')
    expect(await source.obtain()).toMatchObject({ accessKeyId: 'SECOND' })
  })

  test('finds a profile of the shared files', async () => {
    writeFileSync(join(folder, 'credentials'), '[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = a\n[ops]\naws_access_key_id = OPS\naws_secret_access_key = b\n')
    writeFileSync(join(folder, 'config'), '')
    expect(await obtain({ profile: 'ops' })).toMatchObject({ accessKeyId: 'OPS', secretAccessKey: 'b' })
  })

  test('fails where there are none', async () => {
    await expect(obtain()).rejects.toThrow('credentials')
  })

  test('is not asked when there is a Bedrock API key', () => {
    expect(credentialSource({ bedrockApiKey: 'key' })).toEqual({ kind: 'api_key', key: 'key' })
    expect(credentialSource({ bedrockApiKey: '' }).kind).toBe('provider')
  })
})
