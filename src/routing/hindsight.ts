/**
 * Was it the right decision? Judged after the fact, against what the other allowed routes did at that time with their own
 * traffic. This verdict, not a guess, is routing efficiency (public contract, part 3, "Hindsight").
 *
 * A decision was not optimal when its operation missed the requirement and an allowed alternative would probably have met
 * it. An operation that met its requirement was decided well, however fast the alternative may have been: the promise is
 * the requirement. Where an alternative has too little traffic of its own to say, the verdict is unknown and is left out of
 * the efficiency; the share of judged decisions is published beside it.
 *
 * The evidence is every attempt on the alternative that began near the decision, with an answer of similar size. An
 * attempt that failed, or was given up after it had already run longer than the requirement, did not meet it; one that was
 * cancelled earlier says nothing.
 */
import type { Route } from '../operation/matrix.ts'
import type { LatencyBasis } from './latency-estimates.ts'

export interface HindsightSettings {
  /** Attempts that began within this time of the decision, before or after, are evidence. */
  readonly withinMs: number
  /** Fewer pieces of evidence say nothing. */
  readonly minimumSamples: number
  /** Sizes within this factor of each other are similar. */
  readonly similarFactor: number
  /** "Probably": the share of the evidence that must have met the requirement. */
  readonly probableShare: number
  /** Pieces of evidence kept per route; the oldest go first. */
  readonly keptSamples: number
  /** Of these so many are looked at for one verdict, the newest first: more would not change a share, and cost time. */
  readonly examinedSamples: number
}

/** 60 s and 20 samples are the contract's; a factor of four is two doublings of an answer's length. */
export const defaultHindsightSettings: HindsightSettings = Object.freeze({
  withinMs: 60_000,
  minimumSamples: 20,
  similarFactor: 4,
  probableShare: 0.5,
  keptSamples: 4_096,
  examinedSamples: 256,
})

/** One attempt, as evidence for what its route could do at its time. */
export interface RouteEvidence {
  readonly startedAtMs: number
  readonly route: Route
  readonly basis: LatencyBasis
  /** Output tokens, or what is known of the answer's size; 0 when nothing is. */
  readonly size: number
  readonly outcome: 'answered' | 'failed' | 'given_up'
  /** Until what the operation is judged by: completion, or first content for streams. */
  readonly tookMs: number
}

export interface JudgedOperation {
  readonly decidedAtMs: number
  /** What it is judged by: only evidence of the same kind speaks about it. */
  readonly basis: LatencyBasis
  /** What was left until the requirement when the decision fell. */
  readonly requirementLeftMs: number
  readonly met: boolean
  /** From the decision to the end. */
  readonly tookMs: number
  readonly size: number
  /** Routes that the matrix allowed and that were not the decision. */
  readonly alternatives: readonly Route[]
  /** It was shed after it had found no room on any allowed route: what was let in there is no evidence for it. */
  readonly noRoom: boolean
}

export interface HindsightVerdict {
  readonly optimal: boolean | null
  /** How much earlier the best alternative would probably have answered; 0 when none would have, null when unknown. */
  readonly regretMs: number | null
  /** What the verdict rests on, in words. */
  readonly basis: string
}

export class HindsightJudge {
  readonly #settings: HindsightSettings
  readonly #evidence: Record<Route, EvidenceRing>

  constructor(settings: HindsightSettings = defaultHindsightSettings) {
    this.#settings = settings
    this.#evidence = { direct: new EvidenceRing(settings.keptSamples), mcp: new EvidenceRing(settings.keptSamples) }
  }

  onAttempt(evidence: RouteEvidence): void {
    this.#evidence[evidence.route].add(evidence)
  }

  judge(operation: JudgedOperation): HindsightVerdict {
    if (operation.met) return { optimal: true, regretMs: 0, basis: 'met the requirement' }
    if (operation.noRoom) return { optimal: true, regretMs: 0, basis: 'missed the requirement; no allowed route had room' }
    if (operation.alternatives.length === 0) return { optimal: true, regretMs: 0, basis: 'missed the requirement; no other route was allowed' }
    let unknown: string | undefined
    let best: { readonly regretMs: number; readonly basis: string } | undefined
    for (const route of operation.alternatives) {
      const view = this.#viewOf(route, operation)
      if (view.samples < this.#settings.minimumSamples) {
        unknown = `missed the requirement; ${route} has ${view.samples} of ${this.#settings.minimumSamples} samples of similar size within ${this.#settings.withinMs / 1_000} s`
      } else if (view.metShare >= this.#settings.probableShare) {
        const regretMs = Math.max(0, operation.tookMs - view.medianMs)
        if (best === undefined || regretMs > best.regretMs) {
          best = { regretMs, basis: `missed the requirement; ${Math.round(view.metShare * 100)} % of ${view.samples} attempts on ${route} at that time would have met it` }
        }
      }
    }
    if (best !== undefined) return { optimal: false, ...best }
    if (unknown !== undefined) return { optimal: null, regretMs: null, basis: unknown }
    return { optimal: true, regretMs: 0, basis: 'missed the requirement; no allowed route would probably have met it' }
  }

  #viewOf(route: Route, operation: JudgedOperation): RouteEvidenceView {
    const { withinMs, similarFactor, examinedSamples, probableShare } = this.#settings
    const ring = this.#evidence[route]
    const took: number[] = []
    let met = 0
    for (let back = 1; back <= ring.size && took.length < examinedSamples; back += 1) {
      const each = ring.newest(back)
      if (each === undefined || Math.abs(each.startedAtMs - operation.decidedAtMs) > withinMs) continue
      if (each.basis !== operation.basis || !similar(each.size, operation.size, similarFactor)) continue
      if (each.outcome === 'given_up' && each.tookMs < operation.requirementLeftMs) continue
      const answered = each.outcome === 'answered'
      if (answered && each.tookMs <= operation.requirementLeftMs) met += 1
      took.push(answered ? each.tookMs : Number.POSITIVE_INFINITY)
    }
    const metShare = took.length === 0 ? 0 : met / took.length
    // The median is only asked for where it is the regret.
    if (metShare >= probableShare) took.sort((a, b) => a - b)
    return { samples: took.length, metShare, medianMs: took[Math.floor((took.length - 1) / 2)] ?? Number.POSITIVE_INFINITY }
  }
}

interface RouteEvidenceView {
  readonly samples: number
  readonly metShare: number
  /** Meaningful where the share says "probably". */
  readonly medianMs: number
}

/** Nothing is known of the size of what failed early: it is similar to everything. */
function similar(a: number, b: number, factor: number): boolean {
  if (a <= 0 || b <= 0) return true
  return a <= b * factor && b <= a * factor
}

/** The last pieces of evidence, in the order in which they came. */
class EvidenceRing {
  readonly #kept: number
  readonly #entries: RouteEvidence[] = []
  #next = 0

  constructor(kept: number) {
    this.#kept = kept
  }

  add(evidence: RouteEvidence): void {
    this.#entries[this.#next] = evidence
    this.#next = (this.#next + 1) % this.#kept
  }

  get size(): number {
    return this.#entries.length
  }

  /** 1 is the newest. */
  newest(back: number): RouteEvidence | undefined {
    const size = this.#entries.length
    return this.#entries[(this.#next - back + 2 * size) % size]
  }
}
