/**
 * The models `fault.KIND`: each meets its fault at every request, so that an SDK, a drill or a person can see one fault
 * without any set-up. The names are those of the public contract, part 1.
 */
import type { FaultRule } from './fault-rule.ts'

const always = { target: {}, share: 1, fromMs: 0, untilMs: undefined } as const

/** Enough events for a client to have shown some text. */
const afterEvents = 5

const faultModels: ReadonlyMap<string, FaultRule> = new Map<string, FaultRule>([
  ['throttle', { ...always, kind: 'throttle', retryAfterMs: 0 }],
  ['unavailable', { ...always, kind: 'error', exception: 'ServiceUnavailableException', afterMs: 0 }],
  ['internal', { ...always, kind: 'error', exception: 'InternalServerException', afterMs: 0 }],
  ['denied', { ...always, kind: 'error', exception: 'AccessDeniedException', afterMs: 0 }],
  ['midstream', { ...always, kind: 'midstream', exception: 'ModelStreamErrorException', afterEvents }],
  ['cut', { ...always, kind: 'cut', afterEvents, how: 'reset' }],
  ['slow', { ...always, kind: 'slow', factor: 10 }],
  ['hang', { ...always, kind: 'hang' }],
  ['modelerror', { ...always, kind: 'error', exception: 'ModelErrorException', afterMs: 0 }],
  ['modeltimeout', { ...always, kind: 'error', exception: 'ModelTimeoutException', afterMs: 0 }],
  ['notready', { ...always, kind: 'error', exception: 'ModelNotReadyException', afterMs: 0 }],
])

export const faultModelNames: readonly string[] = [...faultModels.keys()]

export function faultOfModel(name: string): FaultRule | undefined {
  return faultModels.get(name)
}
