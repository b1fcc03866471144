/**
 * What can go wrong with one attempt, in one vocabulary for both paths: the fault classifiers of the Direct Bedrock Client
 * and of the MCP Router translate into it, and everything that decides (retry, fallback, breaker, limiter, alert) reads
 * only this.
 *
 * `message` is for the operation's record and may reach the caller: the classifier writes it and never copies there what
 * a prompt, a credential or an upstream stack could have put into the original.
 */
export const faultKinds = [
  /** The upstream says that we send too much (429): slow down, another target may answer. */
  'throttled',
  /** The upstream says that it has no capacity or is broken (5xx). */
  'overloaded',
  /** Nothing in time: connect, first byte, silence between events, or the whole attempt. */
  'timeout',
  /** Our credentials are missing, wrong or expired. */
  'auth',
  /** Our credentials are good but may not do this (no model access, denied by policy). */
  'access',
  /** The model, profile, tool or server does not exist there. */
  'not_found',
  /** The request itself is wrong: it would be wrong everywhere. */
  'validation',
  /** A quota of the account is used up; waiting a little does not help. */
  'quota',
  /** The model failed while it worked on this input. */
  'model_error',
  /** No connection, or it broke. */
  'network',
  /** What came back is not what the protocol says: malformed, truncated, oversized, without an end. */
  'protocol',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  readonly kind: FaultKind
  /** Whether the same request can succeed on the same target a little later. */
  readonly retryable: boolean
  /** How long the upstream asked us to wait. */
  readonly retryAfterMs?: number
  /** One sentence, safe to show. */
  readonly message: string
  /** The upstream's own name for it, such as `ThrottlingException`, where it is one of the known names. */
  readonly upstreamCode?: string
  readonly upstreamStatus?: number
  /** We refused it before anything was sent: the attempt's outcome is `rejected`, and it says nothing about the upstream's health. */
  readonly rejected?: true
}

/** Faults of the request itself: another target or route would fail the same way, so nothing else is tried. */
export function failsEverywhere(fault: Fault): boolean {
  return fault.kind === 'validation'
}
