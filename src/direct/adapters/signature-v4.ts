/**
 * Signs a request to AWS with Signature Version 4 (AWS IAM user guide, "Create a signed AWS API request").
 *
 * It knows exactly what this client sends: no query, one body, and the headers content-type, host, x-amz-date and
 * x-amz-security-token. The signing key of a day is derived once and kept as a key object, since handing raw bytes to
 * `createHmac` costs seven times the signature itself; the hash of a body is the caller's, who sends one body several
 * times. `docs/decisions/010-signing.md` has the measurements; the AWS SDK's own signer is the judge in the tests.
 */
import { createHmac, createSecretKey, hash } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { AwsCredentials } from './credential-keeper.ts'

export interface SignableRequest {
  readonly method: 'GET' | 'POST'
  /** From `canonicalPath`. */
  readonly canonicalPath: string
  readonly host: string
  /** Null for a request without a body. */
  readonly contentType: string | null
  /** From `payloadHash`. */
  readonly payloadHash: string
}

/** A path whose segments are already percent-encoded is encoded once more for the signature, as for all services but S3. */
export function canonicalPath(path: string): string {
  return path
    .split('/')
    .map((segment) => encodeURIComponent(segment).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`))
    .join('/')
}

export function payloadHash(body: Buffer | string): string {
  return hash('sha256', body, 'hex')
}

export class SignatureV4Signer {
  private readonly scopeTail: string
  private readonly region: string
  private readonly service: string
  private secretKey: KeyObject | null = null
  private keyOf: AwsCredentials | null = null
  private keyDate = ''
  private second = -1
  private timestamp = ''

  constructor(region: string, service: string) {
    this.region = region
    this.service = service
    this.scopeTail = `/${region}/${service}/aws4_request`
  }

  /** The headers to add, names and values in turn. @param nowMs wall time: AWS refuses what is minutes off. */
  sign(request: SignableRequest, credentials: AwsCredentials, nowMs: number): string[] {
    const timestamp = this.timestampOf(nowMs)
    const date = timestamp.slice(0, 8)
    const token = credentials.sessionToken
    const headers =
      (request.contentType === null ? '' : `content-type:${request.contentType}\n`) +
      `host:${request.host}\nx-amz-date:${timestamp}\n` +
      (token === undefined ? '' : `x-amz-security-token:${token}\n`)
    const names = `${request.contentType === null ? '' : 'content-type;'}host;x-amz-date${token === undefined ? '' : ';x-amz-security-token'}`
    const canonical = `${request.method}\n${request.canonicalPath}\n\n${headers}\n${names}\n${request.payloadHash}`
    const scope = date + this.scopeTail
    const toSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${hash('sha256', canonical, 'hex')}`
    const signature = createHmac('sha256', this.key(credentials, date)).update(toSign).digest('hex')
    const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
    const added = ['x-amz-date', timestamp, 'authorization', authorization]
    if (token !== undefined) added.push('x-amz-security-token', token)
    return added
  }

  private key(credentials: AwsCredentials, date: string): KeyObject {
    if (this.secretKey === null || this.keyOf !== credentials || this.keyDate !== date) {
      let key: Buffer | string = `AWS4${credentials.secretAccessKey}`
      for (const part of [date, this.region, this.service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest()
      this.secretKey = createSecretKey(key as Buffer)
      this.keyOf = credentials
      this.keyDate = date
    }
    return this.secretKey
  }

  /** Thousands of requests share a second, and formatting a date is dear. */
  private timestampOf(nowMs: number): string {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.second) {
      this.second = second
      this.timestamp = new Date(second * 1000).toISOString().replace(/[-:]|\.\d{3}/g, '')
    }
    return this.timestamp
  }
}
