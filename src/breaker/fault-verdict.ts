/**
 * What a fault says about the target that gave it. A breaker asks one question: would the next call fail there too?
 */
import type { FaultKind } from '../operation/fault.ts'

const speaksAgainstTarget: Readonly<Record<FaultKind, boolean>> = {
  // It answers, and says that we send too much: the limiter slows it, the breaker leaves it in.
  throttled: false,
  overloaded: true,
  timeout: true,
  // Whatever we send next with these credentials or to this name fails as well.
  auth: true,
  access: true,
  not_found: true,
  quota: true,
  // These belong to one request, not to the target.
  validation: false,
  model_error: false,
  network: true,
  protocol: true,
}

export function verdictOn(kind: FaultKind): 'failed' | 'neutral' {
  return speaksAgainstTarget[kind] ? 'failed' : 'neutral'
}
