/**
 * The last decisions with what became of them, each judged in hindsight, and the efficiency that follows from the verdicts.
 *
 * A decision is judged when its operation ends, with the evidence that is there; one that could not be judged is looked at
 * again when it is read, as long as evidence of its time may still come in. What the caller cancelled, and what was wrong with
 * the request itself, says nothing about a decision and is not judged.
 *
 * Told what happened and when; bounded. Source: public contract, part 3 ("Hindsight").
 */
import type { RoutingDecision } from '../operation/decision.ts'
import { operationTypes, type OperationType, type Priority, type Route } from '../operation/matrix.ts'
import type { AttemptOutcome, AttemptReason } from '../operation/result.ts'
import { HindsightJudge, type HindsightVerdict, type JudgedOperation, type RouteEvidence } from './hindsight.ts'
import type { LatencyBasis } from './latency-estimates.ts'

/** What is kept of one attempt: enough to replay the decision with other thresholds. */
export interface DecidedAttempt {
  readonly route: Route
  readonly target: string
  readonly reason: AttemptReason
  /** From the arrival of the operation. */
  readonly startMs: number
  readonly durationMs: number
  readonly outcome: AttemptOutcome
}

export interface DecisionRecord {
  readonly operationId: string
  readonly operation: OperationType
  readonly priority: Priority
  readonly tenant: string | null
  /** RFC 3339. */
  readonly decidedAt: string
  /** The same on the time line of the process. */
  readonly decidedAtMs: number
  readonly decision: RoutingDecision
  readonly status: string
  /** The winner's; null where there is none. */
  readonly route: Route | null
  readonly target: string | null
  readonly basis: LatencyBasis
  readonly latencyMs: number
  readonly latencyRequirementMs: number
  readonly slaMet: boolean
  readonly attempts: readonly DecidedAttempt[]
  readonly hindsight: HindsightVerdict
}

export type EndedDecision = Omit<DecisionRecord, 'hindsight'>

export interface Efficiencies {
  readonly overall: EfficiencyFigures
  readonly byOperation: Readonly<Partial<Record<OperationType, EfficiencyFigures>>>
}

export interface EfficiencyFigures {
  /** The share of optimal decisions among the judged, 0 to 1; null while none was judged. */
  readonly optimalShare: number | null
  /** The share of decisions that could be judged; null while there are none. */
  readonly judgedShare: number | null
  readonly decisions: number
}

interface Entry {
  readonly ended: EndedDecision
  readonly judged: JudgedOperation | null
  readonly slot: Slot
  verdict: HindsightVerdict
}

interface Slot {
  index: number
  /** By type: decisions, judged, optimal. */
  readonly counts: Float64Array
}

/** ms of one slot of the rolling figures, and how many there are: an hour in steps of ten seconds. */
const slotMs = 10_000
const slotCount = 360
/** ms in which evidence of a decision's time may still come in. */
const judgedAgainWithinMs = 60_000

const notJudged = (basis: string): HindsightVerdict => ({ optimal: null, regretMs: null, basis })

export class DecisionLedger {
  readonly #judge = new HindsightJudge()
  readonly #entries: Entry[] = []
  readonly #slots: Slot[] = []
  #next = 0
  readonly #kept: number

  /** @param kept decisions that can be read back */
  constructor(kept: number) {
    this.#kept = kept
  }

  onAttempt(evidence: RouteEvidence): void {
    this.#judge.onAttempt(evidence)
  }

  /** @param judged null where the end says nothing about the decision; `why` then tells */
  onEnded(ended: EndedDecision, judged: JudgedOperation | null, nowMs: number, why: string = ''): HindsightVerdict {
    const verdict = judged === null ? notJudged(why) : this.#judge.judge(judged)
    const slot = this.#slotAt(nowMs)
    count(slot, ended.operation, 0, 1)
    countVerdict(slot, ended.operation, verdict, 1)
    this.#entries[this.#next] = { ended, judged, slot, verdict }
    this.#next = (this.#next + 1) % this.#kept
    return verdict
  }

  /** The last ones, newest first. */
  recent(limit: number, nowMs: number): readonly DecisionRecord[] {
    const found: DecisionRecord[] = []
    const size = this.#entries.length
    for (let back = 1; back <= Math.min(limit, size); back += 1) {
      const entry = this.#entries[(this.#next - back + size) % size]
      if (entry === undefined) break
      this.#judgeAgain(entry, nowMs)
      found.push({ ...entry.ended, hindsight: entry.verdict })
    }
    return found
  }

  /** Over the last `windowMs`, an hour at most. */
  efficiency(windowMs: number, nowMs: number): Efficiencies {
    const sums = new Float64Array(operationTypes.length * 3)
    const oldest = Math.floor((nowMs - windowMs) / slotMs)
    for (const slot of this.#slots) {
      if (slot === undefined || slot.index <= oldest || slot.index > nowMs / slotMs) continue
      for (let index = 0; index < sums.length; index += 1) sums[index] = (sums[index] ?? 0) + (slot.counts[index] ?? 0)
    }
    const byOperation: Partial<Record<OperationType, EfficiencyFigures>> = {}
    const all: [number, number, number] = [0, 0, 0]
    operationTypes.forEach((type, index) => {
      const [decisions, judged, optimal] = [sums[index * 3] ?? 0, sums[index * 3 + 1] ?? 0, sums[index * 3 + 2] ?? 0]
      if (decisions > 0) byOperation[type] = figures(decisions, judged, optimal)
      all[0] += decisions
      all[1] += judged
      all[2] += optimal
    })
    return { overall: figures(...all), byOperation }
  }

  #judgeAgain(entry: Entry, nowMs: number): void {
    const { judged, verdict, slot, ended } = entry
    if (judged === null || verdict.optimal !== null || nowMs - judged.decidedAtMs > 2 * judgedAgainWithinMs) return
    entry.verdict = this.#judge.judge(judged)
    countVerdict(slot, ended.operation, entry.verdict, 1)
  }

  #slotAt(nowMs: number): Slot {
    const index = Math.floor(nowMs / slotMs)
    const place = ((index % slotCount) + slotCount) % slotCount
    const known = this.#slots[place]
    if (known?.index === index) return known
    // A new object: decisions that are judged later still count in theirs, which nobody reads any more.
    const fresh: Slot = { index, counts: new Float64Array(operationTypes.length * 3) }
    this.#slots[place] = fresh
    return fresh
  }
}

function countVerdict(slot: Slot, type: OperationType, verdict: HindsightVerdict, by: number): void {
  if (verdict.optimal === null) return
  count(slot, type, 1, by)
  if (verdict.optimal) count(slot, type, 2, by)
}

function count(slot: Slot, type: OperationType, column: number, by: number): void {
  const index = operationTypes.indexOf(type) * 3 + column
  slot.counts[index] = (slot.counts[index] ?? 0) + by
}

function figures(decisions: number, judged: number, optimal: number): EfficiencyFigures {
  return { optimalShare: judged === 0 ? null : optimal / judged, judgedShare: decisions === 0 ? null : judged / decisions, decisions }
}
