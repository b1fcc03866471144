/**
 * What happens to one request: every rule whose window is open and whose target fits is drawn for, in order, and what they
 * say together becomes one plan, before anything is done. The first rule that ends a request (hang, reset, an error) wins;
 * latency is the last one set, slowness multiplies, and one fault of the body or the stream is enough.
 */
import type { Refusal } from './exceptions.ts'
import type { ConcurrencyRule, CutRule, FaultKind, FaultRule, FaultTarget, MalformedForm, MidstreamRule, StallRule } from './fault-rule.ts'
import { nominalPace, noWait, sampleLatency, type Pace } from './latency.ts'
import type { Operation } from './route.ts'

export interface RequestFacts {
  /** Undefined for a bearer key, which names no region. */
  readonly region: string | undefined
  /** Empty where the operation names none. */
  readonly modelId: string
  readonly operation: Operation
  readonly port: number
}

/** A rule with the moment, on the monotonic clock, from which its window counts. */
export interface SetRule {
  readonly rule: FaultRule
  readonly setAtMs: number
}

export type Ending =
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset'; readonly afterMs: number }
  | { readonly kind: 'refusal'; readonly refusal: Refusal; readonly afterMs: number; readonly retryAfterMs: number }

export interface FaultPlan {
  readonly pace: Pace
  readonly ending: Ending | undefined
  readonly malformed: { readonly form: MalformedForm; readonly status: number } | undefined
  readonly stream: StallRule | MidstreamRule | CutRule | undefined
  /** The limits that count this request; those that are full and queue make it wait. */
  readonly limits: readonly ConcurrencyRule[]
  /** What met the request, for its record. */
  readonly kinds: readonly FaultKind[]
}

export const undisturbed: FaultPlan = { pace: noWait, ending: undefined, malformed: undefined, stream: undefined, limits: [], kinds: [] }

/**
 * @param chance uniform in [0, 1)
 * @param inFlight how many requests a limit counts already
 */
export function planFaults(rules: readonly SetRule[], facts: RequestFacts, nowMs: number, chance: () => number, inFlight: (rule: ConcurrencyRule) => number): FaultPlan {
  if (rules.length === 0) return undisturbed
  let pace: Pace | undefined
  let factor = 1
  let ending: Ending | undefined
  let malformed: FaultPlan['malformed']
  let stream: FaultPlan['stream']
  const limits: ConcurrencyRule[] = []
  const kinds: FaultKind[] = []
  for (const { rule, setAtMs } of rules) {
    if (rule.kind === 'refused' || !isOpen(rule, nowMs - setAtMs) || !fits(rule.target, facts)) continue
    if (rule.share < 1 && chance() >= rule.share) continue
    switch (rule.kind) {
      case 'latency':
        pace = { firstTokenMs: sampleLatency(rule.firstTokenMs, chance), perTokenMs: sampleLatency(rule.perTokenMs, chance) }
        break
      case 'slow':
        factor *= rule.factor
        break
      case 'hang':
        ending ??= { kind: 'hang' }
        break
      case 'reset':
        ending ??= { kind: 'reset', afterMs: rule.afterMs }
        break
      case 'throttle':
        ending ??= { kind: 'refusal', refusal: { exception: 'ThrottlingException' }, afterMs: 0, retryAfterMs: rule.retryAfterMs }
        break
      case 'error':
        ending ??= { kind: 'refusal', refusal: { exception: rule.exception }, afterMs: rule.afterMs, retryAfterMs: 0 }
        break
      case 'expired':
        ending ??= { kind: 'refusal', refusal: { exception: 'ExpiredTokenException' }, afterMs: 0, retryAfterMs: 0 }
        break
      case 'malformed':
        malformed ??= { form: rule.form, status: rule.status }
        break
      case 'stall':
      case 'midstream':
      case 'cut':
        stream ??= rule
        break
      case 'concurrency':
        if (rule.above === 'throttle' && inFlight(rule) >= rule.limit) {
          ending ??= { kind: 'refusal', refusal: { exception: 'ThrottlingException' }, afterMs: 0, retryAfterMs: 0 }
        } else {
          limits.push(rule)
          // Below its limit a rule has met nobody.
          if (inFlight(rule) < rule.limit) continue
        }
        break
    }
    kinds.push(rule.kind)
  }
  return { pace: slowed(pace, factor), ending, malformed, stream, limits, kinds }
}

/** Whether connections to a port are refused now, and with what share. */
export function refusedShare(rules: readonly SetRule[], port: number, nowMs: number): number {
  let accepted = 1
  for (const { rule, setAtMs } of rules) {
    if (rule.kind !== 'refused' || !isOpen(rule, nowMs - setAtMs) || (rule.target.port !== undefined && rule.target.port !== port)) continue
    accepted *= 1 - rule.share
  }
  return 1 - accepted
}

/** The instants at which what `refusedShare` says may change. */
export function refusalChanges(rules: readonly SetRule[], nowMs: number): readonly number[] {
  return rules
    .filter(({ rule }) => rule.kind === 'refused')
    .flatMap(({ rule, setAtMs }) => [setAtMs + rule.fromMs, ...(rule.untilMs === undefined ? [] : [setAtMs + rule.untilMs])])
    .filter((atMs) => atMs > nowMs)
}

function slowed(pace: Pace | undefined, factor: number): Pace {
  if (factor === 1) return pace ?? noWait
  const base = pace ?? nominalPace
  return { firstTokenMs: base.firstTokenMs * factor, perTokenMs: base.perTokenMs * factor }
}

function isOpen(rule: FaultRule, elapsedMs: number): boolean {
  return elapsedMs >= rule.fromMs && (rule.untilMs === undefined || elapsedMs < rule.untilMs)
}

function fits(target: FaultTarget, facts: RequestFacts): boolean {
  if (target.port !== undefined && target.port !== facts.port) return false
  if (target.operation !== undefined && target.operation !== facts.operation) return false
  if (target.region !== undefined && !(facts.region !== undefined && matches(target.region, facts.region))) return false
  return target.modelId === undefined || matches(target.modelId, facts.modelId)
}

/** `*` stands for any characters; compared piece by piece, so that no pattern is slow. */
export function matches(pattern: string, text: string): boolean {
  const [first = '', ...pieces] = pattern.split('*')
  if (pieces.length === 0) return pattern === text
  const last = pieces.pop() ?? ''
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false
  let from = first.length
  const until = text.length - last.length
  for (const piece of pieces) {
    const at = text.indexOf(piece, from)
    if (at === -1 || at + piece.length > until) return false
    from = at + piece.length
  }
  return true
}
