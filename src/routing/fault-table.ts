/**
 * What a fault of one attempt means for the attempts that may follow, as data: where to look next, and what is known of the
 * operation when it must not be repeated.
 *
 * Must not know: how often and when; budgets, backoff and deadlines decide that in the attempt machine. Sources: Amazon
 * Bedrock's troubleshooting page for error codes (429 is the account's quota in a region, 503 is capacity there) and the
 * public contract, part 3 ("Repeats").
 */
import type { FaultKind } from '../operation/fault.ts'

export interface FaultConsequence {
  /** Which untried candidates come first. */
  readonly next: 'target' | 'route'
  /**
   * For an operation that must not be repeated and was sent: `refused` was not carried out and may go on elsewhere,
   * `carried_out` was, and failed, `unknown` may have been.
   */
  readonly afterSending: 'refused' | 'carried_out' | 'unknown'
  readonly rationale: string
}

export const faultTable: Readonly<Record<FaultKind, FaultConsequence>> = {
  throttled: { next: 'target', afterSending: 'refused', rationale: 'Quotas are counted per region and model: another target has its own.' },
  overloaded: { next: 'target', afterSending: 'unknown', rationale: 'Capacity is missing in one region; a 5xx does not say how far the work had come.' },
  timeout: { next: 'target', afterSending: 'unknown', rationale: 'One target hangs or is slow; silence does not say whether it works.' },
  auth: { next: 'route', afterSending: 'refused', rationale: 'All targets of the direct route share one credential chain: only the other route has other credentials.' },
  access: { next: 'target', afterSending: 'refused', rationale: 'Model access is granted per region and model.' },
  not_found: { next: 'target', afterSending: 'refused', rationale: 'A model or tool that is missing there may exist elsewhere.' },
  validation: { next: 'target', afterSending: 'refused', rationale: 'Wrong everywhere: nothing else is tried (`failsEverywhere`).' },
  quota: { next: 'target', afterSending: 'refused', rationale: 'Quotas of the account are kept per region.' },
  model_error: { next: 'route', afterSending: 'carried_out', rationale: 'The same model met this input: the other route is the most different one.' },
  network: { next: 'target', afterSending: 'unknown', rationale: 'One endpoint cannot be reached; what was sent may have arrived.' },
  protocol: { next: 'target', afterSending: 'unknown', rationale: 'One endpoint answered garbage; the work may have been done.' },
}
