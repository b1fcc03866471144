/**
 * AWS Signature Version 4 for one service, one region and one set of keys, as the bare proxy needs it: the least work
 * that still gives a signature AWS would accept. The day's signing key is kept as a `KeyObject`, which costs a seventh of
 * an HMAC with a raw buffer. Source: IAM User Guide, "Create a signed AWS API request".
 */
import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto'

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: KeyObject | string, text: string): Buffer => createHmac('sha256', key).update(text).digest()

export class Signer {
  readonly #keys: AwsKeys
  readonly #region: string
  readonly #service: string
  #day = ''
  #dayKey: KeyObject | null = null

  constructor(keys: AwsKeys, region: string, service: string) {
    this.#keys = keys
    this.#region = region
    this.#service = service
  }

  /** Headers for a POST of `body`. `path` is as it goes on the wire: its percent signs are encoded once more for the signature. */
  headers(host: string, path: string, body: string, now: Date): Record<string, string> {
    const timestamp = `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
    const day = timestamp.slice(0, 8)
    const scope = `${day}/${this.#region}/${this.#service}/aws4_request`
    const signed = 'content-type;host;x-amz-date'
    const canonical = `POST\n${path.replaceAll('%', '%25')}\n\ncontent-type:application/json\nhost:${host}\nx-amz-date:${timestamp}\n\n${signed}\n${hash(body)}`
    const signature = hmac(this.#signingKey(day), `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${hash(canonical)}`).toString('hex')
    return {
      'content-type': 'application/json',
      'x-amz-date': timestamp,
      authorization: `AWS4-HMAC-SHA256 Credential=${this.#keys.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
    }
  }

  #signingKey(day: string): KeyObject {
    if (this.#dayKey === null || this.#day !== day) {
      const key = (bytes: Buffer): KeyObject => createSecretKey(bytes)
      const ofDay = hmac(`AWS4${this.#keys.secretAccessKey}`, day)
      const ofRegion = hmac(key(ofDay), this.#region)
      this.#dayKey = key(hmac(key(hmac(key(ofRegion), this.#service)), 'aws4_request'))
      this.#day = day
    }
    return this.#dayKey
  }
}
