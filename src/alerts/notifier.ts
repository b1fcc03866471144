/**
 * The port to whoever is told. A notifier makes one attempt to deliver one notification and says how it ended; queue,
 * retries, times and health are the same for all and stand in front of it (`adapters/deliveries.ts`). What every notifier
 * does is said by `notifier.conformance.ts`.
 */
import type { AlertPriority } from '../operation/alert-facts.ts'
import type { ActiveAlert } from './alert.ts'
import type { Notification } from './notification.ts'

export type DeliveryOutcome =
  | { readonly kind: 'delivered' }
  /** `reason` names no address and no secret; addresses of webhooks are often secrets by themselves. */
  | { readonly kind: 'failed'; readonly retryable: boolean; readonly retryAfterMs: number | null; readonly reason: string }

/** Of a test that costs nothing and pages nobody; `reason` as above. */
export type SelfTestOutcome = { readonly kind: 'reachable' } | { readonly kind: 'unreachable'; readonly reason: string }

export interface Notifier {
  /** Unique among the configured ones, such as `sns-1`. */
  readonly name: string
  /** The least urgent priority that it is told. */
  readonly leastPriority: AlertPriority
  /** Never rejects. Ends soon after the signal is aborted. */
  deliver(notification: Notification, signal: AbortSignal): Promise<DeliveryOutcome>
  /** Whether a delivery would get through, as far as can be seen without one. Never rejects. */
  selfTest(signal: AbortSignal): Promise<SelfTestOutcome>
  /** For receivers that forget what they are not told again: all active alerts, every so often while there are any. */
  readonly repeat?: { readonly everyMs: number; send(active: readonly ActiveAlert[], nowMs: number, signal: AbortSignal): Promise<DeliveryOutcome> }
  close(): Promise<void>
}

export interface NotifierHealth {
  readonly name: string
  readonly status: 'healthy' | 'degraded' | 'critical' | 'unknown'
  readonly waiting: number
  readonly delivered: number
  readonly givenUp: number
  readonly lastDeliveredAtMs: number | null
  readonly lastFailure: { readonly atMs: number; readonly reason: string } | null
}
