/**
 * Whether the router's verdicts in hindsight are right. In the simulator the truth is known: whether an operation that missed
 * its requirement would probably have met it on the other allowed route. "Probably" is put to the proof with many attempts
 * there, of the same operation at the same instant but with luck of their own; more than half must have met it.
 *
 * A place that had no slot left when the operation came in would have refused it. The router judges by the traffic it had; it
 * never sees these attempts.
 */
import { operationLimits, type Matrix, type Route } from '../operation/matrix.ts'
import type { OperationResult } from '../operation/result.ts'
import { Fates } from './fate.ts'
import { placesOf, type Place, type Scenario } from './scenario.ts'
import type { WorkItem } from './workload.ts'

export interface HindsightFigures {
  readonly decisions: number
  readonly judged: number
  readonly optimal: number
  /** Judged decisions whose verdict is the truth. */
  readonly agreed: number
  /** The same among operations that missed their requirement, where the verdict is not plain. */
  readonly missed: number
  readonly missedJudged: number
  readonly missedAgreed: number
}

const draws = 25
/** Turns that no real attempt of the operation has. */
const firstDraw = 1_000

export class HindsightTruth {
  readonly #scenario: Scenario
  readonly #fates: Fates
  readonly #matrix: Matrix
  /** What was full when an operation came in: it would have been refused there. */
  readonly #fullAtArrival = new Map<number, ReadonlySet<string>>()
  readonly #verdicts = new Map<number, boolean | null>()
  readonly #figures = { decisions: 0, judged: 0, optimal: 0, agreed: 0, missed: 0, missedJudged: 0, missedAgreed: 0 }

  constructor(scenario: Scenario, seed: number, matrix: Matrix) {
    this.#scenario = scenario
    this.#fates = new Fates(scenario, seed)
    this.#matrix = matrix
  }

  onArrival(item: WorkItem, isFull: (place: Place) => boolean): void {
    const full = this.#scenario.places.filter(isFull)
    if (full.length > 0) this.#fullAtArrival.set(item.index, new Set(full.map(({ id }) => id)))
  }

  /** The router tells its verdict before it tells the result; none where it refused to take the operation. */
  onVerdict(item: WorkItem, optimal: boolean | null): void {
    this.#verdicts.set(item.index, optimal)
  }

  onEnd(item: WorkItem, result: OperationResult): void {
    const figures = this.#figures
    figures.decisions += 1
    const missed = !(result.status === 'succeeded' && result.slaMet)
    if (missed) figures.missed += 1
    const optimal = this.#verdicts.get(item.index) ?? null
    this.#verdicts.delete(item.index)
    const full = this.#fullAtArrival.get(item.index)
    this.#fullAtArrival.delete(item.index)
    if (optimal === null) return
    figures.judged += 1
    if (optimal) figures.optimal += 1
    if (missed) figures.missedJudged += 1
    const truth = missed ? !this.#anotherRouteWouldHave(item, result.decision?.route ?? null, full) : true
    if (truth !== optimal) return
    figures.agreed += 1
    if (missed) figures.missedAgreed += 1
  }

  figures(): HindsightFigures {
    return { ...this.#figures }
  }

  #anotherRouteWouldHave(item: WorkItem, decided: Route | null, full: ReadonlySet<string> | undefined): boolean {
    const row = this.#matrix[item.type]
    const { latencyRequirementMs } = operationLimits(row)
    const allowed: readonly Route[] = row.fallback === 'none' ? [row.route] : [row.route, row.fallback]
    const wouldHave = (place: Place): boolean => full?.has(place.id) !== true && this.#met(item, place, latencyRequirementMs) > 0.5
    return allowed.some((route) => route !== decided && placesOf(this.#scenario, route).some(wouldHave))
  }

  #met(item: WorkItem, place: Place, withinMs: number): number {
    let met = 0
    for (let draw = 0; draw < draws; draw += 1) {
      const fate = this.#fates.of(item, place, firstDraw + draw, item.atMs)
      if (fate.kind === 'answers' && (item.mode === 'stream' ? fate.firstContentMs : fate.totalMs) <= withinMs) met += 1
    }
    return met / draws
  }
}
