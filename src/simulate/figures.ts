/**
 * What a run of a scenario came to: shares with 95 % confidence intervals, quantiles, attempts per operation, for each
 * operation type and for all. Told the outcome of each operation once; drills and simulations use the same.
 *
 * Interval of a share: Wilson's score interval (1927), which holds near 0 and 1, where our shares are. Latency counts what
 * was answered and what ran into its hard timeout (with that time); what was refused at once has none.
 */
import { operationTypes, priorityRank, type Matrix, type OperationType } from '../operation/matrix.ts'

export interface Outcome {
  readonly index: number
  readonly type: OperationType
  readonly answered: boolean
  readonly inTime: boolean
  /** From the arrival to what the operation is judged by; null for what was refused before anything was sent. */
  readonly latencyMs: number | null
  readonly attempts: number
  readonly hedges: number
  /** How long the attempt that answered took a slot while operations came in; 0 without one. */
  readonly servedMs: number
  /** A succeeded operation with the wrong text. */
  readonly wrong: boolean
}

/** Of what was served, the part before the instant: what is served after the last arrival says nothing about overload. */
export function servedBefore(instantMs: number, endedAtMs: number, servedMs: number): number {
  return Math.max(0, Math.min(endedAtMs, instantMs) - (endedAtMs - servedMs))
}

export interface Share {
  readonly hits: number
  readonly count: number
  readonly share: number
  readonly low: number
  readonly high: number
}

export interface Figures {
  readonly operations: number
  readonly answered: number
  readonly inTime: Share
  readonly p50Ms: number
  readonly p99Ms: number
  readonly attemptsPerOperation: number
  readonly hedgesPerOperation: number
  /** The time of slots that went into answers in time. */
  readonly usefulMs: number
  readonly wrong: number
}

export interface RunFigures {
  readonly all: Figures
  readonly byType: Readonly<Partial<Record<OperationType, Figures>>>
}

/** The normal quantile of a two-sided interval of 95 %. */
const z95 = 1.959963984540054

export function wilson(hits: number, count: number): Share {
  if (count === 0) return { hits, count, share: 1, low: 0, high: 1 }
  const share = hits / count
  const spread = z95 ** 2 / count
  const centre = (share + spread / 2) / (1 + spread)
  const half = (z95 * Math.sqrt((share * (1 - share)) / count + spread / (4 * count))) / (1 + spread)
  return { hits, count, share, low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}

/** The value below or at which the share of the values lies; NaN of none. Nearest rank. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN
}

class Tally {
  operations = 0
  answered = 0
  inTime = 0
  attempts = 0
  hedges = 0
  wrong = 0
  usefulMs = 0
  readonly #latencies: number[] = []

  add(outcome: Outcome): void {
    this.operations += 1
    this.attempts += outcome.attempts
    this.hedges += outcome.hedges
    if (outcome.answered) this.answered += 1
    if (outcome.inTime) {
      this.inTime += 1
      this.usefulMs += outcome.servedMs
    }
    if (outcome.wrong) this.wrong += 1
    if (outcome.latencyMs !== null) this.#latencies.push(outcome.latencyMs)
  }

  figures(): Figures {
    const sorted = Float64Array.from(this.#latencies).sort()
    const per = (sum: number): number => (this.operations === 0 ? 0 : sum / this.operations)
    return {
      operations: this.operations,
      answered: this.answered,
      inTime: wilson(this.inTime, this.operations),
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
      attemptsPerOperation: per(this.attempts),
      hedgesPerOperation: per(this.hedges),
      usefulMs: this.usefulMs,
      wrong: this.wrong,
    }
  }
}

export class Scoreboard {
  readonly #all = new Tally()
  readonly #byType = new Map<OperationType, Tally>()

  add(outcome: Outcome): void {
    this.#all.add(outcome)
    const known = this.#byType.get(outcome.type)
    const tally = known ?? new Tally()
    if (known === undefined) this.#byType.set(outcome.type, tally)
    tally.add(outcome)
  }

  figures(): RunFigures {
    const byType: Partial<Record<OperationType, Figures>> = {}
    for (const type of operationTypes) {
      const tally = this.#byType.get(type)
      if (tally !== undefined) byType[type] = tally.figures()
    }
    return { all: this.#all.figures(), byType }
  }
}

/** In overload an operation counts by its class: a critical one eight times as much as a low one. */
const weights = [8, 4, 2, 1] as const

/** Of what somebody else answered in time, how much this run did, weighted by priority; operations are counted one by one. */
export function weightedShareOf(run: RunFigures, yardstick: RunFigures, matrix: Matrix): number {
  let reached = 0
  let possible = 0
  for (const type of operationTypes) {
    const weight = type === 'emergency' ? weights[0] : (weights[priorityRank(matrix[type].priority)] ?? 1)
    const wanted = yardstick.byType[type]?.inTime.hits ?? 0
    possible += weight * wanted
    reached += weight * Math.min(wanted, run.byType[type]?.inTime.hits ?? 0)
  }
  return possible === 0 ? 1 : reached / possible
}
