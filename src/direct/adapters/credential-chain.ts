/**
 * Where the AWS credentials come from: a Bedrock API key where the environment has one, as the AWS SDKs prefer it too, else
 * the SDK's default provider chain (environment, profiles and SSO, web identity, container and instance roles). The chain
 * is loaded when credentials are first needed: half of the SDK hangs on it and no start should wait for that.
 *
 * The chain reads AWS's own environment variables and files itself; that is its contract. This file reads none.
 */
import type { AwsCredentials, CredentialSource } from './credential-keeper.ts'

export interface CredentialOptions {
  /** `AWS_BEARER_TOKEN_BEDROCK`. */
  readonly bedrockApiKey?: string | undefined
  /** A profile of the shared configuration files, instead of the default one. */
  readonly profile?: string | undefined
}

const noLog = (): void => {}
/** The chain tells its findings to the console by default, also which accounts and profiles there are. */
const silentLogger = { trace: noLog, debug: noLog, info: noLog, warn: noLog, error: noLog }

export function credentialSource(options: CredentialOptions): CredentialSource {
  if (options.bedrockApiKey !== undefined && options.bedrockApiKey !== '') return { kind: 'api_key', key: options.bedrockApiKey }
  const { profile } = options
  let chain: Promise<(options: { forceRefresh: boolean }) => Promise<AwsCredentials>> | null = null
  const load = async (): Promise<(options: { forceRefresh: boolean }) => Promise<AwsCredentials>> => {
    const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
    return defaultProvider({ logger: silentLogger, ...(profile === undefined ? {} : { profile }) })
  }
  return {
    kind: 'provider',
    async obtain() {
      chain ??= load()
      // The chain keeps what it found for itself; the keeper asks only when it wants new ones.
      return (await chain)({ forceRefresh: true })
    },
  }
}
