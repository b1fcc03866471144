/**
 * Keeps the AWS credentials ready, so that no request waits for them: they are renewed in the background some minutes
 * before they end, one renewal at a time, and the old ones serve until then. A request waits only when there are none at
 * all. A Bedrock API key needs none of this and is used as it is.
 *
 * Where credentials come from is a `CredentialSource` of the caller; the keeper never logs or shows one.
 */
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import { directBounds } from '../settings.ts'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** Absent: they do not end. */
  readonly expiration?: Date
}

export type CredentialSource =
  /** A Bedrock API key, sent as a bearer token. */
  | { readonly kind: 'api_key'; readonly key: string }
  /** Each call obtains them anew. */
  | { readonly kind: 'provider'; readonly obtain: () => Promise<AwsCredentials> }

export class CredentialKeeper {
  private readonly clock: Clock
  private readonly obtain: () => Promise<AwsCredentials>
  private credentials: AwsCredentials | null = null
  private renewal: Promise<AwsCredentials> | null = null
  private cancelSchedule: CancelSchedule | null = null
  private lastRenewalMs = Number.NEGATIVE_INFINITY
  private lastRefusalMs = Number.NEGATIVE_INFINITY
  private refusedCredentials: AwsCredentials | null = null
  private closed = false

  constructor(clock: Clock, obtain: () => Promise<AwsCredentials>) {
    this.clock = clock
    this.obtain = obtain
  }

  /** The credentials at hand, or null when there are none that still hold. */
  current(): AwsCredentials | null {
    const credentials = this.credentials
    if (credentials === null) return null
    // While others are being fetched, refused ones would only be refused again: such a request waits for the new ones.
    if (credentials === this.refusedCredentials && this.renewal !== null) return null
    if (credentials.expiration === undefined) return credentials
    const leftMs = credentials.expiration.getTime() - this.clock.nowMs()
    // The schedule runs on monotonic time, which stands still while a machine sleeps: so the wall clock is asked as well.
    if (leftMs <= directBounds.credentialLeadMs) this.renewInBackground()
    return leftMs > 0 ? credentials : null
  }

  /** Obtains credentials; everyone who waits, waits for the same ones. */
  renew(): Promise<AwsCredentials> {
    this.renewal ??= this.fetch()
    return this.renewal
  }

  /** Bedrock refused these. Others are fetched at once, unless that was done just now: then fetching does not help. */
  refused(credentials: AwsCredentials): void {
    if (this.closed || this.credentials !== credentials) return
    const nowMs = this.clock.monotonicMs()
    if (nowMs - this.lastRefusalMs < directBounds.credentialRetryMs) return
    this.lastRefusalMs = nowMs
    this.refusedCredentials = credentials
    this.renewQuietly()
  }

  close(): void {
    this.closed = true
    this.cancelSchedule?.()
    this.credentials = null
  }

  private renewInBackground(): void {
    if (this.closed || this.renewal !== null) return
    if (this.clock.monotonicMs() - this.lastRenewalMs < directBounds.credentialRetryMs) return
    this.renewQuietly()
  }

  private renewQuietly(): void {
    this.renew().catch(() => {
      // The old credentials serve on, or the next request meets the failure itself; the schedule tries again.
    })
  }

  private async fetch(): Promise<AwsCredentials> {
    this.lastRenewalMs = this.clock.monotonicMs()
    try {
      const credentials = await this.obtain()
      if (!this.closed) this.credentials = credentials
      return credentials
    } finally {
      this.renewal = null
      this.scheduleNext()
    }
  }

  private scheduleNext(): void {
    this.cancelSchedule?.()
    this.cancelSchedule = null
    const expiration = this.credentials?.expiration
    if (this.closed || expiration === undefined) return
    const leftMs = expiration.getTime() - this.clock.nowMs()
    const delayMs = Math.max(directBounds.credentialRetryMs, leftMs - directBounds.credentialLeadMs)
    this.cancelSchedule = this.clock.schedule(this.clock.monotonicMs() + delayMs, () => this.renewInBackground())
  }
}
